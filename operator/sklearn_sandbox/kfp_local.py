"""One pipeline run by ``kfp.local``, in a process of its own. Imports kfp and the standard library only.

The process starts before it has anything to do, imports kfp, and then reads its one job from standard input: so a
waiting process can be kept at hand, and secrets never touch the disk or a command line.

Invariant: ``result.json`` appears whole, once, after everything else was written; without it the run failed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

_DEADLINE = "--deadline"
_TASK = re.compile(r"^(?:Executing task|Task) '(?P<task>[^']+)'(?: finished with status (?P<status>\w+))?$")
_COLOUR = re.compile(r"\x1b\[\d+m")


def main(arguments: list[str]) -> int:
    """Entry point: without arguments a run, with ``--deadline N command...`` one task under a time limit."""
    if arguments[:1] == [_DEADLINE]:
        return limited(float(arguments[1]), arguments[2:])
    warnings.filterwarnings("ignore")
    from kfp import components, local

    text = sys.stdin.read()
    if not text:
        return 0  # the server ended without a job for us
    job = json.loads(text)
    folder = Path(job["folder"])
    _move_in(folder)
    tasks = Tasks(folder / "tasks.json")
    tasks.listen()
    _cache_as_the_server_does(tasks)
    outcome: dict[str, Any] = {"state": "SUCCEEDED"}
    try:
        local.init(
            runner=local.SubprocessRunner(use_venv=False),
            pipeline_root=str(folder / "root"),
            raise_on_error=True,
            enable_caching=True,
            cache_root=job["cache"],
        )
        component = components.load_component_from_text(json.dumps(prepared(job)))
        component(**job["parameters"])
    except BaseException as error:
        traceback.print_exc()
        outcome = {"state": "FAILED", "error": _COLOUR.sub("", str(error))}
    sys.stdout.flush()
    sys.stderr.flush()
    _write(folder / "result.json", {**outcome, "finished_at": time.time()})
    return 0


def prepared(job: dict[str, Any]) -> dict[str, Any]:
    """The pipeline with environment and time limits of the platform spec worked in; it exists in memory only."""
    spec: dict[str, Any] = job["pipeline"]
    executors = (spec.get("deploymentSpec") or {}).get("executors") or {}
    for label, executor in executors.items():
        container = executor.get("container")
        if container is None:
            continue
        given = job["environment"].get(label, {})
        kept = [item for item in container.get("env", []) if item["name"] not in given]
        container["env"] = kept + [{"name": name, "value": value} for name, value in given.items()]
        for number, (mount, files) in enumerate(job["mounts"].get(label, {}).items()):
            place = _mounted(Path(job["folder"], "volumes", label, str(number)), files)
            for item in container["env"]:
                if item["value"] == mount or item["value"].startswith(f"{mount}/"):
                    item["value"] = str(place) + item["value"].removeprefix(mount)
        deadline = job["deadlines"].get(label)
        if deadline:
            prefix = ["python", "-m", "sklearn_sandbox.kfp_local", _DEADLINE, str(deadline)]
            container["command"] = prefix + list(container.get("command", []))
    return spec


def _cache_as_the_server_does(tasks: Tasks) -> None:
    """By image, command and inputs; kfp.local's key has the environment, too (backend/src/v2/cacheutils/cache.go)."""
    from kfp.local import cache

    compute, look = cache.LocalCache.compute_key, cache.LocalCache.get
    component = ""

    def key(self: Any, **given: Any) -> str:
        nonlocal component
        component = given["component_name"]
        return str(compute(self, **(given | {"env_vars": {}})))

    def get(self: Any, key: str) -> Any:
        found = look(self, key)
        if found is not None:
            tasks.skip(component.removeprefix("comp-"))
        return found

    cache.LocalCache.compute_key, cache.LocalCache.get = key, get


def _mounted(folder: Path, files: dict[str, str]) -> Path:
    """What a volume holds, in a folder of this machine; who looks for it finds it by the environment."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def limited(seconds: float, command: list[str]) -> int:
    """What activeDeadlineSeconds does to a pod."""
    process = subprocess.Popen(command, process_group=0)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"Pod was active on the node longer than the specified deadline ({seconds:g} s)", flush=True)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return 137


class Tasks:
    """Writes down when tasks start and end, told by kfp.local's own log records."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tasks: dict[str, dict[str, Any]] = {}

    def listen(self) -> None:
        make = logging.getLogRecordFactory()

        def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            self._note(_COLOUR.sub("", str(record.msg)))
            return record

        logging.setLogRecordFactory(factory)

    def skip(self, task: str) -> None:
        """Its outputs were there already."""
        now = time.time()
        self._tasks[task] = {"started_at": now, "finished_at": now, "state": "SKIPPED"}
        _write(self._path, self._tasks)

    def _note(self, message: str) -> None:
        found = _TASK.match(message)
        if found is None:
            return
        task = self._tasks.setdefault(found["task"], {"started_at": time.time(), "state": "RUNNING"})
        if found["status"]:
            task["state"] = "SUCCEEDED" if found["status"] == "SUCCESS" else "FAILED"
            task["finished_at"] = time.time()
        elif "finished_at" in task:  # another attempt
            del task["finished_at"]
            task["state"] = "RUNNING"
        _write(self._path, self._tasks)


def _move_in(folder: Path) -> None:
    """Everything this run writes lies in its own folder: log, artifacts and temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    log = os.open(folder / "run.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _write(path: Path, document: Any) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document))
    new.replace(path)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Nothing is left to do; tearing down the imported libraries would only make the run look longer.
    os._exit(code)
