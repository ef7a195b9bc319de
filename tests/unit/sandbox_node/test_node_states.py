"""From containers to a pod's phase, conditions and status."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from sklearn_sandbox.node import endpoints, kubelet, states, termination

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=1)
WAITING = states.State(waiting=("ContainerCreating", ""))
RUNNING = states.State(running="2030-01-01T00:00:00Z", started=True, ready=True, identity="sandbox://1")


def ended(code: int) -> states.Ended:
    return states.Ended(code, "Completed" if code == 0 else "Error", "", "", "2030-01-01T00:00:00Z", "sandbox://1")


def over(code: int) -> states.State:
    return states.State(ended=ended(code))


def crashed(code: int) -> states.State:
    return states.State(waiting=("CrashLoopBackOff", ""), last=ended(code), restarts=1)


@pytest.mark.parametrize(
    ("policy", "initial", "main", "stopped", "expected"),
    [
        ("Always", [], [WAITING], False, "Pending"),
        ("Always", [], [RUNNING], False, "Running"),
        ("Always", [], [RUNNING, WAITING], False, "Pending"),
        ("Always", [], [crashed(1)], False, "Running"),
        ("Always", [], [over(0)], False, "Running"),
        ("Always", [], [over(0)], True, "Succeeded"),
        ("Always", [], [crashed(1)], True, "Failed"),
        ("Always", [], [RUNNING], True, "Running"),
        ("Never", [], [over(0)], False, "Succeeded"),
        ("Never", [], [over(1)], False, "Failed"),
        ("Never", [], [over(1), RUNNING], False, "Running"),
        ("Never", [over(1)], [WAITING], False, "Failed"),
        ("OnFailure", [over(1)], [WAITING], False, "Pending"),
        ("OnFailure", [], [over(1)], False, "Running"),
        ("OnFailure", [over(0)], [over(0)], False, "Succeeded"),
    ],
)
def test_the_phase_follows_the_kubelets_rules(
    policy: str, initial: list[states.State], main: list[states.State], stopped: bool, expected: str
) -> None:
    assert states.phase(policy, initial, main, stopped) == expected


def status(state: dict[str, Any], restarts: int = 2) -> dict[str, Any]:
    return {"name": "main", "state": state, "lastState": {}, "restartCount": restarts, "containerID": "sandbox://1"}


def test_what_ran_under_a_killed_agent_goes_on_as_after_a_crash() -> None:
    found = states.recovered(status({"running": {"startedAt": "2029-12-31T00:00:00Z"}}), "Always", NOW)
    assert (found.restarts, found.ended) == (3, None)
    assert found.last is not None
    assert (found.last.code, found.last.reason) == (137, "ContainerStatusUnknown")


def test_what_may_not_run_again_is_over() -> None:
    found = states.recovered(status({"running": {"startedAt": "2029-12-31T00:00:00Z"}}), "Never", NOW)
    assert found.ended is not None
    assert found.restarts == 2


def test_what_was_done_stays_done_and_what_waited_still_waits() -> None:
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "a", "finishedAt": "b"}}
    assert states.recovered(status(done), "OnFailure", NOW).ended is not None
    waits = states.recovered(status({"waiting": {"reason": "CrashLoopBackOff"}}), "Always", NOW)
    assert (waits.restarts, waits.ended, waits.waiting) == (2, None, ("ContainerCreating", ""))
    assert states.recovered(None, "Always", NOW) == WAITING


POD = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 3},
    "spec": {"containers": [{"name": "main", "image": "i"}]},
}


def picture(main: states.State, **more: Any) -> states.Picture:
    values = {"pod": POD, "ip": "10.88.1.2", "started": "s", "initial": {}, "main": {"main": main}, **more}
    return states.Picture(**{"sidecars": frozenset(), "prepared": True, "stopped": False, **values})


def conditions(found: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in found["conditions"]}


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    first = states.status(picture(WAITING), {}, NOW)
    assert conditions(first)["Ready"] == "False"
    second = states.status(picture(RUNNING), first, LATER)
    times = {one["type"]: one["lastTransitionTime"] for one in second["conditions"]}
    assert conditions(second)["Ready"] == "True"
    assert (times["Ready"], times["PodScheduled"]) == (states.stamp(LATER), states.stamp(NOW))
    assert second["observedGeneration"] == 3


def test_readiness_gates_hold_the_pod_back_but_not_its_containers() -> None:
    gated = POD | {"spec": {**POD["spec"], "readinessGates": [{"conditionType": "load-balancer"}]}}
    found = conditions(states.status(picture(RUNNING, pod=gated), {}, NOW))
    assert (found["ContainersReady"], found["Ready"]) == ("True", "False")
    before = {"conditions": [{"type": "load-balancer", "status": "True"}]}
    assert conditions(states.status(picture(RUNNING, pod=gated), before, NOW))["Ready"] == "True"


def test_a_sidecar_counts_as_done_once_it_is_up() -> None:
    spec = {**POD["spec"], "initContainers": [{"name": "side", "image": "i"}]}
    with_sidecar = {"pod": POD | {"spec": spec}, "initial": {"side": RUNNING}, "sidecars": frozenset(["side"])}
    found = states.status(picture(RUNNING, **with_sidecar), {}, NOW)
    assert conditions(found)["Initialized"] == "True"
    assert found["phase"] == "Running"


def endpoint(address: str, **said: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": said}


def test_connections_go_to_ready_pods_and_to_ending_ones_only_when_there_is_nobody_else() -> None:
    ready = endpoint("10.88.1.3", ready=True, serving=True, terminating=False)
    ending = endpoint("10.88.1.2", ready=False, serving=True, terminating=True)
    broken = endpoint("10.88.1.4", ready=False, serving=False, terminating=False)
    ports = [{"name": "http", "port": 8080}, {"name": "grpc", "port": 8081}]
    one, two = {"ports": ports, "endpoints": [ending, broken]}, {"ports": ports, "endpoints": [ready]}
    assert endpoints.backends([one, two], "http") == [endpoints.Backend("127.88.1.3", 8080, True)]
    assert endpoints.backends([one], "grpc") == [endpoints.Backend("127.88.1.2", 8081, False)]
    assert endpoints.backends([{"ports": ports, "endpoints": [broken]}], "http") == []
    assert endpoints.backends([two], "other") == []


def test_last_words_come_from_the_file_else_from_the_log_when_it_failed(tmp_path: Path) -> None:
    file, log = tmp_path / "words", tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    assert termination.message(fallback, 0, file, log) == ""
    assert termination.message({}, 1, file, log) == ""
    assert termination.message(fallback, 1, file, log).splitlines()[0] == "line 20"
    log.write_text("x" * 5000)
    assert len(termination.message(fallback, 1, file, log)) == 2048
    file.write_text("the file")
    assert termination.message(fallback, 1, file, log) == "the file"


@pytest.mark.parametrize(
    ("text", "lines", "rest"), [("a\nb\nc\n", 2, "b\nc\n"), ("a\nb", 1, "b"), ("a\n", 5, "a\n"), ("", 1, "")]
)
def test_a_tail_begins_at_a_line(tmp_path: Path, text: str, lines: int, rest: str) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    assert path.read_bytes()[kubelet.tail_offset(path, lines) :].decode() == rest


def test_a_tail_is_found_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{number:020}\n" for number in range(10_000)))
    assert len(path.read_bytes()[kubelet.tail_offset(path, 7_000) :].splitlines()) == 7_000
    assert kubelet.tail_offset(path, 0) == path.stat().st_size
