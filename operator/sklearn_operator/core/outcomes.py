"""What tasks and pods left behind, read with suspicion.

Invariant: a document counts only if it names the attempt's own run; anything else is as good as absent. Task pods run
the user's code, so nothing in their documents is believed beyond its shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pydantic

from sklearn_operator.core import naming, observed, wording
from sklearn_steps import contract

_NEEDS_A_PERSON = frozenset({"CreateContainerConfigError", "CreateContainerError", "InvalidImageName"})
_NOT_STARTED = frozenset({"StartError", "RunContainerError", "ContainerCannotRun"})
_WORTH_SHOWING = _NEEDS_A_PERSON | _NOT_STARTED | {"ErrImagePull", "ImagePullBackOff", "OOMKilled", "Unschedulable"}

#: What the kubelet says of a Secret or ConfigMap, or a key of it, and the scheduler of a claim, that a pod refers to.
_MISSING = re.compile('(secret|configmap|persistentvolumeclaim) "[^"]+" not found|couldn\'t find key', re.IGNORECASE)
_ABSENT_CLAIM = 'persistentvolumeclaim "[^"]*" not found'

_PROGRESS_LIMIT = 64 * 1024
_TOO_LARGE = (
    "the value of spec.data.source.configMap is more than the 128 KiB that the environment of a task can hold: put the "
    "data into the store and name it in spec.data.source.uri"
)


def judge(result: bytes | None, failure: bytes | None, run_id: str) -> observed.Outcome:
    """Parses the two documents of one attempt."""
    invalid = None
    if result is not None:
        try:
            parsed = contract.Result.model_validate_json(result)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            invalid = f"its result.json is not valid at {'.'.join(map(str, first['loc']))}: {first['msg']}"
        else:
            if parsed.run_id == run_id:
                return observed.Outcome(result=parsed.model_dump(mode="json", by_alias=True, exclude_none=True))
            invalid = f"its result.json was written by another run ({parsed.run_id})"
    if failure is not None:
        try:
            reported = contract.Failure.model_validate_json(failure)
        except pydantic.ValidationError:
            return observed.Outcome(invalid=invalid)
        if reported.run_id == run_id:
            document = reported.model_dump(mode="json", by_alias=True, exclude_none=True)
            return observed.Outcome(failure=document, invalid=invalid)
    return observed.Outcome(invalid=invalid)


def progress(content: bytes | None, run_id: str) -> dict[str, Any] | None:
    """How far the run's search is, as ``status.tuning`` says it."""
    if content is None or len(content) > _PROGRESS_LIMIT:
        return None
    try:
        parsed = contract.Progress.model_validate_json(content)
    except pydantic.ValidationError:
        return None
    if parsed.run_id != run_id:
        return None
    return search(parsed.model_dump(mode="json", by_alias=True, exclude_none=True), "total")


def search(document: Mapping[str, Any] | None, *more: str) -> dict[str, Any]:
    """What a status says of a search, out of a progress or a result."""
    names = ("completed", "failed", *more, "bestScore", "bestParams", "baselineScore")
    return {name: document[name] for name in names if name in document} if document else {}


def failure(outcome: observed.Outcome | None) -> dict[str, Any] | None:
    """The task's own account of its failure."""
    if outcome is None or outcome.failure is None:
        return None
    document = dict(outcome.failure)
    document["message"] = wording.message(str(document["message"]))
    return document


def cause(outcome: observed.Outcome | None, troubles: Sequence[observed.PodTrouble]) -> dict[str, Any] | None:
    """Why the run failed: the task's own word, unless a later try of the task was killed before it could speak."""
    told, killed = failure(outcome), any(trouble.reason == "OOMKilled" for trouble in troubles)
    if told is not None and (told.get("permanent") or not killed):
        return told
    return from_pods(troubles) or told


def hopeless(troubles: Sequence[observed.PodTrouble], now: datetime, grace: timedelta) -> observed.PodTrouble | None:
    """A pod that will not start until a person acts, once that has lasted longer than a passing hiccup."""
    for trouble in troubles:
        needs_a_person = trouble.reason in _NEEDS_A_PERSON or _over_the_limit(trouble) or _no_claim(trouble)
        if needs_a_person and (trouble.since is None or now - trouble.since >= grace):
            return trouble
    return None


def from_pods(troubles: Sequence[observed.PodTrouble]) -> dict[str, Any] | None:
    """A failure told by the pods, where the task itself had no chance to speak."""
    for trouble in troubles:
        if trouble.reason in _WORTH_SHOWING:
            message = wording.message(f"pod {trouble.pod}: {trouble.reason}: {told(trouble)}")
            # A task's environment is the only long thing that it is started with, and that does not mend itself.
            too_large = _over_the_limit(trouble)
            return {"step": "run", "reason": wording.reason(trouble.reason), "message": message, "permanent": too_large}
    return None


def _no_claim(trouble: observed.PodTrouble) -> bool:
    """The scheduler's words for a PersistentVolumeClaim that does not exist."""
    return trouble.reason == "Unschedulable" and re.search(_ABSENT_CLAIM, trouble.message) is not None


def _over_the_limit(trouble: observed.PodTrouble) -> bool:
    """The kernel's words for an environment variable of more than 128 KiB."""
    return "argument list too long" in trouble.message.lower()


def told(trouble: observed.PodTrouble) -> str:
    """The pod's words, after ours where they alone would not help."""
    if _over_the_limit(trouble):
        return f"{_TOO_LARGE} ({trouble.message})"
    missing = _MISSING.search(trouble.message)
    if missing is None:
        return trouble.message
    advice = f"create it in this namespace, then ask for a training with the annotation {naming.ANNOTATION_RETRAIN}"
    return f"{trouble.message}; {advice}"
