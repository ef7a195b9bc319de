"""What is worth an Event: turns that a person may have to do something about.

Invariant: an Event follows from a change that is recorded in the same pass, and comes before the record of it: whoever
dies in between announces it again under the same name. The straight way from a manifest to an answer makes none.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_operator.core import actions, gates, observed, wording


def turns(before: observed.Version, after: observed.Version) -> Iterator[actions.Announce]:
    """Of a version whose status becomes another."""
    name = before.name
    if before.phase != after.phase and after.phase == "Failed":
        failure = after.status.get("failure") or {}
        text = f"{name} failed in step {failure.get('step')}: {failure.get('message')}"
        yield actions.Announce("Warning", "TrainingFailed", wording.message(text), f"{name}/{after.attempt}")
    if before.phase != after.phase and after.phase == "Rejected":
        yield actions.Announce("Warning", "Rejected", f"{name}: {gates.told(after)}", f"{name}/{gates.told(after)}")
    mark = after.status.get("rolledBack") or {}
    if mark and mark != before.status.get("rolledBack"):
        text = f"{name} was rolled back: {mark.get('message')}"
        yield actions.Announce("Warning", "RolledBack", wording.message(text), f"{name}/{mark.get('serving')}")


def waiting(model: observed.Model, version: observed.Version, text: str) -> Iterator[actions.Announce]:
    """Of a version that begins to wait for a person."""
    if model.status.get("candidateVersion") != version.name:
        yield actions.Announce("Normal", "ApprovalNeeded", text, version.name)
