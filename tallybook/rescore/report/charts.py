"""Draws the charts of a report as SVG: nothing is fetched, nothing runs, and each says what it shows.

pygal makes them. What it adds for browsers is taken out again: scripts, tooltips, the date, ids that would stand twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

import pygal
from pygal.etree import etree
from pygal.style import Style

from tallybook.rescore.report.figures import Bar, Month, SizeClass
from tallybook.rescore.report.sentences import minus, signed

# pygal adds a finder for maps to Python's own, of a form that Python 3.12 no longer knows; no map is drawn here.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
etree.to_etree()  # the same whether lxml is installed or not

WIDTH: Final = 460  # so that its letters can still be read on a telephone
ROW_HEIGHT: Final = 25
FRAME_HEIGHT: Final = 90  # the axis and the legend
COLUMNS_HEIGHT: Final = 320
MAX_VALUES_SHOWN: Final = 8  # above columns
MAX_TICKS_ACROSS: Final = 4
MAX_TICKS_UP: Final = 6
MAX_RULE_LABEL: Final = 20
MAX_VALUE: Final = 8  # characters beside a bar, such as −123,456
LETTER: Final = 8.2  # a letter's width at LETTER_SIZE; a digit of DejaVu Sans, which is a wide font, has 8.9
LETTER_SIZE: Final = 14
GAP: Final = 10
AXIS_WIDTH: Final = 50  # of columns: numbers and margins
ROOM_ABOVE: Final = 0.08  # of the height of columns
# Blue and orange differ for every kind of colour blindness; all of these have a contrast of 5 or more on white.
MORE_COLOUR: Final = "#1f5fa8"
LESS_COLOUR: Final = "#b34700"
SAME_COLOUR: Final = "#5b6470"
INK: Final = "#1b1f24"
GRID: Final = "#d5d9de"
PALE: Final = "#eceef1"
LEAST_DRAWN: Final = 250  # a side of columns whose highest is less than this part of the axis cannot be seen
LEFT_OUT: Final = frozenset({"script", "title", "desc"})
_UNITS: Final = ("", "k", "M", "G", "T", "P", "E", "Z")
_THOUSAND: Final = 1_000


class _Series(NamedTuple):
    """The bars of one colour, one for each label; None for no bar. Hollow ones have a dark line around them."""

    name: str
    colour: str
    values: Sequence[int | None]
    is_hollow: bool = False


def rules_chart(bars: Sequence[Bar], described: str) -> str:
    """Points more and less by rule: bars to the right and to the left of zero."""
    rows = list(reversed(bars))  # pygal draws the first one at the foot
    labels = [_short(bar.label) for bar in rows]
    return _rows("by-rule", "Points by rule", described, labels, _both_sides(rows))


def weeks_chart(bars: Sequence[Bar], described: str) -> str:
    """Points more and less by week: columns above and below zero, but for a side that could not be seen."""
    hidden = hidden_side(bars)
    sides = [each for each in _both_sides(bars) if each.name != hidden]
    return _columns("by-week", "Points by week", described, [bar.label for bar in bars], sides)


def hidden_side(bars: Sequence[Bar]) -> str:
    """The side, `less` or `more`, that has points but too few of them to be seen beside the other one; or ""."""
    up, down = max(bar.up for bar in bars), max(bar.down for bar in bars)
    for name, one, other in (("more", up, down), ("less", down, up)):
        if 0 < one * LEAST_DRAWN < one + other:
            return name
    return ""


def sizes_chart(classes: Sequence[SizeClass], described: str) -> str:
    """How many members lose or gain how much: a bar for each class."""
    rows = list(reversed(classes))
    series = [
        _Series(name, colour, [each.members or None if each.sign == sign else None for each in rows])
        for name, colour, sign in (
            ("lose", LESS_COLOUR, -1),
            ("same", SAME_COLOUR, 0),
            ("gain", MORE_COLOUR, 1),
        )
    ]
    labels = [each.label for each in rows]
    return _rows("by-size", "Members by size of change", described, labels, series, plus=False)


def months_chart(months: Sequence[Month], described: str) -> str:
    """Points that expire by month, before and after: two columns for each month."""
    series = [
        _Series("present rules", SAME_COLOUR, [month.before for month in months], is_hollow=True),
        _Series("draft", SAME_COLOUR, [month.after for month in months]),
    ]
    labels = [month.label for month in months]
    return _columns("by-month", "Points by month of expiry", described, labels, series, is_stacked=False)


def _both_sides(bars: Sequence[Bar]) -> list[_Series]:
    return [
        _Series("less", LESS_COLOUR, [-bar.down or None for bar in bars]),
        _Series("more", MORE_COLOUR, [bar.up or None for bar in bars]),
    ]


def _rows(
    name: str, title: str, described: str, labels: Sequence[str], series: Sequence[_Series], *, plus: bool = True
) -> str:
    """Draw bars that lie, each with its value beside its end."""
    shown = [each for each in series if any(each.values)]
    chart = _new(pygal.HorizontalStackedBar, name, shown, ROW_HEIGHT * len(labels) + FRAME_HEIGHT)
    chart.x_labels = list(labels)
    write = _writer(shown, plus=plus)
    chart.range, chart.y_labels = _axis(shown, MAX_TICKS_ACROSS, *_beside(shown, labels, write))
    chart.print_values, chart.print_values_position = True, "top"
    for each in shown:
        chart.add(each.name, each.values, formatter=write)
    return _finished(chart, name, title, described)


def _columns(
    name: str, title: str, described: str, labels: Sequence[str], series: Sequence[_Series], *, is_stacked: bool = True
) -> str:
    """Draw bars that stand; where there are many, only some have their label below.

    Stacked ones begin with the first label; those side by side end with the last, which may be `never`.
    """
    shown = [each for each in series if any(each.values)]
    chart = _new(pygal.StackedBar if is_stacked else pygal.Bar, name, shown, COLUMNS_HEIGHT)
    chart.x_labels = list(labels)
    step = ceil(len(labels) / ((WIDTH - AXIS_WIDTH) // _width(max(labels, key=len))))
    first = 0 if is_stacked else (len(labels) - 1) % step
    chart.x_labels_major, chart.show_minor_x_labels = list(labels[first::step]), False
    chart.range, chart.y_labels = _axis(shown, MAX_TICKS_UP, ROOM_ABOVE, ROOM_ABOVE)
    chart.print_values = len(labels) * len(shown) <= MAX_VALUES_SHOWN
    chart.print_values_position = "top"
    for each in shown:
        chart.add(each.name, each.values, formatter=_compact)
    return _finished(chart, name, title, described)


def _new(kind: type[Any], name: str, series: Sequence[_Series], height: int) -> Any:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=INK,
        foreground_strong=INK,
        foreground_subtle=INK,
        colors=tuple(each.colour for each in series),
        value_colors=(INK,) * len(series),
        font_family="inherit",
        label_font_size=LETTER_SIZE,
        major_label_font_size=LETTER_SIZE,
        legend_font_size=LETTER_SIZE,
        value_font_size=LETTER_SIZE,
        guide_stroke_color=GRID,
        major_guide_stroke_color=GRID,
        guide_stroke_dasharray="none",
        major_guide_stroke_dasharray="none",
        opacity="1",
        opacity_hover="1",
        stroke_opacity="1",
        transition="0s",
    )
    chart = kind(
        style=style,
        width=WIDTH,
        height=height,
        js=(),
        css=("file://style.css", "file://graph.css", *_hollow(name, series)),
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(series),
        legend_box_size=14,
        truncate_label=-1,
        value_formatter=_compact,
        margin=4,
        spacing=12,
        disable_xml_declaration=True,
    )
    chart.uuid = name
    return chart


def _hollow(name: str, series: Sequence[_Series]) -> list[str]:
    return [
        f"inline:#chart-{name} .color-{place} {{ fill: {PALE}; stroke: {each.colour}; stroke-width: 2 }}"
        for place, each in enumerate(series)
        if each.is_hollow
    ]


def _beside(
    series: Sequence[_Series], labels: Sequence[str], write: Callable[[int | None], str]
) -> tuple[float, float]:
    """How much room the values beside bars need on the left and on the right, as parts of the bars' whole length."""
    values = [value for each in series for value in each.values if value]
    left = max((_width(write(value)) for value in values if value < 0), default=0.0)
    right = max((_width(write(value)) for value in values if value > 0), default=0.0)
    for_bars = max(GAP, WIDTH - _width(max(labels, key=len)) - left - right - 2 * GAP)
    return left / for_bars, right / for_bars


def _width(text: str) -> float:
    return LETTER * len(text) + GAP


def _axis(
    series: Sequence[_Series], most_ticks: int, below: float, above: float
) -> tuple[tuple[float, float], list[int]]:
    """From where to where an axis goes, and the round numbers on it, zero among them.

    `below` and `above` say by which part of the bars' whole length it goes on behind them.
    """
    values = [value for each in series for value in each.values if value is not None]
    lowest, highest = min([0, *values]), max([0, *values])
    least = lowest - (highest - lowest) * below * (lowest < 0)
    greatest = highest + (highest - lowest) * above * (highest > 0)
    step = 1
    while (greatest - least) / step > most_ticks:
        step = _next_round(step)
    return (least, greatest), [number * step for number in range(ceil(least / step), floor(greatest / step) + 1)]


def _next_round(step: int) -> int:
    """1, 2, 5, 10, 20, 50, 100 ..."""
    return step * 5 // 2 if str(step).startswith("2") else step * 2


def _compact(value: float | None) -> str:
    """A number on an axis, such as `−1.5M`."""
    number, unit = float(value or 0), 0
    while abs(number) >= _THOUSAND and unit < len(_UNITS) - 1:
        number, unit = number / _THOUSAND, unit + 1
    return minus(f"{number:,.4g}{_UNITS[unit]}")


def _writer(series: Sequence[_Series], *, plus: bool) -> Callable[[int | None], str]:
    """How values stand beside bars: whole, or shortened where one would take the room of the bars."""

    def whole(value: int | None) -> str:
        return (signed(value) if plus else f"{value:,}") if value else ""

    def shortened(value: int | None) -> str:
        return f"{'+' if plus and value > 0 else ''}{_compact(value)}" if value else ""

    longest = max((len(whole(value)) for each in series for value in each.values), default=0)
    return whole if longest <= MAX_VALUE else shortened


def _short(label: str) -> str:
    return label if len(label) <= MAX_RULE_LABEL else f"{label[: MAX_RULE_LABEL - 1]}…"


def _finished(chart: Any, name: str, title: str, described: str) -> str:
    """Render a chart as an element of a page, with its title and description, and without what pygal adds."""
    root = chart.render_tree()
    _strip(root)
    if isinstance(chart, pygal.HorizontalStackedBar):
        for text in root.iter("text"):
            if "value" in text.get("class", "").split():  # beside the end of its bar, not across it
                text.set("text-anchor", "end" if (text.text or "").startswith("−") else "start")
    heading, description = ET.Element("title", id=f"{name}-title"), ET.Element("desc", id=f"{name}-desc")
    heading.text, description.text = title, described
    root[:0] = [heading, description]
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    return ET.tostring(root, "unicode")


def _strip(node: Any) -> None:
    """Take out comments, scripts, tooltips and their texts, and ids below the first element."""
    for child in list(node):
        is_element = isinstance(child.tag, str)
        if not is_element or child.tag in LEFT_OUT or "tooltip-overlay" in child.get("class", ""):
            node.remove(child)
        else:
            child.attrib.pop("id", None)
            _strip(child)
