"""Pictures as inline SVG, in the page's own colours, so that light, dark and print are one drawing.

Invariant: every text goes through ``markupsafe``, every coordinate is a finite number made here. Nothing else gets
into the markup, whatever a column or a class is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Points = Sequence[tuple[float, float]]

_TAG = {
    "line": Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>'),
    "text": Markup('<text x="{}" y="{}" class="{}">{}</text>'),
    "rect": Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>'),
    "circle": Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>'),
    "path": Markup('<path d="{}" class="{}"/>'),
}
_RANK = Markup(
    '<span>{}</span><b>{}</b><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
)


def number(value: float) -> str:
    """A coordinate, as short as one sees."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def label(value: float) -> str:
    """A tick: short, without a trailing zero or a minus before nothing."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        return f"{value:.2g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")
    text = f"{value:,.0f}" if size >= 1000 and value == int(value) else f"{value:.4g}"
    return text.replace("-", "−")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low] if math.isfinite(low) else []
    raw = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    if not step > 0 or low + step == low:
        return [low, high]
    first = math.ceil(low / step - 1e-9)
    return [round(first * step + place * step, 12) for place in range(int((high - first * step) / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Axis:
    """A range with its name; never empty."""

    low: float
    high: float
    name: str = ""

    @classmethod
    def around(cls, values: Iterable[float], name: str = "", margin: float = 0.05) -> Axis:
        """The range of the values, with some air."""
        known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(known), max(known)
        air = (high - low) * margin or abs(high) * margin or 0.5
        return cls(low - air, high + air, name)


class Plot:
    """A frame with two axes, and what is drawn in it."""

    def __init__(self, x: Axis, y: Axis, about: str, width: int = 400, height: int = 280, whole: bool = False) -> None:
        self.x, self.y, self.about = x, y, about
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = 62, 14, 12, 42
        self.parts: list[Markup] = []
        self._grid(whole)

    def px(self, value: float) -> str:
        share = (min(max(value, self.x.low), self.x.high) - self.x.low) / (self.x.high - self.x.low)
        return number(self.left + share * (self.width - self.left - self.right))

    def py(self, value: float) -> str:
        share = (min(max(value, self.y.low), self.y.high) - self.y.low) / (self.y.high - self.y.low)
        return number(self.height - self.bottom - share * (self.height - self.top - self.bottom))

    def add(self, tag: str, *values: object) -> None:
        self.parts.append(_TAG[tag].format(*values))

    def _grid(self, whole: bool) -> None:
        right, floor = self.width - self.right, self.height - self.bottom
        for value in ticks(self.y.low, self.y.high):
            self.add("line", self.left, self.py(value), right, self.py(value), "grid")
            self.add("text", self.left - 7, number(float(self.py(value)) + 4), "tick end", label(value))
        for value in ticks(self.x.low, self.x.high):
            if whole and value != int(value):
                continue
            self.add("line", self.px(value), floor, self.px(value), floor + 4, "axis")
            self.add("text", self.px(value), floor + 17, "tick mid", label(value))
        self.add("line", self.left, floor, right, floor, "axis")
        self.add("text", number((self.left + right) / 2), self.height - 6, "name mid", self.x.name)
        turned = Markup('<text transform="translate(12 {}) rotate(-90)" class="name mid">{}</text>')
        self.parts.append(turned.format(number((self.top + floor) / 2), self.y.name))

    def line(self, points: Points, kind: str) -> None:
        if points:
            steps = " L".join(f"{self.px(x)} {self.py(y)}" for x, y in points)
            self.add("path", f"M{steps}", f"line {kind}")

    def diagonal(self) -> None:
        """Where x equals y, as far as both axes go."""
        low, high = max(self.x.low, self.y.low), min(self.x.high, self.y.high)
        if low < high:
            self.add("line", self.px(low), self.py(low), self.px(high), self.py(high), "guide")

    def level(self, value: float) -> None:
        self.add("line", self.left, self.py(value), self.width - self.right, self.py(value), "guide")

    def upright(self, value: float) -> None:
        self.add("line", self.px(value), self.top, self.px(value), self.height - self.bottom, "guide")

    def dots(self, points: Points, kind: str, size: float = 2.5) -> None:
        for x, y in points:
            self.add("circle", self.px(x), self.py(y), number(size), f"dot {kind}")

    def bars(self, edges: Sequence[float], counts: Sequence[float], kind: str) -> None:
        floor = self.height - self.bottom
        for low, high, count in zip(edges, edges[1:], counts, strict=False):
            left, top = float(self.px(low)), float(self.py(count))
            width = max(float(self.px(high)) - left - 1, 0.5)
            self.add("rect", number(left), number(top), number(width), number(max(floor - top, 0)), f"bar {kind}")

    def svg(self) -> Markup:
        return svg(self.width, self.height, self.about, self.parts, "plot" if self.width <= 400 else "wide")


def svg(width: float, height: float, about: str, parts: Iterable[Markup], kind: str = "plot") -> Markup:
    """A whole picture; ``about`` is what is read out to who does not see it."""
    frame = Markup('<svg viewBox="0 0 {} {}" class="{}" role="img" aria-label="{}">{}</svg>')
    return frame.format(number(width), number(height), kind, about, Markup("").join(parts))


def strip(values: Sequence[float], mean: float, test: float | None, low: float, high: float, about: str) -> Markup:
    """The folds of a cross-validation as ticks, their mean, and the test part as a diamond."""
    width, height, middle = 200.0, 22.0, 11.0

    def at(value: float) -> str:
        return number(6 + (width - 12) * (value - low) / (high - low) if high > low else width / 2)

    parts = [_TAG["line"].format(6, middle, number(width - 6), middle, "grid")]
    parts.append(_TAG["line"].format(at(min(values)), middle, at(max(values)), middle, "range"))
    parts += [_TAG["line"].format(at(value), 6, at(value), 16, "fold") for value in values]
    parts.append(_TAG["circle"].format(at(mean), middle, 3.2, "dot a"))
    if test is not None:
        x = float(at(test))
        diamond = f"M{number(x)} 4.5 L{number(x + 5)} 11 L{number(x)} 17.5 L{number(x - 5)} 11 Z"
        parts.append(_TAG["path"].format(diamond, "diamond"))
    return svg(width, height, about, parts, "strip")


def box(low: float, q1: float, median: float, q3: float, high: float, about: str) -> Markup:
    """Five quantiles in one line: the range, the middle half, the median."""
    width, height, middle, span = 110.0, 16.0, 8.0, high - low

    def at(value: float) -> float:
        return 3 + (width - 6) * ((value - low) / span if span > 0 else 0.5)

    parts = [
        _TAG["line"].format(number(at(low)), middle, number(at(high)), middle, "range"),
        _TAG["rect"].format(number(at(q1)), 3, number(max(at(q3) - at(q1), 1)), 10, "half"),
        _TAG["line"].format(number(at(median)), 2, number(at(median)), 14, "median"),
    ]
    return svg(width, height, about, parts, "box")


def ranked(rows: Sequence[tuple[str, float, float]], about: str) -> Markup:
    """Horizontal bars with their spread, one row each: name, value, standard deviation.

    Names and figures are text of the page and the bars stretch, so that a phone shows all of it.
    """
    low = min(0.0, *(value - spread for _, value, spread in rows))
    high = max(0.0, *(value + spread for _, value, spread in rows))
    high = high if high > low else low + 1

    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    found = []
    digits = max(0, 3 - math.floor(math.log10(high - low)))
    for name, value, spread in rows:
        start, end = sorted((at(0), at(value)))
        kind = "bar a" if value >= 0 else "bar quiet"
        parts = [_TAG["rect"].format(number(start), 1, number(max(end - start, 0.2)), 8, kind)]
        if spread > 0:
            parts.append(_TAG["line"].format(number(at(value - spread)), 5, number(at(value + spread)), 5, "err"))
        parts.append(_TAG["line"].format(number(at(0)), 0, number(at(0)), 10, "axis"))
        figure = label(round(value, digits)) + (f" ± {label(round(spread, digits))}" if spread > 0 else "")
        found.append(_RANK.format(named(name, 40), figure, Markup("").join(parts)))
    return Markup('<div class="ranks" role="group" aria-label="{}">{}</div>').format(about, Markup("").join(found))


def named(text: str, limit: int) -> str:
    """A name that fits its place; what is left out is left out in the middle, as names often differ at their ends."""
    if len(text) <= limit:
        return shortened(text, limit)
    tail = limit // 2
    return f"{shortened(text[: limit - tail - 1], limit)}…{shortened(text[-tail:], limit)}"


def shortened(text: str, limit: int) -> str:
    """A name that fits its place; control characters do not reach the page."""
    shown = "".join(character if character.isprintable() else "�" for character in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
