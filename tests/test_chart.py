"""Charts of panels: what is drawn, as text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from socketlab.panels.drawing.chart import Level, Mark, Series, chart
from socketlab.panels.drawing.scale import Axis, Scale


class TestChart:
    """What is drawn, as text."""

    KINDS = ("line", "step", "area", "dots", "bars")

    def read(self, html: str) -> ElementTree.Element:
        """The SVG, which has to be well-formed."""
        return ElementTree.fromstring(re.sub(r"^.*?(<svg direction.*</svg>)</div>$", r"\1", html, flags=re.DOTALL))

    def texts(self, html: str) -> list[str]:
        return [str(element.text) for element in self.read(html).iter("text")]

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_is_inside_the_picture(self, kind: str) -> None:
        html = chart([Series("a", [(0, 1), (1, None), (2, 5), (3, 2)], kind)], x=Axis("x"), y=Axis("y"))
        svg = self.read(html)
        shapes = [element for element in svg.iter() if element.tag in ("path", "circle", "rect")]
        numbers = [float(n) for shape in shapes for n in re.findall(r"[\d.]+", shape.get("d", ""))]
        assert max(numbers) <= 900
        assert shapes

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_measured_yet(self, kind: str) -> None:
        assert "nothing measured yet" in chart([Series("a", [], kind)], x=Axis("x", log=True), y=Axis("y", log=True))

    @pytest.mark.parametrize("log", [False, True], ids=["linear", "logarithmic"])
    def test_one_point(self, log: bool) -> None:
        html = chart([Series("a", [(5, 5)])], x=Axis("x", log=log), y=Axis("y", log=log))
        assert "nan" not in html
        assert "inf" not in html.replace("infer", "")
        self.read(html)

    def test_what_cannot_be_drawn_is_left_out(self) -> None:
        points = [(1.0, float("nan")), (2.0, float("inf")), (3.0, -1.0), (4.0, 0.0), (5.0, 2.0)]
        svg = self.read(chart([Series("a", points, "dots")], x=Axis("x"), y=Axis("y", log=True)))
        assert len(list(svg.iter("circle"))) == 1

    def test_words_are_made_safe(self) -> None:
        bad = "<script>&\"'"
        html = chart([Series(bad, [(1, 1)]), Series(bad, [(2, 2)])], x=Axis(bad, lambda _: bad), y=Axis(bad),
                     marks=[Mark(1, bad)], levels=[Level(1, bad)])  # fmt: skip
        assert "<script" not in html
        assert bad in self.texts(html)

    def test_ticks_read_as_the_axis_says(self) -> None:
        texts = self.texts(chart([Series("a", [(0, 0), (10, 0.05)])], x=Axis("x"), y=Axis("y", lambda v: f"{v:.2f} s")))
        assert {"0", "10", "0.00 s", "0.05 s"} <= set(texts)

    def test_a_gap_parts_the_line(self) -> None:
        svg = self.read(chart([Series("a", [(0, 1), (1, 2), (2, None), (3, 1), (4, 2)])], x=Axis("x"), y=Axis("y")))
        (path,) = [p for p in svg.iter("path") if p.get("stroke-width") == "2"]
        assert path.get("d", "").count("M") == 2

    def test_many_points_keep_their_peak(self) -> None:
        points = [(float(n), 1.0) for n in range(10_000)]
        points[7_777] = (7_777.0, 50.0)
        html = chart([Series("a", points)], x=Axis("x"), y=Axis("y", low=0, high=50))
        assert len(html) < 20_000
        (path,) = [p for p in self.read(html).iter("path") if p.get("stroke-width") == "2"]
        assert " 12.0" in path.get("d", ""), "the top of the picture is reached"

    def test_series_are_told_apart_without_colour(self) -> None:
        html = chart([Series(str(n), [(0, n), (1, n)]) for n in range(6)], x=Axis("x"), y=Axis("y"))
        lines = [p for p in self.read(html).iter("path") if p.get("stroke-width") == "2"]
        assert len({p.get("stroke-dasharray") for p in lines}) == len(lines) == 6

    def test_an_unknown_kind(self) -> None:
        with pytest.raises(ValueError, match="line, step, area, dots, bars, not 'pie'"):
            chart([Series("a", [], "pie")], x=Axis("x"), y=Axis("y"))

    @pytest.mark.parametrize(("low", "high"), [(0.0, 1e-9), (0.0, 7.0), (0.0, 123456.0), (-3.0, 3.0)])
    def test_linear_ticks_are_round_and_few(self, low: float, high: float) -> None:
        scale = Scale(Axis("x", low=low, high=high), [], 0, 900, 8)
        assert 3 <= len(scale.ticks) <= 12
        assert all(low - 1e-15 <= tick <= high * (1 + 1e-9) for tick in scale.ticks)

    @pytest.mark.parametrize(("low", "high"), [(1e-9, 1.0), (1.0, 4.0), (10.0, 2000.0)])
    def test_logarithmic_ticks_are_inside(self, low: float, high: float) -> None:
        scale = Scale(Axis("x", low=low, high=high, log=True), [], 0, 900, 8)
        assert 2 <= len(scale.ticks) <= 10
        assert all(low <= tick <= high for tick in scale.ticks)
