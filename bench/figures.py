"""What was measured, as a table for people and as JSON for comparing two runs.

Invariant: every sample is kept; medians, spans and verdicts are computed from them when they are shown.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box, console, table, text


@dataclass(frozen=True)
class Figure:
    """``goal`` is the most that it should be, or with ``at_least`` the least; None where the figure only explains."""

    part: str
    what: str
    unit: str
    samples: tuple[float, ...]
    goal: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.median >= self.goal if self.at_least else self.median <= self.goal

    def document(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "what": self.what,
            "unit": self.unit,
            "median": self.median,
            "samples": list(self.samples),
            "goal": self.goal,
            "at least": self.at_least,
            "met": self.met,
            "note": self.note,
        }


def as_json(machine: dict[str, Any], figures: Sequence[Figure]) -> str:
    return json.dumps({"machine": machine, "figures": [figure.document() for figure in figures]}, indent=2) + "\n"


def show(out: console.Console, machine: dict[str, Any], figures: Sequence[Figure]) -> None:
    shown = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("WHAT", no_wrap=True)
    for heading in ("MEDIAN", "MIN", "MAX", "N", "GOAL"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("")
    part = ""
    for figure in figures:
        if figure.part != part:
            part = figure.part
            shown.add_row(text.Text(part, style="bold"))
        shown.add_row(*_cells(figure))
    out.print(", ".join(f"{name} {value}" for name, value in machine.items()), soft_wrap=True)
    out.print(shown)
    missed = [figure for figure in figures if figure.met is False]
    judged = [figure for figure in figures if figure.met is not None]
    out.print(f"{len(judged) - len(missed)} of {len(judged)} goals met")


def _cells(figure: Figure) -> list[text.Text]:
    one = len(figure.samples) == 1
    sign = ">=" if figure.at_least else "<="
    goal = "" if figure.goal is None else f"{sign} {_number(figure.goal, figure.unit)}"
    style = {True: "green", False: "red", None: ""}[figure.met]
    word = {True: "ok", False: "missed", None: ""}[figure.met]
    return [
        text.Text(f"  {figure.what}"),
        text.Text(_number(figure.median, figure.unit), style=style),
        text.Text("" if one else _number(min(figure.samples), figure.unit)),
        text.Text("" if one else _number(max(figure.samples), figure.unit)),
        text.Text(str(len(figure.samples))),
        text.Text(goal),
        text.Text(" ".join(filter(None, [word, figure.note])), style=style),
    ]


def _number(value: float, unit: str) -> str:
    if unit == "":
        return f"{value:.10g}"
    if unit == "/s":
        return f"{value:,.0f}{unit}"
    return f"{value:.1f} {unit}" if unit == "MB" else f"{value:.2f} {unit}"
