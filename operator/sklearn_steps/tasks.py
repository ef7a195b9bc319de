"""The steps as the pipeline's tasks: JSON configuration in, folders in and out, and a report if it goes wrong.

Invariant: a task that fails leaves ``failure.json`` in the attempt's folder (unless the store itself is in the way),
says the same as its last line on stderr, and ends the process with a code that is not 0. Secrets are cut out of both.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pydantic

from sklearn_steps import contract, contract_tuning, errors, objectstore, progress, requirements, threads

if TYPE_CHECKING:
    from sklearn_steps import evaluate as judging

Folder = str | Path
Log = Callable[["judging.Judged"], None]


def fingerprint(config: str) -> str:
    """The sha256 of the data, by which a pipeline knows whether it has prepared and trained with it before."""
    with _reported(config, "fingerprint") as (parsed, _):
        from sklearn_steps import sources

        return sources.digest(parsed)


def prepare(config: str, train_data: Folder, test_data: Folder, data: str = "") -> None:
    """Fetch, check, split; ``data`` is the sha256 that was found before, if anybody looked."""
    with _reported(config, "prepare") as (parsed, _), requirements.installed(parsed):
        from sklearn_steps import parts
        from sklearn_steps import prepare as step

        train_part, test_part = step.prepare(parsed)
        if data and train_part.about.sha256 != data:
            text = f"{train_part.about.source}: the data changed while it was read; nothing is kept of it"
            raise errors.TransientError("DataChanged", text)
        parts.save(train_part, Path(train_data))
        parts.save(test_part, Path(test_data))
        step.bring(parsed, Path(train_data))


def train(config: str, train_data: Folder, model: Folder) -> None:
    """Build and fit."""
    with (
        _reported(config, "train") as (parsed, _),
        requirements.installed(parsed) as added,
        tempfile.TemporaryDirectory() as scratch,
    ):
        from sklearn_steps import parts
        from sklearn_steps import train as step

        folder = Path(train_data if parsed.pretrained else scratch)
        with _progress(parsed) as tell:
            fitted = step.train(parsed, parts.load(Path(train_data)), tell, added, folder)
        step.save(fitted, Path(model), parsed.compress)


def evaluate(config: str, model: Folder, test_data: Folder, evaluation: Folder, log: Log | None = None) -> None:
    """Judge; ``log`` gets the judgement for the pipeline's own artifacts."""
    with _reported(config, "evaluate") as (parsed, _), requirements.installed(parsed):
        from sklearn_steps import evaluate as step
        from sklearn_steps import parts
        from sklearn_steps import train as training

        fitted = training.load(Path(model))
        judged = step.evaluate(parsed, fitted, parts.load(Path(test_data)))
        step.save(judged, Path(evaluation))
        if log is not None:
            log(judged)


def publish(config: str, model: Folder, evaluation: Folder) -> None:
    """Hash and upload."""
    with _reported(config, "publish") as (parsed, _):
        from sklearn_steps import publish as step

        step.publish(parsed, Path(model), Path(evaluation), _target(parsed))


def run_all(config: str, model: Folder | None = None, log: Log | None = None) -> None:
    """All four in one process; what is in memory stays there."""
    with _reported(config, "prepare") as (parsed, at), requirements.installed(parsed) as added:
        _all(parsed, at, added, Path(model) if model else None, log)


def _all(
    config: contract.RunConfig,
    at: Callable[[contract.Step], None],
    added: Mapping[str, str],
    model: Path | None,
    log: Log | None,
) -> None:
    from sklearn_steps import evaluate as evaluating
    from sklearn_steps import prepare as preparing
    from sklearn_steps import publish as publishing
    from sklearn_steps import train as training

    with tempfile.TemporaryDirectory() as scratch:
        train_part, test_part = preparing.prepare(config)
        own = Path(scratch, "own")
        preparing.bring(config, own)
        at("train")
        with _progress(config) as tell:
            fitted = training.train(config, train_part, tell, added, own)
        at("evaluate")
        judged = evaluating.evaluate(config, fitted, test_part)
        folders = model or Path(scratch, "model"), Path(scratch, "evaluation")
        training.save(fitted, folders[0], config.compress)
        evaluating.save(judged, folders[1])
        if log is not None:
            log(judged)
        at("publish")
        publishing.publish(config, *folders, _target(config))


@contextlib.contextmanager
def _progress(config: contract.RunConfig) -> Iterator[contract_tuning.Tell]:
    """Who hears how far a search is, where there is one and somewhere to say it."""
    if config.tuning is None or not config.artifact_uri:
        yield lambda _: None
        return
    with progress.reported(config, lambda text: _target(config).put_child(contract.PROGRESS, text)) as tell:
        yield tell


def _target(config: contract.RunConfig) -> objectstore.Location:
    return objectstore.Location(config.artifact_uri, objectstore.Credentials.store(), "artifacts.uri")


@contextlib.contextmanager
def _reported(text: str, step: contract.Step) -> Iterator[tuple[contract.RunConfig, Callable[[contract.Step], None]]]:
    """The parsed configuration and a way to say that the next step begins; ends the process if anything goes wrong."""
    threads.limit()
    config = _parsed(text, step)
    current: list[contract.Step] = [step]
    try:
        yield config, current.append
    except Exception as exc:  # the edge of the process: nothing may leave it without a report
        error = _as_step_error(exc)
        message = _without_secrets(error.message)
        _leave(config, current[-1], error, message)
        _end(f"{current[-1]}: {error.reason}: {message}")


def whole(text: str) -> str:
    """The configuration; a recipe gets the run that it is for from the environment, which no cache looks at."""
    run = os.environ.get(contract.RUN_ENV)
    return json.dumps(json.loads(text) | json.loads(run)) if run else text


def _parsed(text: str, step: contract.Step) -> contract.RunConfig:
    try:
        return contract.RunConfig.model_validate_json(whole(text))
    except pydantic.ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        _end(f"{step}: InvalidConfig: {where}: {first['msg']} (is the image of the same release as the operator?)")


def _as_step_error(error: Exception) -> errors.StepError:
    if isinstance(error, errors.StepError):
        return error
    traceback.print_exception(error)
    kind, text = type(error).__name__, errors.first_line(error)
    if isinstance(error, MemoryError):
        advice = "the task ran out of memory; raise training.resources.limits.memory"
        return errors.TransientError("OutOfMemory", f"{advice} ({text})")
    if isinstance(error, (ConnectionError, TimeoutError)):
        return errors.TransientError("Unavailable", f"{kind}: {text}")
    return errors.TransientError("Unexpected", f"{kind}: {text}; the task's log has the traceback")


def _leave(config: contract.RunConfig, step: contract.Step, error: errors.StepError, message: str) -> None:
    if not config.artifact_uri:
        return
    failure = contract.Failure(
        run_id=config.run_id,
        version=config.version,
        attempt=config.attempt,
        step=step,
        reason=error.reason,
        message=message,
        permanent=error.permanent,
        at=datetime.now(UTC),
    )
    try:
        _target(config).put_child(contract.FAILURE, contract.dump(failure))
    except errors.StepError as exc:
        print(f"{contract.FAILURE} could not be written: {_without_secrets(exc.message)}", file=sys.stderr)


def _without_secrets(message: str) -> str:
    for prefix in (contract.STORE_ENV_PREFIX, contract.DATA_ENV_PREFIX):
        for key in contract.AWS_REQUIRED_KEYS:
            secret = os.environ.get(prefix + key)
            if secret and len(secret) > 3:
                message = message.replace(secret, "***")
    message = " ".join(message.split())
    cut = message.encode()[: contract.MESSAGE_LIMIT - 3].decode(errors="ignore")
    return message if cut == message else f"{cut}…"


def _end(line: str) -> NoReturn:
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(1)
