"""Builds an observation from a scenario's words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import inquiry, knative, naming, report, rollout, serving, settings, training, versions
from sklearn_operator.core import observed as facts

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = facts.ModelKey("default", "digits")
BASE: dict[str, Any] = {
    "data": {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}},
    "model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}},
    "serving": {},
}


def raw_spec(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest manifest with other fields; null takes one away."""
    merged = copy.deepcopy(BASE)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = {key: item for key, item in (merged[name] | value).items() if item is not None}
        else:
            merged[name] = value
    return merged


def spec(changes: Mapping[str, Any]) -> api.SklearnModelSpec:
    return api.parse_spec(raw_spec(changes))


def settings_of(scenario: Mapping[str, Any]) -> settings.Settings:
    return settings.Settings(**(scenario.get("settings") or {}))


def observed_model(words: Mapping[str, Any]) -> facts.Model:
    fields: dict[str, Any] = {
        "key": KEY,
        "uid": "11111111-2222-3333-4444-555555555555",
        "generation": 1,
        "resource_version": "7",
        "spec": raw_spec(words.get("spec") or {}),
        "finalizers": (naming.FINALIZER,),
        "annotations": words.get("annotations") or {},
        "deleting": bool(words.get("deleting")),
    }
    if words.get("serving_reported"):
        fields["status"] = {"servingVersion": words["serving_reported"]}
    if words.get("rollout_reported"):
        fields["status"] = fields.get("status", {}) | words["rollout_reported"]
    if words.get("deleting_for"):
        fields["deleting_since"] = NOW - seconds(words["deleting_for"])
    changes = dict(words.get("model") or {})
    if "finalizers" in changes:
        changes["finalizers"] = tuple(changes["finalizers"])
    return facts.Model(**(fields | changes))


def observed(scenario: Mapping[str, Any]) -> facts.Observed:
    words, seen = scenario.get("given") or {}, scenario.get("seen") or {}
    model = observed_model(words)
    wish = training.training_hash(spec(words.get("spec") or {}))
    trained = raw_spec(words.get("spec") or {})["model"]
    tried = rollout.serving_hash(spec(words.get("spec") or {}))
    known = tuple(_version(item, wish, trained, tried) for item in words.get("versions") or ())
    by_name = {version.name: version for version in known}
    serving_seen = _serving(seen.get("serving"), model, by_name)
    if words.get("reported"):
        model = _reported(model, known, serving_seen, wish, up=words["reported"] != "nothing up")
    questions = inquiry.questions(model, known, None, None, None, settings.Settings())
    return facts.Observed(
        model=model,
        versions=known,
        attempts={question.version: _attempt(by_name[question.version], seen) for question in questions.runs},
        serving=serving_seen,
        unsubmitted=frozenset((by_name[name].uid, 1) for name in seen.get("unsubmitted") or ()),
        ending_since={
            naming.run_id(by_name[name].uid, 1): NOW - seconds(ago)
            for name, ago in (seen.get("asked_to_end") or {}).items()
        },
        pods_left={name: tuple(pods) for name, pods in (seen.get("pods_left") or {}).items()},
        unanswered=seen.get("unanswered") or {},
        runs_left={
            name: tuple(_run(by_name[name], run) for run in runs)
            for name, runs in (seen.get("runs_left") or {}).items()
        },
        objects_left=seen.get("objects_left") or {},
    )


def _version(words: Mapping[str, Any], wish: str, wanted: Mapping[str, Any], tried: str) -> Any:
    number = words["number"]
    uid = f"{number:08d}-aaaa-bbbb-cccc-dddddddddddd"
    status = words.get("status") or {}
    if status == "good":
        root = naming.artifact_uri("s3://models", "default", "digits", number, uid, 1)
        status = {
            "phase": "Succeeded",
            "metrics": {"accuracy": 0.969},
            "metric": "accuracy=0.969",
            "lineage": {"sklearn": words["sklearn"]} if "sklearn" in words else {},
            "artifact": {"uri": root, "sha256": "ab" * 32, "size": 1},
            "servedAt": "2026-01-01T11:00:00Z",
            "run": {"id": naming.run_id(uid, 1), "name": "n", "state": "SUCCEEDED", "attempt": 1},
        }
        rows = [
            {"type": kind, "status": words[word], "lastTransitionTime": "2026-01-01T11:00:00Z"}
            for word, kind in (("served", "Served"), ("awaiting", "AwaitingApproval"))
            if word in words
        ]
        status = status | ({"conditions": rows} if rows else {})
        if words.get("fresh"):
            del status["servedAt"]
        if words.get("rolled_back"):
            mark = {"serving": words.get("tried_with", tried), "reason": "OOMKilled", "message": words["rolled_back"]}
            status = status | {"rolledBack": mark}
    elif (status.get("run") or {}).get("id") == "run-id":
        status = status | {"run": status["run"] | {"id": naming.run_id(uid, 1)}}
    trigger = words.get("trigger", "")
    options = {"timeout": words.get("timeout", "1h"), "attempts": words.get("attempts", 1)}
    return facts.Version(
        name=f"digits-v{number}",
        uid=uid,
        number=number,
        training_hash=wish if words["hash"] == "current" else words["hash"],
        trigger_type="Manual" if trigger else "SpecChange",
        trigger_key=trigger or words["hash"],
        created_at=NOW - seconds(words.get("age", "300s")),
        training={
            "data": BASE["data"],
            "model": wanted if words["hash"] == "current" else BASE["model"],
            "training": options,
        }
        | _judging(words),
        status=status,
        deleting=bool(words.get("deleting")),
        finalizers=(naming.FINALIZER,),
        resource_version="3",
        retrain=words.get("retrain"),
    )


def _judging(words: Mapping[str, Any]) -> dict[str, Any]:
    """What a version recorded when it was made: its search, its gates, and whom it is to be compared with."""
    found: dict[str, Any] = {"evaluation": {"gates": words["gates"]}} if "gates" in words else {}
    if "tuning" in words:
        found["tuning"] = words["tuning"]
    if "compare_with" in words:
        found["compareWith"] = {"version": words["compare_with"], "uri": "s3://models/x/", "sha256": "ab" * 32}
    return found


def seconds(text: str) -> timedelta:
    return timedelta(seconds=float(str(text).removesuffix("s")))


def _run(version: Any, words: Mapping[str, Any]) -> Any:
    run_id = naming.run_id(version.uid, version.attempt)
    state = facts.RunState(words["state"])
    ended = NOW - seconds(words.get("ended", "1s")) if state.terminal else None
    name = naming.run_display_name("default", version.name, version.attempt, run_id)
    return facts.Run(run_id, name, state, NOW - seconds(words["age"]), ended)


def _attempt(version: Any, seen: Mapping[str, Any]) -> Any:
    run = (seen.get("runs") or {}).get(version.name)
    result = (seen.get("results") or {}).get(version.name)
    failure = (seen.get("failures") or {}).get(version.name)
    trouble = (seen.get("troubles") or {}).get(version.name)
    if result is not None:
        uri = naming.artifact_uri("s3://models", "default", "digits", version.number, version.uid, version.attempt)
        headline = next(iter(result["metrics"]))
        result = {
            "artifact": {"uri": uri, "sha256": "ab" * 32, "size": 1},
            "lineage": {},
            "headline": headline,
            **result,
        }
    troubles = ()
    if trouble:
        troubles = (facts.PodTrouble("pod-1", trouble["reason"], trouble["message"], NOW - seconds(trouble["age"])),)
    outcome = facts.Outcome(result=result, failure=failure) if result or failure else None
    return facts.Attempt(_run(version, run) if run else None, outcome, troubles)


def _serving(words: Mapping[str, Any] | None, model: Any, known: Mapping[str, Any]) -> Any:
    if words is None:
        return facts.Serving()
    name = words["version"]
    mode = words.get("mode", "Standard")
    parsed = spec({"serving": {"deploymentMode": mode}})
    version = known.get(name)
    share = _share(words.get("canary"), known)
    letter = words.get("predictor", "")
    beside = words.get("beside")
    made = serving.manifest(model, parsed, version, settings.Settings(), letter, share, beside) if version else None
    service = made or _bare_service(model, name)
    done = bool(words.get("live") or words.get("rolled_out"))
    service["spec"]["predictor"] |= words.get("edited") or {}
    service["status"] = {
        "url": "http://digits.example",
        "address": {"url": "http://digits.local"},
        "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "PredictorReady", "IngressReady")],
    }
    if "deployed" in words or share is not None:
        shared = {"f:predictor": {"f:canaryTrafficPercent": {}}} if mode == "Knative" else {"f:canary": {}}
        fields = words.get("recorded") or ({"f:spec": shared} if share is not None else {})
        ours = {"manager": naming.FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
        ours["time"] = (NOW - seconds(words.get("deployed", "1s"))).strftime("%Y-%m-%dT%H:%M:%SZ")
        service["metadata"]["managedFields"] = [ours]
    if words.get("foreign"):
        service["metadata"]["ownerReferences"] = []
    label = words.get("template", name)
    replicas = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}
    about: dict[str, Any] = {"labels": {naming.LABEL_VERSION: label}}
    if "turn" in words:
        service["metadata"]["annotations"][knative.TURN] = str(words["turn"])
        about["annotations"] = {knative.TURN: str(words.get("turn_of_pods", words["turn"]))}
    deployment = {
        "metadata": {"uid": "d", "generation": 1},
        "spec": {"template": {"metadata": about}},
        "status": replicas if done or "template" in words else {"replicas": 1, "observedGeneration": 1},
    }
    if words.get("no_pod"):
        row = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words["no_pod"]}
        deployment["status"] = {"observedGeneration": 1, "conditions": [row]}
    if words.get("down"):
        deployment["status"] = {"replicas": 1, "observedGeneration": 1}
    refusal = None
    if words.get("refused") and version:
        desired = serving.manifest(model, parsed, version, settings.Settings())
        refusal = facts.Refusal(desired, words["refused"]) if desired else None
    canary = _canary(words["canary"], service) if share is not None else {}
    if mode == "Knative":
        service["status"] |= _revisions(words)
    return facts.Serving(
        **canary,
        troubles=tuple(
            facts.PodTrouble("pod-1", reason, message, NOW, version)
            for version, (reason, message) in (words.get("troubles") or {}).items()
        ),
        refusal=refusal,
        service=service,
        deployment=deployment,
        ready_versions=tuple(words.get("ready_versions") or ()),
        proven=name if words.get("live") else None,
        probe_error="another version answered" if "answered" in words else None,
        answered=words.get("answered"),
    )


def _share(words: Mapping[str, Any] | None, known: Mapping[str, Any]) -> Any:
    if words is None:
        return None
    version = words["version"]
    return known[version], serving.Share(version, words.get("predictor", "a"), words["weight"])


def _canary(words: Mapping[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """``state``: starting, ready, or gone (without a pod that is ready); ``counted``: [requests, 5xx, 4xx]."""
    version, state = words["version"], words.get("state", "ready")
    up = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}
    row = {"name": words.get("predictor", "a"), "ready": state == "ready", "trafficPercent": words["weight"]}
    service["status"]["canaryStatuses"] = [row]
    return {
        "canary": {
            "metadata": {"uid": "c", "generation": 1},
            "spec": {"template": {"metadata": {"labels": {naming.LABEL_VERSION: version}}}},
            "status": up if state == "ready" else {"replicas": 1, "observedGeneration": 1},
        },
        "canary_proven": version if state == "ready" else None,
        "traffic": {name: facts.Traffic(*counts) for name, counts in (words.get("counted") or {}).items()},
    }


def _revisions(words: Mapping[str, Any]) -> dict[str, Any]:
    """``routed``: the share that the route gives, where it is not yet the one asked for. ``unreported``: none yet."""
    if words.get("unreported"):
        return {"deploymentMode": "Knative"}
    canary = words.get("canary") or {}
    newest = "r2" if canary else "r1"
    ready = newest if canary.get("state", "ready") == "ready" else "r1"
    percent = canary.get("routed", canary.get("weight", 100))
    component = {
        "latestCreatedRevision": newest,
        "latestReadyRevision": ready,
        "latestRolledoutRevision": "r1" if percent < 100 else newest,
        "traffic": [
            {"revisionName": ready, "latestRevision": True, "percent": percent},
            {"revisionName": "r1", "latestRevision": False, "percent": 100 - percent, "tag": "prev"},
        ],
    }
    return {"deploymentMode": "Knative", "components": {"predictor": component}}


def _bare_service(model: Any, name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": model.key.name, "ownerReferences": [serving.owner(model)]},
        "spec": {"predictor": {"labels": {naming.LABEL_VERSION: name}}},
    }


def _reported(model: Any, known: Any, serving_seen: Any, wish: str, *, up: bool) -> Any:
    """The model with the status that a former pass would have written."""
    target = versions.serving_target(known, wish)
    train_only = model.spec.get("serving") is None
    situation = report.Situation(
        model=model,
        known=known,
        now=NOW,
        wanted=versions.wanted(known, wish),
        target=target,
        answering=target.name if target and up and not train_only else None,
        train_only=train_only,
        service=serving_seen.service,
    )
    return replace(model, status=report.status(situation))


def at(thing: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(thing, Sequence):
            thing = thing[int(part)]
        else:
            thing = thing.get(part) if isinstance(thing, Mapping) else getattr(thing, part, None)
    return thing


def check_status(expected: Mapping[str, Any], status: Mapping[str, Any] | None) -> None:
    assert status is not None, "the status was left alone"
    rows = {row["type"]: row for row in status["conditions"]}
    for path, value in expected.items():
        if path not in ("conditions", "message"):
            assert at(status, path) == value, (path, status)
    for kind, message in (expected.get("message") or {}).items():
        assert rows[kind]["message"] == message, (kind, rows[kind])
    for kind, words in (expected.get("conditions") or {}).items():
        wanted_status, _, reason = words.partition(" ")
        assert rows[kind]["status"] == wanted_status, (kind, rows)
        assert not reason or rows[kind]["reason"] == reason, (kind, rows[kind])
