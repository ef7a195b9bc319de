"""The session that the README shows: typed into a sandbox, kept as an asciicast, and drawn from that as an SVG.

Invariant: the picture follows from the recording alone, and nothing in the recording is made up: pauses are cut short,
and that is all that is changed.
"""

from __future__ import annotations

import html
import json
import os
import string
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from manual import reference

CAST = reference.ROOT / "docs" / "pictures" / "session.cast"
PICTURE = CAST.with_suffix(".svg")

SESSION = (
    "cat deploy/samples/digits.yaml | tail -n +2",
    "kubectl apply -f deploy/samples/digits.yaml",
    "kubectl sklearn wait digits",
    "kubectl get skm",
    "kubectl sklearn predict digits -f deploy/samples/requests/digit-8.json",
    "sed s/0.001/0.0005/ deploy/samples/digits.yaml > build/digits.yaml",
    "kubectl sklearn plan -f build/digits.yaml | head -4",
    "kubectl apply -f build/digits.yaml",
    "kubectl sklearn wait digits",
    "kubectl sklearn versions digits",
    "kubectl sklearn rollback digits | cut -d'(' -f1",
)
_WIDTH = 100
_LONGEST_PAUSE = 1.5
_TYPING = 1.0
_ROW, _MARGIN, _HEAD = 19, 18, 34


@dataclass(frozen=True)
class Shown:
    """A line, and when it appears."""

    at: float
    text: str
    typed: bool


def record(environment: Mapping[str, str]) -> None:
    """Types the session; a model that is there from before is deleted first."""
    (reference.ROOT / "build").mkdir(exist_ok=True)
    _run("kubectl delete skm digits --ignore-not-found", environment)
    header = {"version": 2, "width": _WIDTH, "height": 40, "title": "From a manifest to a served model"}
    events: list[tuple[float, str]] = []
    clock = 0.0
    for command in SESSION:
        clock += _TYPING
        events.append((clock, f"$ {command}\r\n"))
        began = last = time.monotonic()
        with subprocess.Popen(
            ["bash", "-c", command], cwd=reference.ROOT, env=dict(environment), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as running:  # fmt: skip
            for line in running.stdout or ():
                now = time.monotonic()
                clock += min(now - last, _LONGEST_PAUSE)
                last = now
                events.append((clock, f"{line.rstrip()}\r\n"))
        if running.returncode != 0:
            raise RuntimeError(f"{command} ended with {running.returncode}")
        print(f"{time.monotonic() - began:6.1f} s  {command}")
    lines = [json.dumps(header), *(json.dumps([round(at, 2), "o", text]) for at, text in events)]
    CAST.write_text("\n".join(lines) + "\n")
    PICTURE.write_text(picture(CAST.read_text()))


def _run(command: str, environment: Mapping[str, str]) -> None:
    subprocess.run(["bash", "-c", command], cwd=reference.ROOT, env=dict(environment), check=True)


def environment() -> dict[str, str]:
    """That of the sandbox which runs now."""
    program = reference.ROOT / ".venv" / "bin" / "sklearn-operator"
    exports = subprocess.run([program, "sandbox", "env"], capture_output=True, text=True, check=True).stdout
    told = subprocess.run(["bash", "-c", f"{exports}\nenv -0"], capture_output=True, text=True, check=True).stdout
    return dict(os.environ) | dict(item.split("=", 1) for item in told.split("\0") if "=" in item)


def shown(cast: str) -> Iterator[Shown]:
    """The lines of a recording, folded to the width of the terminal."""
    for row in cast.splitlines()[1:]:
        at, _, text = json.loads(row)
        line = text.rstrip("\r\n")
        for start in range(0, max(len(line), 1), _WIDTH):
            yield Shown(at, line[start : start + _WIDTH], line.startswith("$ "))


def picture(cast: str) -> str:
    """An SVG whose lines appear as they did; who wants no motion sees the end at once."""
    lines = list(shown(cast))
    height = _HEAD + _MARGIN + _ROW * len(lines)
    rows = "\n".join(_row(number, line) for number, line in enumerate(lines))
    frame = string.Template((reference.ROOT / "manual" / "session.svg.in").read_text())
    return frame.substitute(height=height, inner=height - 2, rows=rows, about=html.escape(_about(lines)))


def _about(lines: list[Shown]) -> str:
    return "A terminal. Typed: " + "; ".join(line.text.removeprefix("$ ") for line in lines if line.typed)


def _row(number: int, line: Shown) -> str:
    y = _HEAD + _MARGIN + _ROW * number
    kind = "t" if line.typed else "o"
    place = f'x="{_MARGIN}" y="{y}" style="animation-delay:{line.at:.2f}s"'
    return f'<text class="{kind}" {place}>{html.escape(line.text)}</text>'
