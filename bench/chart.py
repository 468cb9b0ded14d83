"""One bar chart as SVG, with nothing but text. Not for: anything interactive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

WIDTH: Final = 760
LABEL_WIDTH: Final = 290
BAR_HEIGHT: Final = 16
GAP: Final = 5
HEAD: Final = 34
VALUE_WIDTH: Final = 120
OURS: Final = "#b5362c"
OTHER: Final = "#5b7083"
TEXT: Final = "#1f2328"
DECIMALS_BELOW: Final = 100


class Bar(NamedTuple):
    label: str
    value: float
    ours: bool


class Panel(NamedTuple):
    """Bars under one title, the best at the top. ``unit`` stands behind each value."""

    title: str
    unit: str
    less_is_better: bool
    bars: Sequence[Bar]


def chart(panels: Sequence[Panel]) -> str:
    """The panels below each other, each with its own scale from 0."""
    parts, top = list[str](), 0
    for panel in panels:
        parts += _panel(panel, top)
        top += HEAD + len(panel.bars) * (BAR_HEIGHT + GAP) + 2 * GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        f'font-family="sans-serif" font-size="12" fill="{TEXT}" role="img">'
    )
    about = "; ".join(panel.title for panel in panels)
    return "\n".join([
        head, f"<title>{escape(about)}</title>", f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *parts, "</svg>", "",
    ])  # fmt: skip


def _panel(panel: Panel, top: int) -> list[str]:
    most = max((bar.value for bar in panel.bars), default=1.0) or 1.0
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    parts = [f'<text x="8" y="{top + 22}" font-size="14" font-weight="bold">{escape(panel.title)}</text>']
    ranked = sorted(panel.bars, key=lambda bar: bar.value if panel.less_is_better else -bar.value)
    for number, bar in enumerate(ranked):
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
            f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{text}"{weight}>{_number(bar.value)} {escape(panel.unit)}</text>',
        ]
    return parts


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < DECIMALS_BELOW else f"{value:,.0f}"
