"""A chart of progress over time: a curve for each step, with axes in HTML so that they stay readable at any width."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ethora_async.cli.output import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ethora_async.cli.report_page.timeline import Lap, Point

COLOURS = 8
WIDTH, HEIGHT = 1000, 300


def chart(laps: Sequence[Lap], seconds: float) -> str:
    """Draw the steps of a run, or say that nothing was done."""
    drawn = [(number, lap) for number, lap in enumerate(laps) if lap.done]
    if not drawn:
        return '<p class="soft">Nothing was done that could be drawn.</p>'
    most = _round_up(max(lap.done for _, lap in drawn))
    end = max(seconds, *(lap.started + lap.seconds for _, lap in drawn), 0.001)
    curves = "".join(_curve(number, lap, most, end) for number, lap in drawn)
    failures = "".join(_failures(lap, most, end) for _, lap in drawn if lap.failed)
    lines = "".join(f'<path class="grid" d="M0 {y}H{WIDTH}"/>' for y in (0, HEIGHT // 2, HEIGHT))
    told = "; ".join(f"{lap.step} {lap.done:,}" for _, lap in drawn)
    label = escape(shown(f"Progress over {duration(end)}: {told}"))
    return (
        '<div class="chart"><div class="y">'
        f"<span>{most:,}</span><span>{most / 2:,.10g}</span><span>0</span></div>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f"{lines}{curves}{failures}</svg>"
        f'<div class="x"><span>0 s</span><span>{duration(end / 2)}</span><span>{duration(end)}</span></div></div>'
    )


def duration(seconds: float) -> str:
    """Format a duration for people."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _curve(number: int, lap: Lap, most: int, end: float) -> str:
    points = [_place(point, point.done, most, end) for point in lap.points]
    line = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    colour = f"c{number % COLOURS}"
    return (
        f'<path class="area {colour}" d="M{first:.1f} {HEIGHT}L{line} {last:.1f} {points[-1][1]:.1f}V{HEIGHT}Z"/>'
        f'<path class="line {colour}" d="M{line} {last:.1f} {points[-1][1]:.1f}"/>'
    )


def _failures(lap: Lap, most: int, end: float) -> str:
    line = " ".join(f"{x:.1f} {y:.1f}" for x, y in (_place(point, point.failed, most, end) for point in lap.points))
    return f'<path class="line failures" d="M{line}"/>'


def _place(point: Point, count: int, most: int, end: float) -> tuple[float, float]:
    return point.at / end * WIDTH, HEIGHT - count / most * HEIGHT


def _round_up(number: int) -> int:
    """Round up to a number with at most two non-zero digits."""
    step: int = 10 ** max(len(str(number)) - 2, 0)
    rounded = -(-number // step) * step
    return rounded + rounded % 2 if rounded > 1 else rounded
