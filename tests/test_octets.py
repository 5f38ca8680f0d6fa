"""The byte grid: each field lies where struct puts it, each byte is drawn, and what is wrong is said."""

from __future__ import annotations

import itertools
import random
import struct

import pytest

from socketlab.measure import byte_grid
from socketlab.measure.octets import MOST, fields


class TestFields:
    @pytest.mark.parametrize("prefix", ["", "@", "=", "<", ">", "!"], ids=lambda prefix: prefix or "none")
    def test_places_are_those_that_struct_writes(self, prefix: str) -> None:
        """Change a field, and no other byte than its own changes."""
        values = [1, 2, 3, 4]
        data = struct.pack(f"{prefix}BIHQ", *values)
        for number, field in enumerate(fields(data, f"{prefix}BIHQ")):
            assert field.value == values[number]
            other = [value + (at == number) for at, value in enumerate(values)]
            changed = struct.pack(f"{prefix}BIHQ", *other)
            differing = [at for at in range(len(data)) if data[at] != changed[at]]
            assert differing
            assert all(field.start <= at < field.end for at in differing)

    def test_native_padding_belongs_to_nobody(self) -> None:
        found = fields(struct.pack("BI", 1, 2), "BI")
        assert [(field.start, field.end) for field in found] == [(0, 1), (4, 8)]

    @pytest.mark.parametrize(
        ("format", "wanted"),
        [
            ("!4sH", [(0, 4), (4, 6)]),
            ("!2H", [(0, 2), (2, 4)]),
            ("!B2xH", [(0, 1), (3, 5)]),
            ("!B 3s B", [(0, 1), (1, 4), (4, 5)]),
        ],
    )
    def test_counts(self, format: str, wanted: list[tuple[int, int]]) -> None:
        found = fields(bytes(struct.calcsize(format)), format)
        assert [(field.start, field.end) for field in found] == wanted

    def test_any_format(self) -> None:
        draw = random.Random(4)
        for _ in range(300):
            format = draw.choice("@=<>!") + "".join(draw.choice("bBhHiIqQx") for _ in range(draw.randrange(1, 6)))
            data = draw.randbytes(struct.calcsize(format))
            found = fields(data, format)
            assert [field.value for field in found] == list(struct.unpack(format, data))
            assert all(a.end <= b.start for a, b in itertools.pairwise(found))

    def test_another_size_is_refused(self) -> None:
        with pytest.raises(struct.error):
            fields(b"abc", "!I")


class TestGrid:
    def test_every_byte_and_every_value_is_there(self) -> None:
        data = struct.pack("!BIH", 7, 258, 9)
        picture = byte_grid(("sent", data, "!BIH"), ("read", data, "<BIH"), names=("kind", "size", "n"), title="T")
        (ax,) = picture.axes
        texts = [text.get_text() for text in ax.texts]
        assert [text for text in texts if len(text) == 2] == [f"{byte:02x}" for byte in data] * 2
        assert "size\n258" in texts
        assert "size\n33,619,968" in texts
        assert [label.get_text() for label in ax.get_yticklabels()] == ["sent", "read"]

    def test_size_depends_on_the_rows_alone(self) -> None:
        assert repr(byte_grid(("a", b"x"))) == repr(byte_grid(("another", b"0123456789")))

    def test_no_rows(self) -> None:
        with pytest.raises(ValueError, match="at least one row"):
            byte_grid()

    def test_too_many_bytes(self) -> None:
        byte_grid(("a", bytes(MOST)))
        with pytest.raises(ValueError, match="at most 24"):
            byte_grid(("a", bytes(MOST + 1)))
