"""Pictures: the data in their artists, labels that do not overlap, contrasts, and one showing in a notebook."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from queue import Empty

import matplotlib
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import socketlab.measure
from socketlab.measure import Picture, Span, Timing, distribution, figure, lanes

STYLE = Path(socketlab.measure.__file__).with_name("socketlab.mplstyle")


def timing(p50, n=200, label="", tail=1.0, seed=0):
    draw = random.Random(seed)
    return Timing(tuple(p50 * draw.lognormvariate(0, 0.1) * (tail if i % 40 == 0 else 1) for i in range(n)), label)


FAST, SLOW = timing(21e-6, label="one CPU", tail=9), timing(112e-6, label="two CPUs", seed=1)
BURST = [Span("server", f"call {i}()", i * 1e-5, i * 1e-5 + 5e-6) for i in range(30)]
TALK = [
    Span("server", "accept()", 0.0, 0.030, 0.0299),
    Span("client", "connect()", 0.0298, 0.0301, 0.0001),
    Span("client", "sendall()", 0.0302, 0.03021),
    Span("client", "recv(1024)", 0.0303, 0.0805, True),
    Span("server", "recv(1024)", 0.0301, 0.0303, True),
    Span("server", "sendall()", 0.0803, 0.08035),
    Span("client", "close()", 0.0806, 0.0807),
]


def talk(seed):
    """Calls of three threads at random times, many of them close together."""
    draw, spans = random.Random(seed), []
    for lane in ("listener", "client", "server"):
        now = 0.0
        for i in range(draw.randrange(1, 12)):
            start = now + draw.choice((0, 1e-6, 1e-3, 2e-2))
            now = start + draw.choice((0, 1e-6, 1e-3, 5e-2))
            label = draw.choice(("recv(1024)", "close()", "setsockopt(SO_REUSEADDR)", "x"))
            spans.append(Span(lane, f"{label}{i}", start, now, draw.random() * (now - start)))
    return spans


PICTURES = {
    "ecdf": lambda: distribution(FAST, title="Half of the round trips take 21 µs"),
    "ecdf of six": lambda: distribution(*(timing(10e-6 * i, label=f"{i} B", seed=i) for i in range(1, 7)), title="Six"),
    "ecdf, linear": lambda: distribution(SLOW, title="Two CPUs"),
    "ecdf of equal samples": lambda: distribution(Timing((0.001,) * 5), title="Equal"),
    "histogram": lambda: distribution(SLOW, kind="histogram", title="Most take 112 µs"),
    "histogram of two": lambda: distribution(FAST, SLOW, kind="histogram", title="One CPU is faster"),
    "histogram of zeros": lambda: distribution(Timing((0.0,) * 5), kind="histogram", title="Nothing"),
    "lanes": lambda: lanes(TALK, title="accept() and recv() wait"),
    "one lane": lambda: lanes(TALK[1:2], title="Connecting"),
    "burst": lambda: lanes(BURST, title="A burst"),
    "two axes": lambda: two_axes(),
    **{f"lanes {seed}": lambda seed=seed: lanes(talk(seed), title="At random") for seed in range(12)},
}


def two_axes():
    picture = figure(columns=2)
    distribution(FAST, title="One CPU", ax=picture.axes[0])
    distribution(SLOW, title="Two CPUs", kind="histogram", ax=picture.axes[1])
    return picture


def texts(picture) -> dict[str, Bbox]:
    """Every text that can be seen, and its box in pixels."""
    picture.draw_without_rendering()
    seen = {}
    for text in picture.findobj(Text):
        ticks = [t for ax in picture.axes for axis in (ax.xaxis, ax.yaxis) for t in axis.get_major_ticks()]
        owner = next((t for t in ticks if text in (t.label1, t.label2)), None)
        if owner is not None:
            low, high = sorted(owner.axes.get_xlim() if owner in owner.axes.xaxis.majorTicks else owner.axes.get_ylim())
            if not low <= owner.get_loc() <= high:
                continue  # matplotlib keeps ticks outside of the view and does not draw them
        if text.get_visible() and text.get_text().strip():
            seen[f"{text.get_text()} #{len(seen)}"] = text.get_window_extent()
    return seen


@pytest.mark.parametrize("name", PICTURES)
class TestLayout:
    @pytest.mark.filterwarnings("error")
    def test_no_text_overlaps_another_or_leaves_the_picture(self, name):
        picture = PICTURES[name]()
        seen = texts(picture)
        assert len(seen) >= 4
        for (a, box), (b, other) in itertools.combinations(seen.items(), 2):
            shared = Bbox.intersection(box, other)
            assert shared is None or min(shared.width, shared.height) < 1, f"{a} and {b} overlap"
        for label, box in seen.items():
            assert min(box.x0, box.y0, picture.bbox.x1 - box.x1, picture.bbox.y1 - box.y1) >= 0, label

    def test_png_at_the_size_that_the_repr_says(self, name):
        picture = PICTURES[name]()
        data, metadata = picture._repr_mimebundle_()
        size = re.fullmatch(r"<Picture size (\d+)x(\d+) with \d Axes>", data["text/plain"])
        assert size
        assert metadata == {"image/png": {"width": int(size[1]), "height": int(size[2])}}
        png = picture.png(1)
        assert png.startswith(b"\x89PNG")
        assert tuple(int.from_bytes(png[at : at + 4], "big") for at in (16, 20)) == (int(size[1]), int(size[2]))


class TestDistribution:
    def test_ecdf_draws_every_sample(self):
        (ax,) = distribution(FAST, SLOW).axes
        for line, t in zip((ax.lines[0], ax.lines[3]), (FAST, SLOW), strict=True):
            x, y = t.ecdf()
            assert tuple(line.get_xdata()) == (x[0], *x)
            assert tuple(line.get_ydata()) == (0, *y)
            assert line.get_drawstyle() == "steps-post"

    def test_ecdf_marks_p50_and_p99(self):
        (ax,) = distribution(FAST).axes
        marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 1]
        assert marks == [(FAST.p50, 0.5), (FAST.p99, 0.99)]
        ax.figure.draw_without_rendering()
        ticks = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
        assert "p50" in ticks[0.5]
        assert "p99" in ticks[0.99]

    def test_histogram_counts_every_sample(self):
        (ax,) = distribution(FAST, SLOW, kind="histogram").axes
        for patch, t in zip(ax.patches, (FAST, SLOW), strict=True):
            steps = patch.get_xy()
            heights = steps[1 : len(steps) // 2 + 1 : 2, 1]
            assert sum(heights) == len(t)

    def test_histogram_marks_p50_and_p99(self):
        (ax,) = distribution(FAST, SLOW, kind="histogram").axes
        at = [line.get_segments()[0][0][0] for line in ax.collections]
        assert at == pytest.approx([FAST.p50, FAST.p99, SLOW.p50, SLOW.p99])
        assert [t.get_text() for t in ax.texts] == ["p50", "p99"] * 2

    @pytest.mark.parametrize("kind", ["ecdf", "histogram"])
    def test_legend_tells_label_and_percentiles(self, kind):
        (ax,) = distribution(Timing((0.001,) * 99 + (0.002, 0.003), "connect"), kind=kind).axes
        (row,) = ax.get_legend().get_texts()
        assert row.get_text() == "connect   p50 1 ms   p99 2 ms   101 samples"

    def test_few_samples_are_owned_up_to(self):
        (ax,) = distribution(Timing((0.001,) * 10)).axes
        assert "10 samples: p99 is the slowest" in ax.get_legend().get_texts()[0].get_text()

    @pytest.mark.parametrize("kind", ["ecdf", "histogram"])
    def test_log_axis_where_the_data_ask_for_it(self, kind):
        for spread, scale in ((19, "linear"), (21, "log")):
            (ax,) = distribution(Timing((1e-5, spread * 1e-5)), kind=kind).axes
            assert ax.get_xscale() == scale
            ax.figure.draw_without_rendering()
            unit = ax.get_xlabel() if scale == "linear" else ax.get_xticklabels()[-1].get_text()
            assert re.search("µs|ms", unit)

    def test_zero_cannot_stand_on_a_log_axis(self):
        (ax,) = distribution(Timing((0.0, 1e-6, 1.0))).axes
        assert ax.get_xscale() == "linear"

    def test_linear_axis_shows_data_in_the_unit_of_its_label(self):
        (ax,) = distribution(Timing((0.001, 0.002, 0.003)), xlabel="round trip").axes
        ax.figure.draw_without_rendering()
        assert ax.get_xlabel() == "round trip (ms)"
        for x, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True):
            assert float(label.get_text()) == pytest.approx(x * 1000)

    @pytest.mark.parametrize("kind", ["ecdf", "histogram"])
    def test_series_differ_by_more_than_colour(self, kind):
        (ax,) = distribution(*(timing(1e-3 * i, seed=i) for i in range(1, 7)), kind=kind).axes
        if kind == "ecdf":
            marks = [(line.get_linestyle(), line._dash_pattern) for line in ax.lines[::3]]
        else:
            marks = [patch.get_hatch() or "" for patch in ax.patches]
        assert len(marks) == 6
        assert all(a != b for a, b in itertools.combinations(marks, 2))

    def test_own_axes(self):
        picture = figure(columns=2)
        assert distribution(FAST, ax=picture.axes[1]) is picture.axes[1]
        assert not picture.axes[0].lines

    @pytest.mark.parametrize("n", [0, 7])
    def test_how_many(self, n):
        with pytest.raises(ValueError, match=f"1 to 6 timings, but got {n}"):
            distribution(*[FAST] * n)

    def test_unknown_kind(self):
        with pytest.raises(ValueError, match="'ecdf' or 'histogram', but got 'violin'"):
            distribution(FAST, kind="violin")


def bars(ax):
    """(lane, start, end, hatched) of every bar, in the order drawn."""
    names = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
    found = []
    for bar in ax.collections:
        if isinstance(bar, PolyCollection):
            (path,) = bar.get_paths()
            box = path.get_extents()
            found.append((names[(box.y0 + box.y1) / 2], box.x0, box.x1, bool(bar.get_hatch())))
    return found


class TestLanes:
    def test_a_bar_per_call_blocked_before_working(self):
        (ax,) = lanes(
            [Span("a", "f()", 10.0, 10.5, 0.2), Span("b", "g()", 11, 12), Span("b", "h()", 12, 13, True)]
        ).axes
        assert bars(ax) == [
            ("a", 0, pytest.approx(0.2), True),
            ("a", pytest.approx(0.2), pytest.approx(0.5), False),
            ("b", 1, 2, False),
            ("b", 2, 3, True),
        ]

    def test_lanes_in_order_of_appearance_from_the_top(self):
        (ax,) = lanes(TALK).axes
        assert [t.get_text() for t in ax.get_yticklabels()] == ["server", "client"]
        assert ax.yaxis_inverted()

    def test_every_call_is_labelled_or_counted(self):
        for seed in range(12):
            spans = talk(seed)
            (ax,) = lanes(spans).axes
            words = [t.get_text() for t in ax.texts]
            told = sum(int(m[1]) if (m := re.search(r"\((\d+) calls\)$", w)) else 1 + w.count(", ") for w in words)
            assert told == len(spans)

    def test_a_label_stands_at_its_call(self):
        (ax,) = lanes(TALK).axes
        origin, pixel = min(s.start for s in TALK), ax.get_xlim()[1] / ax.get_window_extent().width
        starts = {t.get_text(): t.get_position()[0] for t in ax.texts}
        assert starts["accept()"] == pytest.approx(0, abs=6 * pixel)
        assert starts["close()"] == pytest.approx(0.0806 - origin, abs=6 * pixel)

    @pytest.mark.parametrize("seed", range(12))
    def test_no_line_crosses_a_label(self, seed):
        picture = lanes(talk(seed))
        picture.draw_without_rendering()
        (ax,) = picture.axes
        boxes = [(t.get_text(), t.get_window_extent().shrunk(0.98, 0.9)) for t in ax.texts]
        for lines in ax.collections:
            if isinstance(lines, LineCollection):
                (segment,) = lines.get_segments()
                (x, y0), (_, y1) = ax.transData.transform(segment)
                for label, box in boxes:
                    assert not (box.x0 < x < box.x1 and min(y0, y1) < box.y1 and max(y0, y1) > box.y0), label

    def test_size_does_not_depend_on_times(self):
        calls = [("a", "f()"), ("a", "g()"), ("b", "h()"), ("a", "i()")]
        sizes = set()
        for seed in range(5):
            draw = random.Random(seed)
            starts = [10 ** draw.uniform(-6, 1) for _ in calls]
            spans = [Span(*call, start, start + draw.random()) for call, start in zip(calls, starts, strict=True)]
            sizes.add(repr(lanes(spans)))
        assert len(sizes) == 1

    def test_a_call_too_short_to_see_has_an_edge(self):
        (ax,) = lanes([Span("a", "f()", 0, 0), Span("a", "g()", 0, 1)]).axes
        assert len(bars(ax)) == 2
        assert all(bar.get_linewidth() > 0 for bar in ax.collections)

    def test_own_axes(self):
        picture = figure(rows=2, height=6)
        assert lanes(TALK, ax=picture.axes[1]) is picture.axes[1]

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="has any call returned yet"):
            lanes([])


def luminance(color) -> float:
    """Relative luminance (WCAG 2.2)."""
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def style():
    return matplotlib.rc_params_from_file(STYLE, use_default_template=False)


class TestStyle:
    @pytest.mark.parametrize("paper", ["figure.facecolor", "axes.facecolor"])
    def test_contrast_on_its_own_paper(self, style, paper):
        for name in ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor"):
            assert contrast(style[name], style[paper]) >= 7, name
        for name in ("axes.edgecolor", "xtick.color", "ytick.color"):
            assert contrast(style[name], style[paper]) >= 3, name
        for series in style["axes.prop_cycle"]:
            assert contrast(series["color"], style[paper]) >= 3, series

    def test_why_the_paper_is_needed(self):
        """No grey reaches 4.5:1 on white and on JupyterLab's dark background at once."""
        greys = [(i / 255,) * 3 for i in range(256)]
        assert max(min(contrast(grey, "white"), contrast(grey, "#111111")) for grey in greys) < 4.5

    def test_every_text_is_drawn_in_a_dark_colour_on_opaque_paper(self):
        for name in ("ecdf", "histogram of two", "lanes"):
            picture = PICTURES[name]()
            picture.draw_without_rendering()
            assert picture.get_facecolor()[3] == 1
            for text in picture.findobj(Text):
                if text.get_text().strip():
                    assert contrast(text.get_color(), picture.get_facecolor()) >= 7, text.get_text()

    def test_ticks_made_later_keep_the_style(self):
        (ax,) = figure().axes
        with matplotlib.rc_context({"xtick.labelcolor": "red"}):
            assert {t.get_color() for t in ax.get_xticklabels()} == {"#3a424b"}

    def test_pyplot_can_use_it_by_name(self):
        import matplotlib.style

        with matplotlib.style.context("socketlab.measure.socketlab"):
            assert tuple(matplotlib.rcParams["figure.figsize"]) == (7.5, 3.0)

    def test_settings_are_left_alone(self):
        before = dict(matplotlib.rcParams)
        for draw in PICTURES.values():
            draw().png(1)
        assert dict(matplotlib.rcParams) == before

    def test_no_pyplot_and_no_open_figures(self):
        program = """if True:
            import sys
            from socketlab.measure import Timing, distribution
            for _ in range(25):
                distribution(Timing((1.0, 2.0))).png()
            print("matplotlib.pyplot" in sys.modules)
        """
        done = subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", program], capture_output=True, text=True, timeout=60
        )
        assert (done.stdout, done.stderr) == ("False\n", "")

    def test_a_picture_is_a_figure(self):
        assert isinstance(figure(), Figure)
        assert repr(figure(columns=2)) == "<Picture size 750x300 with 2 Axes>"
        assert type(figure()) is Picture


@pytest.fixture(scope="module")
def run():
    """Run a cell; return what it showed, as (message type, content). An interrupt follows the stream "now"."""
    manager_of = pytest.importorskip("jupyter_client.manager")
    environment = {k: v for k, v in os.environ.items() if k != "SOCKETLAB_QUIET"}
    manager, client = manager_of.start_new_kernel(env=environment)

    def run(code):
        sent, shown = client.execute(code), []
        while True:
            try:
                message = client.get_iopub_msg(timeout=60)
            except Empty:
                raise AssertionError(f"no answer from the kernel; so far {shown}") from None
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return shown
            if kind == "stream" and "now" in content["text"]:
                manager.interrupt_kernel()
            if kind in ("stream", "display_data", "update_display_data", "execute_result", "error"):
                shown.append((kind, content))

    run("import time\nfrom socketlab.measure import *\nt = Timing((0.001, 0.002))")
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


class TestInANotebook:
    """What a person's cell shows, in a real kernel."""

    def test_a_picture_at_the_end_shows_once(self, run):
        for setup in ("", "%matplotlib inline\nimport matplotlib.pyplot as plt\n"):
            ((kind, content),) = run(f"{setup}distribution(t)")
            assert kind == "execute_result"
            assert content["data"]["text/plain"] == "<Picture size 750x300 with 1 Axes>"
            assert content["data"].keys() == {"image/png", "text/plain"}
            assert content["metadata"] == {"image/png": {"width": 750, "height": 300}}

    def test_an_assignment_shows_nothing(self, run):
        assert run("picture = distribution(t)") == []
        assert [kind for kind, _ in run("picture")] == ["execute_result"]

    def test_a_short_measurement_shows_no_bar(self, run):
        assert run("x = measure(lambda: None)") == []

    def test_a_long_measurement_shows_a_bar_that_disappears(self, run):
        (first, bar), (last, gone) = run("x = measure(lambda: time.sleep(0.05), rounds=30, warmup=0, label='naps')")
        assert (first, last) == ("display_data", "update_display_data")
        assert "application/vnd.jupyter.widget-view+json" in bar["data"]
        assert gone["data"] == {"text/plain": ""}
        assert gone["transient"]["display_id"] == bar["transient"]["display_id"]

    def test_no_bar_where_it_should_be_quiet(self, run):
        quiet = "import os; os.environ['SOCKETLAB_QUIET'] = '1'\n"
        try:
            assert run(quiet + "x = measure(lambda: time.sleep(0.05), rounds=25, warmup=0)") == []
        finally:
            run("del os.environ['SOCKETLAB_QUIET']")

    def test_an_interrupt_ends_it_and_the_bar(self, run):
        *_, (kind, error) = shown = run(
            "began = time.monotonic()\n"
            "def nap():\n    time.sleep(0.05)\n    if time.monotonic() - began > 1.4: print('now', flush=True)\n"
            "measure(nap, rounds=10**6)"
        )
        assert (kind, error["ename"]) == ("error", "KeyboardInterrupt")
        assert "update_display_data" in [kind for kind, _ in shown]
