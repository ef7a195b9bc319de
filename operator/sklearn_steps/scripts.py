"""The user's own training script: where it comes from, how it is called, and what it leaves.

It runs as a process of its own, in the folder that it lies in, with ``--name value`` flags; SKLEARN_INPUT names the
folder with the rows to learn from, SKLEARN_OUTPUT the one in which it leaves ``model.joblib``. Invariant: it sees the
rows that it is given and no others, and none of the task's credentials.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn_steps import contract, contract_script, errors, parts, processes

FIELD = "model.script"
INPUT_ENV, OUTPUT_ENV, SEED_ENV = "SKLEARN_INPUT", "SKLEARN_OUTPUT", "SKLEARN_SEED"
TABLE, SCHEMA = "train.parquet", "schema.json"
_INLINE = "train.py"
_TAIL_LINES = 8
_TAIL_BYTES = 600

Args = Mapping[str, contract_script.Scalar]


class ScriptFailed(errors.TransientError):
    """It ended badly by itself. Whether another attempt helps, nobody knows but ``training.attempts``."""


@dataclass(frozen=True)
class Source:
    """The script as a file, with what lies beside it."""

    path: Path
    origin: str
    sha256: str
    commit: str | None = None


@dataclass(frozen=True)
class Left:
    """What it left: the model's file, and figures of its own. ``said``: what there is to remark about those."""

    model: Path
    metrics: dict[str, float]
    said: list[str]


def source(config: contract.RunConfig, folder: Path, env: Mapping[str, str] = os.environ) -> Source:
    """Put the script and its neighbours into ``folder``."""
    if config.script is None:
        raise ValueError("the configuration has no script")
    folder.mkdir(parents=True, exist_ok=True)
    asked = config.script.source
    if asked.git is not None:
        from sklearn_steps import gitfiles

        commit = gitfiles.fetch(asked.git, config.git_hosts, folder)
        where = f"{asked.git.path} of {asked.git.url} at {commit}"
        return _found(folder, asked.git.path, where, f"{FIELD}.source.git", commit)
    if asked.config_map is not None:
        name, key = asked.config_map.name, asked.config_map.key
        _copied(Path(env.get(contract.SCRIPT_FOLDER_ENV) or contract.SCRIPT_MOUNT), folder)
        return _found(folder, key, f"{key} of ConfigMap {name}", f"{FIELD}.source.configMap {name}")
    (folder / _INLINE).write_text(asked.inline or "")
    return _found(folder, _INLINE, "the manifest's script", f"{FIELD}.source.inline")


def _copied(mount: Path, folder: Path) -> None:
    """The keys of a ConfigMap; beside them the kubelet keeps folders of its own, whose names begin with two dots."""
    if mount.is_dir():
        for item in sorted(mount.iterdir()):
            if item.is_file() and not item.name.startswith(".."):
                shutil.copyfile(item, folder / item.name)


def _found(folder: Path, path: str, origin: str, field: str, commit: str | None = None) -> Source:
    script = folder / path
    if not script.is_file() or script.is_symlink() or not script.resolve().is_relative_to(folder.resolve()):
        names = sorted(str(item.relative_to(folder)) for item in script.parent.iterdir()) if folder.is_dir() else []
        there = f"{errors.nearest(path, names)}there are {errors.listed(names)}" if names else "there is nothing"
        raise errors.UserError("ScriptMissing", f"{field}: there is no file {errors.shown(path)}; {there}")
    content = script.read_bytes()
    if not content.strip():
        raise errors.UserError("ScriptEmpty", f"{field}: {errors.shown(path)} is empty; it has to train a model")
    return Source(script, origin, hashlib.sha256(content).hexdigest(), commit)


def flags(args: Args) -> list[str]:
    """``--name value``; a value that looks like a flag is tied to its name."""
    found: list[str] = []
    for name, value in args.items():
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        found += [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    return found


def write_input(part: parts.Part, folder: Path, config: contract.RunConfig) -> None:
    """The rows of ``part`` as the script gets them: features, target and weight, and what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    about, weight = part.about, config.data.weight
    frame = part.X.copy()
    for name in about.categorical:
        frame[name] = frame[name].astype("category")  # as text, gaps would come back as None and not as NaN
    for position, name in enumerate(about.target):
        frame[name] = part.y if part.y.ndim == 1 else part.y[:, position]
    if weight is not None and part.weight is not None:
        frame[weight] = part.weight
    frame.to_parquet(folder / TABLE, index=False)
    document = {
        "formatVersion": contract.FORMAT_VERSION,
        "rows": len(frame),
        "features": [column.model_dump(include={"name", "dtype", "kind"}) for column in about.columns],
        "target": about.target,
        "classNames": about.class_names,
        "weight": weight,
        "seed": config.seed,
    }
    (folder / SCHEMA).write_text(json.dumps(document, ensure_ascii=False))


def run(found: Source, args: Args, inputs: Path, output: Path, seed: int, prefix: str = "") -> Left:
    """One call of the script; a ScriptFailed with its last lines if it ends badly."""
    output.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def say(line: str) -> None:
        print(f"{prefix}{line}", flush=True)
        if line.strip():
            tail.append(line.strip()[-_TAIL_BYTES:])

    with tempfile.TemporaryDirectory() as scratch:
        own = {
            INPUT_ENV: str(inputs),
            OUTPUT_ENV: str(output),
            SEED_ENV: str(seed),
            "TMPDIR": scratch,
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, str(found.path), *flags(args)]
        code = processes.run(command, found.path.parent, processes.environment() | own, say)
    if code != 0:
        text = f"{FIELD}: {found.path.name} {processes.ending(code)}; its last lines: {_ending(tail)}"
        raise ScriptFailed("ScriptFailed", text)
    return _left(found, output, tail)


def _ending(tail: deque[str]) -> str:
    """The last lines, the very last one whole as far as there is room."""
    text = " / ".join(tail) or "none, it said nothing"
    cut = text.encode()[-_TAIL_BYTES:].decode(errors="ignore")
    return cut if cut == text else f"…{cut}"


def _left(found: Source, output: Path, tail: deque[str]) -> Left:
    model = output / contract.MODEL
    if not model.is_file():
        names = sorted(item.name for item in output.iterdir())
        there = f"it left {errors.listed(names)}" if names else "it left nothing there"
        text = (
            f"{FIELD}: {found.path.name} ended well, but there is no {contract.MODEL} in the folder that {OUTPUT_ENV}"
        )
        advice = f"names; {there}. Write it with joblib.dump; its last lines: {_ending(tail)}"
        raise errors.UserError("ModelMissing", f"{text} {advice}")
    metrics, said = _metrics(output / contract.METRICS)
    return Left(model, metrics, said)


def _metrics(path: Path) -> tuple[dict[str, float], list[str]]:
    """The script's own figures; what is none is said and left out."""
    if not path.is_file():
        return {}, []
    try:
        document: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as exc:
        return {}, [f"the script's {contract.METRICS} is not JSON: {errors.first_line(exc, 200)}"]
    if not isinstance(document, dict):
        return {}, [f"the script's {contract.METRICS} is no object of names and numbers; it is left out"]
    usable = {name: float(value) for name, value in document.items() if _is_figure(value)}
    odd = [name for name in document if name not in usable]
    said = [f"in the script's {contract.METRICS} only finite numbers count, not {errors.listed(odd)}"] if odd else []
    return usable, said


def _is_figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
