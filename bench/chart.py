"""One bar chart as SVG, with nothing but text. Not for: anything interactive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH: Final = 760
LABEL_WIDTH: Final = 250
BAR_HEIGHT: Final = 16
GAP: Final = 5
HEAD: Final = 34
VALUE_WIDTH: Final = 90
OURS: Final = "#b5362c"
OTHER: Final = "#5b7083"


class Bar(NamedTuple):
    label: str
    value: float
    ours: bool


class Panel(NamedTuple):
    """Bars under one title, longest first."""

    title: str
    bars: Sequence[Bar]


def chart(panels: Sequence[Panel]) -> str:
    """The panels below each other, each with its own scale."""
    parts, top = list[str](), 0
    for panel in panels:
        parts += _panel(panel, top)
        top += HEAD + len(panel.bars) * (BAR_HEIGHT + GAP) + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *parts, "</svg>", ""])


def _panel(panel: Panel, top: int) -> list[str]:
    most = max((bar.value for bar in panel.bars), default=1.0) or 1.0
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    parts = [f'<text x="8" y="{top + 22}" font-size="14" font-weight="bold">{escape(panel.title)}</text>']
    for number, bar in enumerate(sorted(panel.bars, key=lambda bar: -bar.value)):
        y = top + HEAD + number * (BAR_HEIGHT + GAP)
        width = max(1.0, bar.value / most * room)
        weight = ' font-weight="bold"' if bar.ours else ""
        text = y + BAR_HEIGHT - 4
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{text}" text-anchor="end"{weight}>{escape(bar.label)}</text>',
            (
                f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" '
                f'fill="{OURS if bar.ours else OTHER}"/>'
            ),
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{text}"{weight}>{bar.value:,.0f}</text>',
        ]
    return parts
