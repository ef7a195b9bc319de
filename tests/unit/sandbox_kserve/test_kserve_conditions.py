"""Ready as Knative's condition library derives it."""

from __future__ import annotations

from kserve_things import NOW

from sklearn_sandbox.kserve import conditions

LATER = "2026-11-21T05:00:00Z"


def started() -> conditions.Conditions:
    known = conditions.Conditions([], NOW)
    known.start()
    return known


def test_all_is_unknown_at_first() -> None:
    assert {item["type"]: item["status"] for item in started().list()} == {
        "Ready": "Unknown",
        "PredictorReady": "Unknown",
        "IngressReady": "Unknown",
    }


def test_ready_takes_reason_and_message_of_what_fails() -> None:
    known = started()
    known.set("IngressReady", "True")
    known.set("PredictorReady", "False", "MinimumReplicasUnavailable", "no")
    assert known.get("Ready") == {
        "type": "Ready",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "no",
        "lastTransitionTime": NOW,
    }


def test_ready_is_true_without_a_reason_when_both_are() -> None:
    known = started()
    known.set("IngressReady", "True")
    known.set("PredictorReady", "True", "NewReplicaSetAvailable", "progressed")
    assert known.get("Ready") == {"type": "Ready", "status": "True", "lastTransitionTime": NOW}


def test_ready_stays_unknown_while_one_was_never_said() -> None:
    known = started()
    known.set("PredictorReady", "True")
    assert known.status("Ready") == "Unknown"


def test_false_outweighs_unknown() -> None:
    known = started()
    known.set("PredictorReady", "False", "Broken")
    known.set("IngressReady", "Unknown")
    assert known.status("Ready") == "False"


def test_other_conditions_are_information_and_do_not_count() -> None:
    known = started()
    known.set("IngressReady", "True")
    known.set("PredictorReady", "True")
    known.set("CanaryPredictorReady", "False", "CanariesNotReady")
    assert known.status("Ready") == "True"
    assert (known.get("CanaryPredictorReady") or {})["severity"] == "Info"


def test_time_moves_only_with_a_change_but_with_any() -> None:
    known = started()
    known.set("PredictorReady", "True", "MinimumReplicasAvailable")
    again = conditions.Conditions(known.list(), LATER)
    again.set("PredictorReady", "True", "MinimumReplicasAvailable")
    assert again.list() == known.list()
    again.set("PredictorReady", "True", "NewReplicaSetAvailable")
    assert (again.get("PredictorReady") or {})["lastTransitionTime"] == LATER


def test_what_ends_as_it_was_keeps_its_time_though_it_was_something_else_in_between() -> None:
    """Two parts that are not ready tell Ready their reasons one after the other, in every look."""
    first = started()
    first.set("PredictorReady", "False", "TooFew")
    first.set("IngressReady", "False", "NoRoute")
    again = conditions.Conditions(first.list(), LATER)
    again.set("PredictorReady", "False", "TooFew")
    again.set("IngressReady", "False", "NoRoute")
    assert again.list() == first.list()
