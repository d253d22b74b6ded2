"""Any chart becomes a picture of the promised size, quickly, and several may be drawn at once."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.core.diagnosis import Chart, Series
from bot.edges import charts

NOW = 1_900_000_000.0


def chart(*series: Series, **more: Any) -> Chart:
    return Chart.model_validate({"title": "Logins", "unit": "logins", "alt": "a chart", "series": series, **more})


def line(*values: float | None, name: str = "jwt failed", bad: bool = False, every: float = 300) -> Series:
    return Series(name=name, bad=bad, points=tuple((NOW + n * every, value) for n, value in enumerate(values)))


def opened(picture: bytes) -> Image.Image:
    return Image.open(BytesIO(picture)).convert("RGB")


def columns(picture: bytes, wanted: str) -> set[int]:
    """The x of the plot's pixels in about this colour."""
    plot = numpy.asarray(opened(picture)).astype(int)[150:450, 90:]
    colour = [int(wanted[n : n + 2], 16) for n in (1, 3, 5)]
    return set(numpy.flatnonzero((abs(plot - colour).max(axis=2) < 24).any(axis=0)).tolist())


NUMBERS = st.sampled_from([None, 0.0, 1.0, -3.5, 1e-300, 1e308, -1e308, float("nan"), float("inf")]) | st.floats(0, 500)
TIMES = st.sampled_from([NOW, NOW + 60, NOW + 1e6, 0.0, -1.0, 1e300, float("nan"), float("inf")])
WORDS = st.sampled_from(["jwt failed", "$\\frac{", "_hidden", "漢字🐝", "\u202ex", "<!channel>", "", "x" * 3000])


@settings(max_examples=settings.default.max_examples // 10, deadline=None)
@given(
    st.lists(
        st.builds(
            Series,
            name=WORDS,
            bad=st.booleans(),
            points=st.lists(st.tuples(TIMES, NUMBERS), max_size=8).map(tuple),
        ),
        max_size=9,
    ),
    WORDS,
    st.none() | TIMES,
    st.none() | NUMBERS,
    st.booleans(),
)
@example([], "jwt failed", None, -3.5, False)
@example([line(5e-324)], "jwt failed", None, None, False)
def test_any_chart_is_drawn(
    series: list[Series], words: str, begins: float | None, threshold: float | None, dark: bool
) -> None:
    """No points, no numbers, endless numbers, times out of the calendar, formulas: still a picture of 900 by 520."""
    made = chart(*series, title=words, unit=words, begins=begins, threshold=threshold)
    picture = charts.png(made, dark=dark)
    assert opened(picture).size == (900, 520)
    assert len(picture) < 300_000


def test_a_gap_is_a_gap() -> None:
    """Where nothing is known no line is drawn, and what works is not drawn as what fails."""
    whole = charts.png(chart(line(*[10.0] * 21, bad=True)))
    torn = charts.png(chart(line(*[10.0] * 7, *[None] * 7, *[10.0] * 7, bad=True)))
    colour = charts.LIGHT.bad[0]
    assert len(columns(whole, colour)) > 700
    assert len(columns(torn, colour)) < 500
    assert not columns(whole, charts.LIGHT.good[0])


def test_a_point_alone_is_seen() -> None:
    """One value between gaps has no line; it has a mark."""
    lonely = charts.png(chart(line(None, None, None, 10.0, None, *[None] * 60, bad=True)))
    assert columns(lonely, charts.LIGHT.bad[0])


def test_a_line_differs_from_another_without_its_colour() -> None:
    """In grey, what works (broken, round marks) and what fails (solid, crosses) are still two pictures."""
    grey = [
        opened(charts.png(chart(line(*[10.0] * 21, name="x", bad=bad)))).convert("L").point(lambda v: 255 * (v > 200))
        for bad in (True, False)
    ]
    dark = [image.histogram()[0] for image in grey]
    assert grey[0].tobytes() != grey[1].tobytes()
    assert dark[1] < 0.97 * dark[0]


def test_the_beginning_and_the_threshold_are_marked() -> None:
    """Each changes the picture; without them there is no grey line."""
    plain = charts.png(chart(line(*[10.0] * 21, bad=True)))
    begun = charts.png(chart(line(*[10.0] * 21, bad=True), begins=NOW + 3000))
    assert len({plain, begun}) == 2
    for threshold in (5.0, -5.0):
        limit = charts.png(chart(line(*[10.0] * 21, bad=True), threshold=threshold))
        assert len(columns(limit, charts.LIGHT.mark)) > len(columns(plain, charts.LIGHT.mark)) + 200


@pytest.mark.parametrize("dark", [False, True])
def test_the_background_is_its_own(dark: bool) -> None:
    """Opaque, so that the letters can be read whatever stands behind the picture."""
    picture = charts.png(chart(line(1.0, 2.0)), dark=dark)
    assert Image.open(BytesIO(picture)).getextrema()[-1] == (255, 255) or opened(picture).mode == "RGB"
    corner = opened(picture).getpixel((2, 2))
    assert isinstance(corner, tuple)
    assert (sum(corner) < 150) is dark


def test_several_are_drawn_at_once() -> None:
    """Eight threads get what one gets."""
    wanted = chart(line(*range(30), bad=True), line(*range(30, 0, -1), name="ok"), begins=NOW + 900, threshold=9)
    alone = charts.png(wanted)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(charts.png, [wanted] * 9)) == {alone}


@pytest.mark.slow  # so much of it takes its time
def test_many_points_take_little_time() -> None:
    """A hundred thousand points per line are drawn within seconds of the processor's time, and their one peak is still there."""
    flat = [0.0] * 100_000
    flat[33_333] = 100.0
    begun = time.thread_time()
    picture = charts.png(chart(line(*flat, bad=True, every=1), *[line(*flat, every=1, name=f"{n}") for n in range(5)]))
    assert time.thread_time() - begun < 8
    assert columns(picture, charts.LIGHT.bad[0])


def test_the_library_is_loaded_when_it_is_used_first() -> None:
    """Importing the module does not import matplotlib: a bot without incidents stays small."""
    code = "import sys, bot.edges.slack, bot.edges.messenger; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
