"""``python -m bench [PART]``: measures, prints a table, leaves nothing behind."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import console

from bench import clones, figures, handover, idle, latency, memory, rollout, scale, serving, timeline, training, tuning
from bench import place as places
from sklearn_sandbox import errors

PARTS = ("latency", "writes", "idle", "rollout", "scale", "handover", "training", "tuning", "memory", "serving")
#: Those that need no cluster.
ALONE = {"tuning", "memory", "serving"}


def main() -> int:
    options = _options()
    out = console.Console(highlight=False, stderr=options.json == "-")
    if not out.is_terminal:
        out.width = 110
    machine = _machine()
    try:
        found = list(_measure(set(PARTS) if options.part == "all" else {options.part}, options, out))
    except (errors.SandboxError, places.NotMeasured) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    figures.show(out, machine | {"load after": f"{os.getloadavg()[0]:.1f}"}, found)
    if options.json == "-":
        print(figures.as_json(machine, found), end="")
    elif options.json:
        Path(options.json).write_text(figures.as_json(machine, found))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the operator in a sandbox of its own."
    )
    parser.add_argument("part", nargs="?", choices=(*PARTS, "all"), default="all", help="what to measure")
    parser.add_argument(
        "--runs", type=int, default=5, help="lives of a model per layout, turns of tuning and serving (5)"
    )
    parser.add_argument("--rest", type=float, default=60.0, help="seconds at rest (60)")
    parser.add_argument("--models", type=int, default=1000, help="settled models at a restart (1000)")
    parser.add_argument("--versions", type=int, default=1, choices=range(1, 6), help="of each of them (1)")
    parser.add_argument("--restarts", type=int, default=3, help="restarts with all of them (3)")
    parser.add_argument("--json", metavar="FILE", default="", help="write every sample there; - means standard output")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _measure(parts: set[str], options: argparse.Namespace, out: console.Console) -> Iterator[figures.Figure]:
    if "tuning" in parts:
        out.print("tuning digits, and the same without the operator")
        yield from tuning.measure(options.runs)
    if "memory" in parts:
        out.print("a file of 1 GB, and the same without the operator")
        yield from memory.measure()
    if "serving" in parts:
        out.print("a served model under load, and the same in KServe's server and in MLServer")
        yield from serving.measure(options.runs, out.print)
    if "handover" in parts:
        out.print("two replicas beside an API server, one of them ended")
        with places.opened(only=("kube-apiserver",)) as place:
            yield from handover.measure(place, min(options.runs, 3), out.print)
    if parts - ALONE - {"handover"}:
        yield from _sandboxed(parts - ALONE - {"handover"}, options, out)


def _sandboxed(parts: set[str], options: argparse.Namespace, out: console.Console) -> Iterator[figures.Figure]:
    timed, say = "latency" in parts, out.print
    say("starting a sandbox for the bench")
    with places.opened() as place, timeline.watching(place, latency.WATCHED) as seen:
        if "training" in parts:
            say("  training, and the same without the operator")
            yield from training.measure(place, seen, options.runs, say)
        if "rollout" in parts:
            say("  from version to version")
            yield from rollout.measure(place, seen, options.runs, say)
        if not parts - {"training", "rollout"}:
            return
        lives = []
        for life in latency.lives(place, seen, options.runs if timed else 1, warm=timed):
            say(f"  {life.layout:<7} apply to Ready {life.total:6.2f} s, {len(life.writes)} writes")
            lives.append(life)
        if timed:
            yield from latency.report(lives)
        if "writes" in parts:
            yield from latency.report_writes(lives)
        if "idle" in parts:
            say(f"  at rest for {options.rest:.0f} s")
            yield from idle.measure(place, options.rest)
        sample = _sample(place, seen, options.versions) if "scale" in parts else None
    if sample is not None:
        say(f"starting an API server with {options.models} settled models of {options.versions} versions each")
        with places.opened(only=("kube-apiserver",)) as place:
            yield from scale.measure(place, sample, options.models, options.restarts)


def _sample(place: places.Place, seen: timeline.Timeline, versions: int) -> clones.Sample:
    for number in range(2, versions + 1):
        rollout.next_version(place, seen, number)
    return clones.capture(place, versions)


if __name__ == "__main__":
    sys.exit(main())
