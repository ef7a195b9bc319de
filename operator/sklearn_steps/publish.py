"""Last step: hash, upload, and then ``result.json``, which makes it count.

Invariant: ``result.json`` is written last and at most once; what it names is complete and stays. A repeated task of the
same run finds its own result and changes nothing; a folder that belongs to another run is left alone. Of two executions
of one run at the same time (a pod that was given up and lives on) the one whose result counts has the last word on the
model's bytes, and the other one fails.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pydantic

from sklearn_steps import contract, errors, objectstore, parts

_NOTES = 32


def publish(config: contract.RunConfig, model: Path, evaluation: Path, target: objectstore.Location) -> contract.Result:
    """Upload everything of both folders to ``target``, the folder of this attempt."""
    training = parts.Training.model_validate_json((model / parts.TRAINING).read_bytes())
    judged = parts.Evaluation.model_validate_json((evaluation / parts.EVALUATION).read_bytes())
    earlier = _earlier(config, target)
    if earlier is not None:
        return earlier
    now = datetime.now(UTC)
    with (model / contract.MODEL).open("rb") as file:
        artifact = contract.Artifact(
            uri=config.artifact_uri, sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=file.tell()
        )
    result = _result(config, training, judged, artifact, now)
    written = target.put_child(contract.MODEL, model / contract.MODEL)
    target.put_child(contract.METADATA, contract.dump(_metadata(config, training, artifact, now)))
    target.put_child(contract.REQUIREMENTS, _requirements(training).encode())
    for name in (contract.METRICS, contract.SCHEMA, contract.GOLDEN, contract.CARD):
        target.put_child(name, (evaluation / name).read_bytes())
    if training.tuning is not None:
        from sklearn_steps.tuning import table

        target.put_child(contract.TRIALS, table.written(training.tuning))
    if not target.create_child(contract.RESULT, contract.dump(result)):
        return _others(config, target, artifact)
    if target.tag(contract.MODEL) != written:
        target.put_child(contract.MODEL, model / contract.MODEL)
    return result


def _requirements(training: parts.Training) -> str:
    """What pip rebuilds the environment of the model from, on the Python that is named first."""
    lines = [f"# Python {training.versions['python']}", *training.requirements]
    return "".join(f"{line}\n" for line in lines)


def _others(config: contract.RunConfig, target: objectstore.Location, artifact: contract.Artifact) -> contract.Result:
    """The result of the execution that was faster, which is as good as ours if it is of the same bytes."""
    found = _earlier(config, target)
    if found is None or found.artifact.sha256 != artifact.sha256:
        text = f"another execution of run {config.run_id} published other bytes to {target.uri}; ask for a new training"
        raise errors.UserError("PublishedTwice", text)
    return found


def _earlier(config: contract.RunConfig, target: objectstore.Location) -> contract.Result | None:
    """The result of an earlier try of this very run; an error if the folder has another run's."""
    content = target.read_child(contract.RESULT)
    if content is None:
        return None
    try:
        found = contract.Result.model_validate_json(content)
    except pydantic.ValidationError:
        found = None
    if found is None or found.run_id != config.run_id:
        whose = f"run {found.run_id}" if found else "something else"
        text = f"{target.uri}{contract.RESULT} was written by {whose}, not by run {config.run_id}; it is left as it is"
        raise errors.UserError("PublishedByAnother", text)
    return found


def _result(
    config: contract.RunConfig,
    training: parts.Training,
    judged: parts.Evaluation,
    artifact: contract.Artifact,
    now: datetime,
) -> contract.Result:
    about, versions = training.about, training.versions
    return contract.Result(
        run_id=config.run_id,
        version=config.version,
        attempt=config.attempt,
        artifact=artifact,
        estimator_type=training.estimator_type,
        metrics=judged.metrics,
        headline=judged.headline,
        cross_validation=training.cross_validation,
        compared_with=judged.compared_with,
        gates=judged.gates,
        lineage=contract.Lineage(
            data_sha256=about.sha256,
            rows=about.rows,
            features=len(about.columns),
            revision=config.data.revision,
            git_commit=training.git_commit,
            image=config.image,
            python=versions["python"],
            sklearn=versions["sklearn"],
            numpy=versions["numpy"],
            seed=config.seed,
        ),
        tuning=training.tuning.result if training.tuning else None,
        notes=tuple(note[: contract.MESSAGE_LIMIT] for note in judged.notes[:_NOTES]),
        finished_at=now,
    )


def _metadata(
    config: contract.RunConfig, training: parts.Training, artifact: contract.Artifact, now: datetime
) -> contract.Metadata:
    about = training.about
    return contract.Metadata(
        model=config.model,
        version=config.version,
        estimator_type=training.estimator_type,
        estimator=training.estimator,
        features=[contract.Feature(name=item.name, dtype=item.dtype, kind=item.kind) for item in about.columns],
        ignored=tuple(about.ignored),
        target=about.target,
        classes=training.classes,
        class_names=about.class_names,
        sha256=artifact.sha256,
        size=artifact.size,
        versions=training.versions,
        outputs=training.outputs,
        needs=tuple(training.needs),
        tuning=training.tuning.result if training.tuning else None,
        training_hash=config.training_hash,
        run_id=config.run_id,
        created_at=now,
    )
