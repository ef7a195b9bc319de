"""What the verbs of ``kubectl sklearn`` mean when they are not told everything, and how rows become requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.cli.plugin import choices, kubectl, rows


def version(number: int, phase: str = "Succeeded", served: bool = True, **status: Any) -> dict[str, Any]:
    status = {"phase": phase} | ({"servedAt": "2026-01-01T00:00:00Z"} if served else {}) | status
    return {"metadata": {"name": f"digits-v{number}"}, "spec": {"number": number}, "status": status}


def model(phase: str = "Ready", generation: int = 1, seen: int = 1, **fields: Any) -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": status, "message": kind, "observedGeneration": seen}
        for kind, status in fields.pop("conditions", {}).items()
    ]
    status = {"phase": phase, "conditions": conditions} | fields
    return {"metadata": {"name": "digits", "generation": generation}, "status": status}


def test_going_back_means_the_good_version_that_served_before() -> None:
    known = [version(1), version(2), version(3, "Failed", served=False), version(4, served=False), version(5)]
    assert choices.to_go_back_to(model(servingVersion="digits-v5"), known) == "digits-v2"
    with pytest.raises(kubectl.Failed, match="before digits-v1"):
        choices.to_go_back_to(model(servingVersion="digits-v1"), known)
    with pytest.raises(kubectl.Failed, match="kubectl sklearn rollback digits VERSION"):
        choices.to_go_back_to(model(), known)


def test_going_back_in_a_rollout_means_the_version_that_still_serves() -> None:
    on_trial = model(servingVersion="digits-v2", candidateVersion="digits-v5", rollout={"step": 1, "weight": 10})
    assert choices.to_go_back_to(on_trial, [version(1), version(2), version(5, served=False)]) == "digits-v2"


def test_only_a_version_that_waits_is_approved_without_a_name() -> None:
    waiting = model("AwaitingApproval", candidateVersion="digits-v2", conditions={"AwaitingApproval": "True"})
    assert choices.to_approve(waiting) == "digits-v2"
    with pytest.raises(kubectl.Failed, match="no version of digits waits"):
        choices.to_approve(model(candidateVersion="digits-v2"))


@pytest.mark.parametrize(
    "found, expected",
    [
        (model(conditions={"Ready": "True", "Reconciling": "False"}), (True, "Ready")),
        (model(conditions={"Ready": "True", "Reconciling": "True"}), None),
        (model("Training", conditions={"Ready": "True", "Reconciling": "False"}), None),
        (model(seen=1, generation=2, conditions={"Ready": "True", "Reconciling": "False"}), None),
        (model("Degraded", conditions={"Ready": "True", "Stalled": "True"}), (False, "Stalled")),
        (model(conditions={"Ready": "False", "AwaitingApproval": "True"}), (False, "AwaitingApproval")),
    ],
)
def test_waiting_ends_when_it_is_done_or_needs_a_person(found: Any, expected: tuple[bool, str] | None) -> None:
    assert choices.verdict(found) == expected


def test_logs_are_of_the_newest_run_or_the_named_one() -> None:
    known = [version(1, run={"id": "a"}), version(2, run={"id": "b"}), version(3)]
    assert choices.run_id(known, "digits-v1") == ("digits-v1", {"id": "a"})
    assert choices.run_id(known[:2], None)[0] == "digits-v2"
    for wanted, words in ((None, "digits-v3 has no run yet"), ("digits-v9", "there is no version digits-v9")):
        with pytest.raises(kubectl.Failed, match=words):
            choices.run_id(known, wanted)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a,b\n1,x\n2.5,\n", ("v1", {"instances": [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]})),
        ("a,b\ntrue,False\n", ("v1", {"instances": [{"a": True, "b": False}]})),
        ("a,b\nnan,inf\n", ("v1", {"instances": [{"a": None, "b": "inf"}]})),
        ("[[1, 2], [3, 4]]", ("v1", {"instances": [[1, 2], [3, 4]]})),
        ("[1, 2]", ("v1", {"instances": [[1, 2]]})),
        ('{"a": 1}', ("v1", {"instances": [{"a": 1}]})),
        ('{"instances": [[1]]}', ("v1", {"instances": [[1]]})),
        ('{"inputs": []}', ("v2", {"inputs": []})),
    ],
)
def test_rows_become_the_body_of_a_request(text: str, expected: tuple[str, Any]) -> None:
    assert rows.request(text) == expected


@pytest.mark.parametrize("text, words", [("", "no input"), ("{", "looks like JSON"), ("[1,", "looks like JSON")])
def test_what_is_no_rows_is_told(text: str, words: str) -> None:
    with pytest.raises(kubectl.Failed, match=words):
        rows.request(text)


@given(st.text())
def test_any_text_is_a_request_or_a_clear_no(text: str) -> None:
    try:
        protocol, body = rows.request(text)
    except kubectl.Failed:
        return
    assert protocol in ("v1", "v2") and isinstance(body, dict)


def test_answers_are_one_line_per_row() -> None:
    assert rows.shown("v1", {"predictions": ["Gentoo", 8]}) == ["Gentoo", "8"]
    assert rows.shown("v2", {"outputs": [{"name": "predict", "data": [1.5]}]}) == ["1.5"]
