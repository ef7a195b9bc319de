"""A rollout in steps: how large a share of the requests the new version gets now, and when it gets more.

Invariant: which step it is follows from the InferenceService, and how long it still lasts from the reported status;
nothing is remembered in between, so whoever starts over continues the step. A step begins when its share is proved to
be in effect, and a candidate that fails more than it may is taken back in any step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import knative, observed, serving, times
from sklearn_operator.core.settings import Settings

_ALL = 100
_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Move:
    """``share``: what the candidate is to get beside ``stable``; None: it has taken over and is the whole.

    ``progress``: the report of it. ``failed``: why it is to be taken back, as (reason, message).
    """

    stable: observed.Version
    share: serving.Share | None
    verdict: serving.Verdict = field(default_factory=serving.Verdict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    failed: tuple[str, str] | None = None
    look_again: timedelta = timedelta(seconds=1)


def beside(
    seen: observed.Observed,
    spec: api.SklearnModelSpec,
    target: observed.Version | None,
    known: Sequence[observed.Version],
    answering: str | None,
) -> observed.Version | None:
    """The version that goes on answering while ``target`` takes over in steps; None: there is nothing to step from.

    A version that served before needs no trial: to go back to it takes one step. A trial whose steps were taken out of
    the manifest ends by taking over.
    """
    live = seen.serving.service
    under_way = serving.share_of(live)
    begun = under_way is not None and target is not None and under_way.version == target.name
    if spec.serving is None or target is None or target.status.get("servedAt"):
        return None
    if spec.rollout.canary is None and not begun:
        return None
    carried = serving.carried_version(live)
    stable = next((one for one in known if one.name == carried and not one.deleting), None)
    if stable is None or stable.name == target.name or not stable.status.get("artifact"):
        return None
    return stable if begun or answering == stable.name else None


def move(
    seen: observed.Observed,
    spec: api.SklearnModelSpec,
    target: observed.Version,
    stable: observed.Version,
    settings: Settings,
    now: datetime,
) -> Move:
    """The next thing to do for a rollout in steps."""
    steps = spec.rollout.canary.steps if spec.rollout.canary is not None else ()
    limit = spec.rollout.canary.max_error_rate if spec.rollout.canary is not None else 1.0
    weights = [step.weight for step in steps]
    live = serving.share_of(seen.serving.service)
    if live is None or live.version != target.name:
        first = _first(seen, spec, target, weights)
        return Move(stable, first, progress=_told(weights, first.weight))
    failed = _too_many(seen.serving, target.name, stable.name, limit)
    if failed is not None:
        return Move(stable, live, failed=failed)
    verdict = serving.share_verdict(seen.serving, live)
    before = _before(seen.model, live, weights)
    if not verdict.live:
        gone = before is not None and not serving.available(seen.serving.canary)
        reason = _not_ready(target.name, verdict) if gone else None
        return Move(stable, live, verdict, _told(weights, live.weight, before), reason)
    pause = next((one.pause for one in steps if one.weight == live.weight), "0s")
    # A pause that was made shorter counts from now; one that was made longer, from the next step.
    until = min(before or _LATE, now + api.parse_duration(pause))
    if now < until or spec.suspend:
        left = min(until - now, settings.canary_look) if now < until else settings.canary_look
        return Move(stable, live, verdict, _told(weights, live.weight, until), look_again=left)
    following = next((weight for weight in weights if weight > live.weight), _ALL)
    if live.weight == _ALL:
        return Move(stable, None, verdict)
    share = serving.Share(target.name, live.name, following)
    return Move(stable, share, serving.Verdict(), _told(weights, following))


def _first(
    seen: observed.Observed, spec: api.SklearnModelSpec, target: observed.Version, weights: Sequence[int]
) -> serving.Share:
    """On Knative nothing, until the revision is ready: until then a share goes to whichever was ready last."""
    if spec.serving is not None and spec.serving.deployment_mode == knative.MODE:
        return serving.Share(target.name, "", 0)
    return serving.Share(target.name, serving.other_name(seen.serving.service), weights[0])


def _told(weights: Sequence[int], weight: int, until: datetime | None = None) -> dict[str, Any]:
    """``status.rollout``. The share of everything, before the old version goes, is the step after the last one."""
    step = next((index for index, known in enumerate(weights, 1) if known >= weight), len(weights) + 1)
    return {"step": step, "weight": weight} | ({"nextStepAt": times.text(until)} if until is not None else {})


def _before(model: observed.Model, live: serving.Share, weights: Sequence[int]) -> datetime | None:
    """The end of the present step, as reported since it began."""
    reported = model.status.get("rollout") or {}
    same = model.status.get("candidateVersion") == live.version
    known = {name: reported.get(name) for name in ("step", "weight")}
    return times.parse(reported.get("nextStepAt")) if same and known == _told(weights, live.weight) else None


def _too_many(seen: observed.Serving, candidate: str, stable: str, limit: float) -> tuple[str, str] | None:
    """Requests that the candidate fails, and those that it refuses beyond the share that the old version refuses."""
    ours, theirs = seen.traffic.get(candidate), seen.traffic.get(stable)
    if ours is None or not ours.requests:
        return None
    usual = theirs.refused / theirs.requests if theirs is not None and theirs.requests else 0.0
    refused = max(0.0, ours.refused - usual * ours.requests)
    rate = (ours.failed + refused) / ours.requests
    if rate <= limit:
        return None
    counted = f"{ours.failed} failed and {ours.refused} were refused of {ours.requests} requests"
    compared = f", where {stable} refuses {usual:.1%}" if ours.refused else ""
    return "ErrorRate", f"{candidate}: {counted}{compared}; rollout.canary.maxErrorRate is {limit:g}"


def _not_ready(candidate: str, verdict: serving.Verdict) -> tuple[str, str]:
    return "CandidateNotReady", f"{candidate} stopped being ready: {verdict.trouble or 'its pods give no reason'}"
