"""Charts as PNG: a value (bot.core.diagnosis.Chart) in, 900 by 520 pixels out.

Drawn for a phone: big letters, few ticks, no colour that carries a meaning alone. What fails is a solid line with
crosses, what works a broken line with round marks. The background is opaque, so that the letters can be read wherever
the picture is shown.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any

from bot.core.diagnosis import Chart, Series
from bot.edges.text import clean, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

WIDTH, HEIGHT, DPI = 900, 520, 100
LINES, POINTS = 6, 1500  # drawn at most; of more points, neighbours are joined
_LAST = 32503680000.0  # the year 3000
_MOST, _LEAST = 1e15, 1e-12
_TICKS = (1, 5, 15, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000)
_DRAWING = threading.Lock()  # matplotlib does not promise to draw two pictures at once

Points = list[tuple[float, float | None]]


@dataclass(frozen=True)
class _Look:
    """Colours (after Okabe and Ito, which people who see few colours can tell apart)."""

    paper: str
    ink: str
    grid: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    mark: str


LIGHT = _Look("#ffffff", "#1d1c1d", "#d9d9d9", ("#c4420a", "#8a1f5c", "#7a4b00"), ("#0072b2", "#007a5a", "#56508f"),
               "#555555")  # fmt: skip
DARK = _Look("#1a1d21", "#f2f2f2", "#45484d", ("#ff9a5c", "#f08cc6", "#ffd166"), ("#7cc7ff", "#5fe0b7", "#c3b5ff"),
              "#b8b8b8")  # fmt: skip
_BAD_MARKS, _GOOD_MARKS = ("X", "P", "v"), ("o", "s", "D")
_GOOD_DASHES: tuple[Any, ...] = ((0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)))


def png(chart: Chart, *, dark: bool = False) -> bytes:
    """The picture. Any chart gives one: what cannot be drawn (no points, no numbers) is said in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    look = DARK if dark else LIGHT
    with _DRAWING:
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=look.paper)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.095, 0.13, 0.875, 0.60))
        _frame(axes, look)
        _write(figure.text, (0.03, 0.95), chart.title, 52, colour=look.ink, size=18, bold=True, va="center")
        drawn = _lines(axes, chart, look)
        _scales(axes, chart, drawn, look)
        _legend(axes, chart, look)
        made = BytesIO()
        figure.savefig(made, format="png", facecolor=look.paper, metadata={"Software": None})
    return made.getvalue()


def _frame(axes: Axes, look: _Look) -> None:
    axes.set_facecolor(look.paper)
    axes.grid(visible=True, axis="y", color=look.grid, linewidth=1)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(look.grid)
    axes.tick_params(length=0, pad=6)


def _shown(chart: Chart) -> tuple[Series, ...]:
    """What fails first, for the lines that are left out and for the legend."""
    return tuple(sorted(chart.series, key=lambda one: not one.bad))[:LINES]


def _lines(axes: Axes, chart: Chart, look: _Look) -> list[Points]:
    bad = cycle(zip(look.bad, _BAD_MARKS, strict=True))
    good = cycle(zip(look.good, _GOOD_MARKS, _GOOD_DASHES, strict=True))
    drawn = []
    for series in _shown(chart):
        points = _points(series)
        at = [when for when, _ in points]
        values = [math.nan if value is None else value for _, value in points]
        if series.bad:
            colour, mark = next(bad)
            dashes, width = "-", 3.5
        else:
            colour, mark, dashes = next(good)
            width = 2.8
        axes.plot(at, values, color=colour, linestyle=dashes, linewidth=width, marker=mark, markersize=9,
                  markeredgecolor=look.paper, markevery=_marked(points), zorder=4 if series.bad else 3)  # fmt: skip
        drawn.append(points)
    return drawn


def _points(series: Series) -> Points:
    """In order of time, without what is no time; a value that is no number is a gap."""
    usable = [(at, _number(value)) for at, value in series.points if math.isfinite(at) and 0 <= at < _LAST]
    usable.sort(key=lambda point: point[0])
    size = -(-len(usable) // POINTS)
    return usable if size <= 1 else [_joined(usable[n : n + size]) for n in range(0, len(usable), size)]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else max(-_MOST, min(_MOST, value))


def _joined(points: Points) -> tuple[float, float | None]:
    """Several neighbours as one: the greatest, because peaks are what people look for."""
    return points[0][0], max((value for _, value in points if value is not None), default=None)


def _marked(points: Points) -> list[int]:
    """The points with a mark: a dozen, and each that stands alone between gaps, where there is no line to see."""
    there = [value is not None for _, value in points]
    every = max(1, len(points) // 12)
    alone = [
        n for n, is_there in enumerate(there) if is_there and not any(there[max(0, n - 1) : n] + there[n + 1 : n + 2])
    ]
    return sorted({*range(0, len(points), every), *alone})


def _scales(axes: Axes, chart: Chart, drawn: list[Points], look: _Look) -> None:
    values = [value for points in drawn for _, value in points if value is not None]
    times = [at for points in drawn for at, _ in points]
    if not values:
        _write(axes.text, (0.5, 0.5), "No data in this time", 60, colour=look.ink, size=20, ha="center", va="center",
               transform=axes.transAxes)  # fmt: skip
    begins = chart.begins if chart.begins is not None and 0 <= chart.begins < _LAST else None
    threshold = _number(chart.threshold)
    reached = [*values, threshold or 0.0, 0.0]  # a count is judged by its distance from nothing
    _values_axis(axes, min(reached), max(reached), look)
    _times_axis(axes, [*times, *([begins] if begins is not None else [])], look)
    if threshold is not None:
        axes.axhline(threshold, color=look.mark, linewidth=2, linestyle=(0, (2, 2)), zorder=2)
        _note(axes, (0.995, threshold), f"threshold {_short(threshold)}", look, ha="right",
              transform=axes.get_yaxis_transform())  # fmt: skip
    if begins is not None:
        _begin(axes, begins, look)
    _write(axes.text, (0, 1.02), chart.unit, 40, colour=look.mark, size=14, transform=axes.transAxes, va="bottom")


def _begin(axes: Axes, begins: float, look: _Look) -> None:
    """Where the incident began; the words stand on the side with room for them."""
    axes.axvline(begins, color=look.mark, linewidth=2.5, linestyle="-.", zorder=2)
    first, last = axes.get_xlim()
    right = begins > first + 0.7 * (last - first)
    word = f" began {_clock(begins, '%H:%M')} UTC "
    _note(axes, (begins, 1.0), word, look, ha="right" if right else "left", va="top",
          transform=axes.get_xaxis_transform())  # fmt: skip


def _values_axis(axes: Axes, low: float, high: float, look: _Look) -> None:
    room = high - low if high - low > _LEAST else 1.0
    axes.set_ylim(low - 0.025 * room, high + 0.22 * room)
    step = _step(room / 4)
    first = math.floor(low / step)
    ticks = [n * step for n in range(first, first + 8) if low - step / 2 < n * step <= high + 0.15 * room]
    axes.set_yticks(ticks)
    _tick_words(axes.yaxis, [_short(tick) for tick in ticks], look)


def _step(about: float) -> float:
    """A round number of at least so much: 1, 2 or 5 times a power of ten; counts have no halves."""
    power = 10.0 ** math.floor(math.log10(about))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about * 0.999)
    return max(step, 1.0) if about > 0.2 else step


def _times_axis(axes: Axes, times: list[float], look: _Look) -> None:
    if not times:
        axes.set_xticks([])
        return
    first, last = min(times), max(*times, min(times) + 300)
    edge = (last - first) * 0.02
    axes.set_xlim(first - edge, last + edge)
    step = next((one for one in _TICKS if (last - first) / one <= 6), (last - first) / 6)
    begin = math.ceil((first - edge) / step)
    ticks = [n * step for n in range(begin, begin + 9) if first - edge <= n * step <= last + edge]
    axes.set_xticks(ticks)
    form = "%H:%M" if step < 43200 else "%d %b %Hh" if step < 86400 else "%d %b" if step < 2592000 else "%b %Y"
    _tick_words(axes.xaxis, [_clock(tick, form) for tick in ticks], look)


def _clock(at: float, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def _short(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _legend(axes: Axes, chart: Chart, look: _Look) -> None:
    lines = axes.get_lines()[: len(_shown(chart))]
    if not lines:
        return
    legend = axes.legend(lines, ["x"] * len(lines), loc="lower left", bbox_to_anchor=(0.0, 1.07, 1.0, 0.1), ncols=2,
                         mode="expand" if len(lines) > 1 else None, frameon=False, borderaxespad=0, handlelength=2.6,
                         labelspacing=0.15, prop=_font(bold=False, size=15 if len(lines) < 5 else 12))  # fmt: skip
    more = len(chart.series) - len(lines)
    for n, (text, series) in enumerate(zip(legend.get_texts(), _shown(chart), strict=True)):
        last = f" and {more} more" if more and n == len(lines) - 1 else ""
        text.set_parse_math(False)
        text.set_text(_drawable(plain(series.name, 26 - len(last)) + last))
        text.set_color(look.ink)


def _note(axes: Axes, at: tuple[float, float], words: str, look: _Look, **more: Any) -> None:
    """Small words at a line, on paper of their own so that no line runs through them."""
    box = {"facecolor": look.paper, "edgecolor": "none", "pad": 0.5, "alpha": 0.75}
    _write(axes.text, at, words, 40, colour=look.ink, size=14, bbox=box, zorder=5, **{"va": "bottom", **more})


def _write(into: Any, at: tuple[float, float], words: str, limit: int, *, colour: str, size: float, bold: bool = False,
           **more: Any) -> None:  # fmt: skip
    """Foreign words: a dollar in them begins no formula."""
    into(*at, _drawable(plain(words, limit)), color=colour, fontproperties=_font(bold=bold, size=size),
         parse_math=False, **more)  # fmt: skip


def _tick_words(axis: Any, words: list[str], look: _Look) -> None:
    axis.set_ticklabels(words, fontproperties=_font(bold=False, size=15), color=look.ink, parse_math=False)


@cache
def _font(*, bold: bool, size: float) -> FontProperties:
    """DejaVu by its file, which comes with matplotlib: no search through the machine's fonts."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FontProperties(fname=f"{get_data_path()}/fonts/ttf/{name}", size=size)


@cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import get_font

    file = _font(bold=True, size=10).get_file()
    assert isinstance(file, str)
    return frozenset(get_font(file).get_charmap())


def _drawable(words: str) -> str:
    """What the font has no letter for becomes a question mark."""
    return clean("".join(c if ord(c) in _letters() else "?" for c in words), 200)
