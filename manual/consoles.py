"""The commands of a page, run as a reader would type them, and what the page says that they print.

A fence ``console`` has commands after ``$ `` (continued after ``> ``) and what they print. A fence of another language
whose first line is a comment with a file name (``# model.yaml``) is that file, written where the commands run.

Invariant: what is shown must be what is printed, but for what differs from run to run: ages, ports, ids, the widths of
columns, and wherever the page writes ``...`` (alone on a line: any lines).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# (?P<name>[\w./-]+\.(?:yaml|py|csv|json|txt))\n")
_VARYING = (
    (re.compile(r"\b\d+[dhms](?:\d+[hms])*\b"), "<age>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"(?<=[-/])(?:v\d+-)?[0-9a-f]{8}\b(?!-)"), "<id>"),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
)


@dataclass(frozen=True)
class Given:
    """A file that the page tells to write."""

    name: str
    content: str


@dataclass(frozen=True)
class Typed:
    """A command, and what is shown below it; ``line``: where on the page."""

    line: int
    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Wrong:
    """A command that did not do what the page says."""

    typed: Typed
    status: int
    printed: str

    def __str__(self) -> str:
        shown = "\n".join(self.typed.shown)
        return (
            f"line {self.typed.line}: $ {self.typed.command}\nended with {self.status}\n"
            f"--- shown\n{shown}\n--- printed\n{self.printed}"
        )


def parts(text: str) -> Iterator[Given | Typed]:
    """Files and commands in the order of the page."""
    for fence in _FENCE.finditer(text):
        body, line = fence["body"], text.count("\n", 0, fence.start()) + 2
        if fence["kind"] == "console":
            yield from _commands(body.splitlines(), line)
        elif named := _NAMED.match(body):
            yield Given(named["name"], body)


def _commands(lines: Sequence[str], first: int) -> Iterator[Typed]:
    command, shown, began = "", list[str](), first
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            if command:
                yield Typed(began, command, tuple(shown))
            command, shown, began = line.removeprefix("$ "), [], number
        elif line.startswith("> ") and not shown:
            command += "\n" + line.removeprefix("> ")
        else:
            shown.append(line)
    if command:
        yield Typed(began, command, tuple(shown))


def run(text: str, folder: Path, environment: Mapping[str, str], seconds: float = 240.0) -> Wrong | None:
    """Runs the page in the folder; the first command that is not as shown ends it."""
    for part in parts(text):
        match part:
            case Given():
                (folder / part.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / part.name).write_text(part.content)
            case Typed():
                status, printed = typed(part.command, folder, environment, seconds)
                if status != 0 or (part.shown and not same(part.shown, printed.splitlines())):
                    return Wrong(part, status, printed)
    return None


def typed(command: str, folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """Exit status and what was printed, complaints included."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout


def same(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether what is printed is what is shown."""
    pattern = "".join(_any_lines() if line.strip() == "..." else f"{_line(line)}\n" for line in _trimmed(shown))
    return re.fullmatch(pattern, "".join(f"{_plain(line)}\n" for line in _trimmed(printed))) is not None


def _any_lines() -> str:
    return r"(?:.*\n)*"


def _line(line: str) -> str:
    return ".*".join(re.escape(piece) for piece in _plain(line).split("..."))


def _plain(line: str) -> str:
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return " ".join(line.split())


def _trimmed(lines: Sequence[str]) -> list[str]:
    text = "\n".join(lines).strip("\n")
    return text.split("\n") if text else []
