"""The train step where a script trains: call it, take what it leaves, and judge that like any other model.

Invariant: wherever figures need several fits (trials, folds), the script is called for each with just the rows to fit
on, and what it leaves is judged on rows that it was not given; its own figures are reported and never used.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn_steps import contract, contract_tuning, crossval, errors, foreign, parts, scoring, scripts, train

FIELD = f"{scripts.FIELD}: {contract.MODEL}"


@dataclass
class Runner:
    """Calls one script; ``folder`` is for what goes in and out."""

    config: contract.RunConfig
    source: scripts.Source
    part: parts.Part
    folder: Path

    def all_rows(self, args: scripts.Args, name: str = "model") -> scripts.Left:
        """One call with the whole training part; what it leaves stays in the folder."""
        return scripts.run(self.source, args, self.written("all", None), self.folder / name, self.config.seed)

    def fold(
        self, args: scripts.Args, fitted_on: Any, judged_on: Any, name: str, inputs: Path | None = None
    ) -> tuple[Any, Any]:
        """The model of one call with some of the rows, and other rows as it takes them.

        ``inputs``: the folder that ``written`` made of the rows to fit on.
        """
        output = self.folder / f"out-{name}"
        given = inputs or self.written(name, fitted_on)
        try:
            left = scripts.run(self.source, args, given, output, self.config.seed, f"[{name}] ")
            model = foreign.load(left.model, FIELD)
        finally:
            shutil.rmtree(output, ignore_errors=True)
            if inputs is None:
                shutil.rmtree(given, ignore_errors=True)
        return model, foreign.rows_for(model, self.part, judged_on, FIELD)

    def written(self, name: str, rows: Any) -> Path:
        """The folder with these rows, made if it is not there: whole, or not at all."""
        folder = self.folder / f"in-{name}"
        if not folder.exists():
            unfinished = self.folder / f".in-{name}-{os.getpid()}"
            scripts.write_input(self.part if rows is None else _some(self.part, rows), unfinished, self.config)
            try:
                unfinished.rename(folder)
            except OSError:  # another trial was faster
                shutil.rmtree(unfinished)
        return folder


def fit(config: contract.RunConfig, part: parts.Part, tell: contract_tuning.Tell, folder: Path) -> train.Fitted:
    """The script's model, tuned where that is asked for."""
    if config.script is None:
        raise ValueError("the configuration has no script")
    source = scripts.source(config, folder / "source")
    runner = Runner(config, source, part, folder)
    args: dict[str, Any] = dict(config.script.args)
    left, model, seconds = _called(runner, args, "model")
    kind = foreign.kind_of(model, FIELD)
    y = train.target(config, part, kind)
    scoring.names(config, kind, y, model)
    tuned = None
    if config.tuning is not None:
        from sklearn_steps import tuning

        tuned = tuning.tune_script(runner, model, y, kind, tell)
        if tuned.record.result.best_trial:
            args |= tuned.params
            left, model, seconds = _called(runner, args, "winner")
    about = foreign.about_of(model, part.about, FIELD)
    training = train.described(config, model, kind, about, seconds, foreign.class_of(model), args)
    training.git_commit = source.commit
    training.script_metrics = left.metrics
    training.notes += [f"script: {source.origin}, sha256 {source.sha256}", *left.said, *_own(left)]
    if tuned is not None:
        training.tuning = tuned.record
        training.notes += tuned.notes
    training.cross_validation, remarks = crossval.judge(
        config, model, part, y, kind, lambda fitted_on, judged_on: runner.fold(args, fitted_on, judged_on, "fold")
    )
    training.notes += remarks
    training.left_out.append("Learning curve: the script would have to be called once for each of its points")
    return train.Fitted(model, training, left.model)


def _called(runner: Runner, args: scripts.Args, name: str) -> tuple[scripts.Left, Any, float]:
    started = time.perf_counter()
    left = runner.all_rows(args, name)
    seconds = time.perf_counter() - started
    return left, foreign.load(left.model, FIELD), seconds


def _own(left: scripts.Left) -> list[str]:
    if not left.metrics:
        return []
    figures = errors.listed(f"{name} {value:.6g}" for name, value in left.metrics.items())
    return [f"the script's own figures, not of the test part and used for nothing: {figures}"]


def _some(part: parts.Part, rows: Any) -> parts.Part:
    values = [None if array is None else array[rows] for array in (part.y, part.weight, part.groups)]
    return parts.Part(part.X.iloc[rows].reset_index(drop=True), values[0], part.about, *values[1:])
