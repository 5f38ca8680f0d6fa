"""Folding: what repeats is found, nothing is lost, and a million rows take seconds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketlab.trace.views.folding import LONGEST, Fold, fold


def written(folds: list[Fold] | tuple[Fold, ...], rows: object) -> str:
    """``x 4×(a b) c``"""
    words = []
    for one in folds:
        body = f"({written(one.parts, rows)})" if one.parts else str(rows[one.rows[0]])  # type: ignore[index]
        words.append(f"{one.times}×{body}" if one.times else body)
    return " ".join(words)


def unfolded(one: Fold) -> list[int]:
    """The rows of a strict fold, written out again: each round is one of every part."""
    rounds = one.low
    if not one.parts:
        return list(one.rows)
    parts = [list(part.rows) for part in one.parts]
    each = [len(part) // rounds for part in parts]
    return [i for r in range(rounds) for part, n in zip(parts, each, strict=True) for i in part[r * n : (r + 1) * n]]


class TestFold:
    @pytest.mark.parametrize(
        ("rows", "folded"),
        [
            ("", ""),
            ("a", "a"),
            ("aa", "a a"),
            ("aaa", "3×a"),
            ("xababababc", "x 4×(a b) c"),
            ("abcabcabd", "a b c a b c a b d"),
            ("srtqsrtqsrtqsrtqc", "4×(s r t q) c"),
            ("srrrsrrrsrrr", "3×(s 3×r)"),
            ("abababcabababcabababc", "3×(3×(a b) c)"),
        ],
    )
    def test_finds_what_repeats(self, rows: str, folded: str) -> None:
        assert written(fold(rows), rows) == folded

    @pytest.mark.parametrize(
        ("rows", "folded"),
        [
            ("srsrrsrrrr", "3×(s 1–4×r)"),
            ("srrrsrrsrrrrsrsrr", "5×(s 1–4×r)"),
            ("aabb", "2×a 2×b"),
            ("abc", "a b c"),
        ],
    )
    def test_loosely_overlooks_how_often_in_a_row(self, rows: str, folded: str) -> None:
        assert written(fold(rows, loose=True), rows) == folded

    def test_rows_are_the_same_where_their_keys_are(self) -> None:
        rows = ["send 1", "recv 1", "send 2", "recv 2", "send 3", "recv 3"]
        (one,) = fold(rows, lambda row: row.split()[0])
        assert [part.rows for part in one.parts] == [(0, 2, 4), (1, 3, 5)]

    @pytest.mark.parametrize("least", [2, 5])
    def test_folds_from_least_on(self, least: int) -> None:
        assert fold("a" * least, least=least)[0].times == str(least)
        assert len(fold("a" * (least - 1), least=least)) == least - 1

    def test_refuses_to_fold_what_comes_once(self) -> None:
        with pytest.raises(ValueError, match="once is no repetition"):
            fold("abc", least=1)

    def test_blocks_have_a_longest_length(self) -> None:
        for size, folds in ((LONGEST, 1), (LONGEST + 1, 3 * (LONGEST + 1))):
            assert len(fold(list(range(size)) * 3)) == folds

    @given(st.lists(st.sampled_from("abc"), max_size=60), st.booleans())
    def test_every_row_stands_in_exactly_one_leaf(self, rows: list[str], loose: bool) -> None:
        folds = fold(rows, loose=loose)
        leaves = [leaf for one in folds for leaf in one.leaves()]
        assert sorted(i for leaf in leaves for i in leaf.rows) == list(range(len(rows)))
        assert len(leaves) == sum(one.lines for one in folds)
        assert all(len({rows[i] for i in leaf.rows}) == 1 for leaf in leaves)

    @given(st.lists(st.sampled_from("abcd"), max_size=60))
    def test_written_out_again_it_is_what_it_was(self, rows: list[str]) -> None:
        def out(one: Fold) -> list[int]:
            if one.low == 1 or all(not part.parts for part in one.parts):
                return unfolded(one)
            return sorted(one.rows)  # nested: the order inside is tested by what the rows are

        assert [i for one in fold(rows) for i in out(one)] == list(range(len(rows)))

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(3, 50))
    def test_whatever_repeats_takes_few_rows(self, block: list[int], times: int) -> None:
        # The block itself, and what is left of it before and after: where it begins is the eye's choice.
        assert sum(one.lines for one in fold(block * times)) <= 3 * len(block)

    def test_rows_can_be_many_and_all_different(self) -> None:
        rng = random.Random(862)
        many = 200_000
        for rows in (range(many), [rng.randrange(100) for _ in range(many)], [*"srtq"] * (many // 4)):
            assert sum(len(one.rows) for one in fold(rows)) == many
