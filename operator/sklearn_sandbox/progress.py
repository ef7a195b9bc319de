"""Telling a person what is going on: live lines on a terminal, plain lines elsewhere.

Invariant: reporting is safe from several threads, and no caller knows which of the two it talks to.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rich import progress
from rich.console import Console

from sklearn_sandbox import files


class Reporter(Protocol):
    def update(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        """What `name` is doing now, and how far it is where that is known."""

    def finish(self, name: str, text: str) -> None: ...

    def fail(self, name: str, text: str) -> None: ...


class Silent:
    def update(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        return

    def finish(self, name: str, text: str) -> None:
        return

    def fail(self, name: str, text: str) -> None:
        return


class Plain:
    """One line per news; counts are news only every so often."""

    def __init__(self, console: Console, every: float = 15.0) -> None:
        self._console, self._every = console, every
        self._began = time.monotonic()
        self._last: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def update(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        count = f" ({done} of {total} packages)" if done is not None and total else ""
        with self._lock:
            now = time.monotonic()
            known, at = self._last.get(name, ("", 0.0))
            if known == text and now - at < self._every:
                return
            self._last[name] = (text, now)
            self._print(name, text + count)

    def finish(self, name: str, text: str) -> None:
        with self._lock:
            self._print(name, text)

    def fail(self, name: str, text: str) -> None:
        with self._lock:
            self._print(name, f"FAILED: {text}")

    def _print(self, name: str, text: str) -> None:
        line = f"[{time.monotonic() - self._began:6.1f} s] {name}: {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Live:
    """One moving line per name, with a spinner, a bar where the size is known, and the elapsed time."""

    def __init__(self, display: progress.Progress) -> None:
        self._display = display
        self._tasks: dict[str, progress.TaskID] = {}
        self._lock = threading.Lock()

    def update(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        self._display.update(self._task(name), text=text, completed=done or 0, total=total)

    def finish(self, name: str, text: str) -> None:
        self._end(name, f"[green]{text}[/green]")

    def fail(self, name: str, text: str) -> None:
        self._end(name, f"[red]{text.splitlines()[0]}[/red]")

    def _end(self, name: str, text: str) -> None:
        task = self._task(name)
        self._display.update(task, text=text, total=1, completed=1)
        self._display.stop_task(task)

    def _task(self, name: str) -> progress.TaskID:
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._display.add_task(name, total=None, text="")
            return self._tasks[name]


@contextlib.contextmanager
def taking_turns(lock: Path, name: str, reporter: Reporter) -> Iterator[None]:
    """Hold the lock file; says so while somebody else holds it."""
    waited: list[bool] = []

    def waiting() -> None:
        waited.append(True)
        reporter.update(name, "another command is at work here, waiting for it")

    with files.locked(lock, waiting):
        if waited:
            reporter.finish(name, "our turn")
        yield


@contextlib.contextmanager
def reporting(console: Console) -> Iterator[Reporter]:
    if not console.is_terminal:
        yield Plain(console)
        return
    columns = [
        progress.SpinnerColumn(finished_text="[green]✓[/green]"),
        progress.TextColumn("{task.description:<24}"),
        progress.BarColumn(bar_width=20),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[text]}"),
    ]
    with progress.Progress(*columns, console=console) as display:
        yield Live(display)
