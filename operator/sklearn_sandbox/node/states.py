"""What is known about the containers of a pod, and what the API is told about it.

Invariant: pure. The status is computed anew from the containers every time; only the times at which a condition turned
are taken from what was said before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

HOST_IP = "127.0.0.1"
#: The kubelet's answer for a container that was running when it lost sight of it.
LOST = (137, "ContainerStatusUnknown", "The container was stopped together with the sandbox's node agent")


def stamp(when: dt.datetime) -> str:
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Ended:
    """A container's end."""

    code: int
    reason: str
    message: str
    started: str
    finished: str
    identity: str

    def shown(self) -> dict[str, Any]:
        found = {
            "exitCode": self.code,
            "reason": self.reason,
            "startedAt": self.started,
            "finishedAt": self.finished,
            "containerID": self.identity,
        }
        return {"terminated": found | ({"message": self.message} if self.message else {})}

    @classmethod
    def parse(cls, state: Mapping[str, Any] | None) -> Ended | None:
        found = (state or {}).get("terminated")
        if not found:
            return None
        text, started, finished = found.get("message", ""), found.get("startedAt", ""), found.get("finishedAt", "")
        return cls(found["exitCode"], found.get("reason", ""), text, started, finished, found.get("containerID", ""))


@dataclass(frozen=True)
class State:
    """One container. Exactly one of waiting, running, ended is set."""

    waiting: tuple[str, str] | None = None
    running: str | None = None
    ended: Ended | None = None
    last: Ended | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False
    identity: str = ""

    def shown(self, container: Mapping[str, Any]) -> dict[str, Any]:
        if self.ended is not None:
            state = self.ended.shown()
        elif self.running is not None:
            state = {"running": {"startedAt": self.running}}
        else:
            reason, message = self.waiting or ("ContainerCreating", "")
            state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        found = {
            "name": container["name"],
            "image": container["image"],
            "imageID": f"sandbox://{container['image']}" if self.identity else "",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": state,
            "lastState": self.last.shown() if self.last is not None else {},
        }
        return found | ({"containerID": self.identity} if self.identity else {})


def recovered(status: Mapping[str, Any] | None, policy: str, now: dt.datetime) -> State:
    """A container as an earlier agent left it: none of its processes is alive any more.

    One that may run again goes on as after a crash; one that may not is over.
    """
    if status is None:
        return State(waiting=("ContainerCreating", ""))
    state = status.get("state") or {}
    ended, last = Ended.parse(state), Ended.parse(status.get("lastState"))
    before = State(last=last, restarts=status.get("restartCount", 0), identity=status.get("containerID", ""))
    if running := state.get("running"):
        code, reason, message = LOST
        ended = Ended(code, reason, message, running.get("startedAt", stamp(now)), stamp(now), before.identity)
    if ended is None:
        return replace(before, waiting=("ContainerCreating", ""))
    if not restarts(policy, ended.code):
        return replace(before, ended=ended)
    return replace(before, waiting=("ContainerCreating", ""), last=ended, restarts=before.restarts + 1)


def restarts(policy: str, code: int) -> bool:
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def phase(policy: str, initial: Sequence[State], main: Sequence[State], stopped: bool) -> str:
    """The kubelet's rules. `stopped`: the pod is ended for good, whatever its policy says."""
    if stopped and all(one.running is None for one in [*initial, *main]):
        return "Succeeded" if all(one.ended is not None and one.ended.code == 0 for one in main) else "Failed"
    for one in initial:
        if one.ended is not None and one.ended.code != 0 and policy == "Never":
            return "Failed"
    if any(one.running is None and one.ended is None and one.last is None for one in main):
        return "Pending"
    if any(one.ended is None for one in main) or policy == "Always":
        return "Running"
    if any(restarts(policy, one.ended.code) for one in main if one.ended is not None):
        return "Running"
    return "Succeeded" if all(one.ended is not None and one.ended.code == 0 for one in main) else "Failed"


@dataclass(frozen=True)
class Picture:
    """A pod at one moment."""

    pod: Mapping[str, Any]
    ip: str
    started: str
    initial: Mapping[str, State]
    main: Mapping[str, State]
    #: Names of those init containers that keep running beside the main ones.
    sidecars: frozenset[str]
    #: The volumes are made, so containers may start.
    prepared: bool
    stopped: bool
    #: Why the whole pod ended, when the node ended it.
    reason: str = ""
    message: str = ""


def status(picture: Picture, before: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    spec = picture.pod["spec"]
    steps = [state for name, state in picture.initial.items() if name not in picture.sidecars]
    word = phase(spec.get("restartPolicy", "Always"), steps, list(picture.main.values()), picture.stopped)
    found: dict[str, Any] = {
        "observedGeneration": picture.pod["metadata"].get("generation", 1),
        "phase": word,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": picture.ip,
        "podIPs": [{"ip": picture.ip}],
        "startTime": picture.started,
        "conditions": conditions(picture, word, before.get("conditions") or [], now),
        "containerStatuses": [picture.main[one["name"]].shown(one) for one in spec["containers"]],
    }
    if spec.get("initContainers"):
        found["initContainerStatuses"] = [_initial(picture.initial[one["name"]], one) for one in spec["initContainers"]]
    if picture.reason:
        found |= {"reason": picture.reason, "message": picture.message}
    return found


def _initial(state: State, container: Mapping[str, Any]) -> dict[str, Any]:
    """An init container counts as ready when it did its work."""
    done = state.ended is not None and state.ended.code == 0
    return state.shown(container) | {"ready": done or state.ready}


def conditions(
    picture: Picture, word: str, before: Sequence[Mapping[str, Any]], now: dt.datetime
) -> list[dict[str, Any]]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(word)
    undone = [
        name
        for name, one in picture.initial.items()
        if not (one.started if name in picture.sidecars else one.ended is not None and one.ended.code == 0)
    ]
    beside = [(name, one) for name, one in picture.initial.items() if name in picture.sidecars]
    unready = [name for name, one in [*picture.main.items(), *beside] if not one.ready]
    if undone and word != "Succeeded":
        initialized = (
            False,
            over or "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(undone)}]",
        )
    else:
        initialized = (True, "PodCompleted" if word == "Succeeded" else "", "")
    if over:
        ready = (False, over, "")
    elif unready:
        ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        ready = (True, "", "")
    gated = _gates(picture.pod, ready, before)
    wanted = {
        "PodScheduled": (True, "", ""),
        "PodReadyToStartContainers": (picture.prepared and not over, "", ""),
        "Initialized": initialized,
        "ContainersReady": ready,
        "Ready": gated,
    }
    known = {one["type"]: one for one in before}
    return [_condition(kind, value, known.get(kind), now) for kind, value in wanted.items()]


def _gates(
    pod: Mapping[str, Any], ready: tuple[bool, str, str], before: Sequence[Mapping[str, Any]]
) -> tuple[bool, str, str]:
    held = {one["type"] for one in before if one["status"] == "True"}
    missing = [
        gate["conditionType"] for gate in pod["spec"].get("readinessGates") or [] if gate["conditionType"] not in held
    ]
    if ready[0] and missing:
        return False, "ReadinessGatesNotReady", f"readiness gates without True: {' '.join(missing)}"
    return ready


def _condition(
    kind: str, value: tuple[bool, str, str], before: Mapping[str, Any] | None, now: dt.datetime
) -> dict[str, Any]:
    word, reason, message = "True" if value[0] else "False", value[1], value[2]
    turned = before["lastTransitionTime"] if before is not None and before["status"] == word else stamp(now)
    # Empty is said too: a merge would keep the old words otherwise.
    return {
        "type": kind,
        "status": word,
        "lastTransitionTime": turned,
        "reason": reason or None,
        "message": message or None,
    }
