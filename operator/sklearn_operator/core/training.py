"""What is trained: the frozen inputs of a version, their hash, and the configuration of one run.

Invariant: the hash covers exactly what changes the trained bytes or the figures reported about them. Serving, rollout,
gates, schedules, history and the operator's own defaults are not in it, so changing those never trains.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import gates, naming, observed, parameters, places, tuning, typed
from sklearn_operator.core.settings import Settings
from sklearn_steps import contract

#: The strings of a JSON text, and the opening brackets of a list that begins with a list.
_STRING_OR_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?=\[)')
_ESCAPES = {"[": "\\u005b", "{": "\\u007b", "$": "\\u0024"}
_OF_THE_RUN = frozenset({*contract.RUN_FIELDS, "trigger", "trainingHash", "previous"})
_SERVED = "served"
#: Equal here is equal in JSON; of a float that is not so.
_PLAIN = (str, bool, int, type(None))
_HASHED_TRAINING = {"image", "requirements", "seed"}


def training_hash(spec: api.SklearnModelSpec) -> str:
    """Hash of the parts that make a new version.

    Defaults are left out: a later release may add fields without retraining the world, and naming a default changes
    nothing. The trainer image counts when the manifest names it (docs/adr/0003).
    """
    parts: dict[str, Any] = {
        "data": _explicit(spec.data, exclude={"credentials_secret"}),
        "model": _explicit(spec.model),
        "tuning": _explicit(spec.tuning, exclude={"engine"}),
        "evaluation": _explicit(spec.evaluation, exclude={"gates"}),
        "training": _explicit(spec.training, include=_HASHED_TRAINING),
    }
    return naming.digest({name: part for name, part in parts.items() if part})


def run_hash(spec: api.SklearnModelSpec) -> str:
    """Hash of everything that a run depends on: how it trains and with whose credentials included."""
    return naming.digest(_run_inputs(spec))


def made_as(version: observed.Version, spec: api.SklearnModelSpec) -> bool:
    """Whether the version's run had what the manifest says now.

    A default that only one of the two writes out is no difference: a later release may add fields.
    """
    made = {name: part for name, part in version.training.items() if name != gates.COMPARED}
    made["evaluation"] = {name: value for name, value in (made.get("evaluation") or {}).items() if name != "gates"}
    named = _run_inputs(spec, exclude_defaults=True)
    return _within(named, made) and _within(made, _run_inputs(spec))


def _run_inputs(spec: api.SklearnModelSpec, **selection: Any) -> dict[str, Any]:
    """Without the gates: they judge a version that is there, and make none."""
    parts: dict[str, api.ApiModel | None] = {
        "data": spec.data,
        "model": spec.model,
        "tuning": spec.tuning,
        "evaluation": (spec.evaluation or api.EvaluationSpec()).model_copy(update={"gates": ()}),
        "training": spec.training or api.TrainingSpec(),
        "pipeline": spec.pipeline or api.PipelineSpec(),
        "artifacts": spec.artifacts or api.ArtifactsSpec(),
    }
    dumped = {
        name: part.model_dump(mode="json", by_alias=True, exclude_none=True, **selection)
        for name, part in parts.items()
        if part is not None
    }
    return dumped | _served(spec)


def _served(spec: api.SklearnModelSpec) -> dict[str, bool]:
    """Whether a server has to load the model, where that may fail for packages that only its training had."""
    return {_SERVED: spec.serving is not None} if spec.training and spec.training.requirements else {}


def _within(small: Any, large: Any) -> bool:
    """Whether all that ``small`` says, ``large`` says too; an empty mapping says nothing."""
    if isinstance(small, Mapping) and isinstance(large, Mapping):
        return all(value == {} or (key in large and _within(value, large[key])) for key, value in small.items())
    if isinstance(small, list) and isinstance(large, list):
        return len(small) == len(large) and all(map(_within, small, large))
    if type(small) is type(large) and isinstance(small, _PLAIN):
        return bool(small == large)
    return naming.digest(small) == naming.digest(large)


def _explicit(part: api.ApiModel | None, **selection: Any) -> dict[str, Any]:
    if part is None:
        return {}
    return part.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, **selection)


def frozen(spec: api.SklearnModelSpec, compared: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The resolved inputs as they are kept in the version's spec, defaults included.

    ``compared``: the version that this one is to be compared with.
    """
    parts: dict[str, api.ApiModel | None] = {
        "data": spec.data,
        "model": spec.model,
        "tuning": spec.tuning,
        "evaluation": spec.evaluation,
        "training": spec.training,
        "pipeline": spec.pipeline,
        "artifacts": spec.artifacts if _explicit(spec.artifacts) else None,
    }
    resolved = {
        name: part.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, part in parts.items()
        if part is not None
    }
    return resolved | _served(spec) | ({gates.COMPARED: dict(compared)} if compared else {})


def run_config(
    model: observed.Model,
    version: observed.Version,
    settings: Settings,
    catalogue: parameters.Catalogue,
    versions: Iterable[observed.Version] = (),
) -> dict[str, Any]:
    """The one JSON document that the tasks read (``sklearn_steps.contract.RunConfig``).

    ``versions``: of the model; with the newest good one before this the data is compared.

    Numbers get their types back here: the API server turns ``1.0`` into ``1``, and for scikit-learn the two differ.
    """
    frozen_inputs = version.training
    data = {name: value for name, value in frozen_inputs["data"].items() if name != "credentialsSecret"}
    search = frozen_inputs.get("tuning")
    tuned = {"tuning": tuning.config(search, frozen_inputs["model"], catalogue)} if search else {}
    return tuned | {
        "formatVersion": 1,
        "namespace": model.key.namespace,
        "model": model.key.name,
        "version": version.name,
        "number": version.number,
        "runId": naming.run_id(version.uid, version.attempt),
        "attempt": version.attempt,
        "trainingHash": version.training_hash,
        "trigger": {"type": version.trigger_type, "key": version.trigger_key},
        "image": image(version, settings),
        "seed": int((frozen_inputs.get("training") or {}).get("seed") or 0),
        "data": data,
        **_about_data(data, version, settings, versions),
        **_trained(frozen_inputs["model"], catalogue, settings),
        **({"packages": sorted(settings.packages)} if settings.packages else {}),
        **_about_model(frozen_inputs),
        "evaluation": _evaluation(frozen_inputs),
        "artifactUri": places.folder(model, version, settings),
    }


def _about_data(
    data: Mapping[str, Any], version: observed.Version, settings: Settings, versions: Iterable[observed.Version]
) -> dict[str, Any]:
    """What the task has to know about its data besides what the manifest says."""
    said: dict[str, Any] = {}
    if str(data["source"].get("uri") or "").startswith(("http://", "https://")):
        said["dataHosts"] = sorted(settings.data_hosts)
    earlier = [item for item in versions if item.number < version.number and item.phase == "Succeeded"]
    previous = max(earlier, key=lambda item: item.number, default=None)
    uri = str((previous.status.get("artifact") or {}).get("uri") or "") if previous else ""
    if previous is not None and uri.endswith("/"):
        said["previous"] = {"name": previous.name, "artifactUri": uri}
    return said


def _about_model(frozen_inputs: observed.Json) -> dict[str, Any]:
    """How the model is made and kept, and whether a server has to be able to load it."""
    said = {
        "requirements": list((frozen_inputs.get("training") or {}).get("requirements") or []),
        "served": bool(frozen_inputs.get(_SERVED)),
        "compress": int((frozen_inputs.get("artifacts") or {}).get("compress") or 0),
    }
    return {name: value for name, value in said.items() if value}


def _trained(model: Mapping[str, Any], catalogue: parameters.Catalogue, settings: Settings) -> dict[str, Any]:
    """The estimator, the pipeline, the script or the pretrained model, under its own name."""
    if "script" in model:
        hosts = {"gitHosts": sorted(settings.git_hosts)} if "git" in model["script"]["source"] else {}
        return {"script": model["script"], **hosts}
    if "pretrained" in model:
        return {"pretrained": model["pretrained"]}
    if "pipeline" in model:
        return {"pipeline": typed.pipeline(model["pipeline"], catalogue)}
    return {"estimator": typed.estimator(model["estimator"], catalogue)}


def _evaluation(frozen_inputs: observed.Json) -> dict[str, Any]:
    """How the task judges; whom it compares with was recorded with the version, so every attempt does the same."""
    given = frozen_inputs.get("evaluation") or {}
    parts = {
        "metrics": list(given.get("metrics") or []),
        "crossValidation": given.get("crossValidation"),
        "gates": list(given.get("gates") or []),
        "compareWith": gates.compares(frozen_inputs),
    }
    return {name: part for name, part in parts.items() if part or name == "metrics"}


def cached(version: observed.Version) -> bool:
    """Whether tasks are to be skipped whose inputs are those of an earlier run."""
    return bool((version.training.get("training") or {}).get("cache"))


def parameters_of(version: observed.Version, config: Mapping[str, Any]) -> dict[str, str]:
    """The pipeline's parameters: the configuration and, where the run is cached, what of it changes the model."""
    if not cached(version):
        return {"config": encode_config(config)}
    judging = {name: part for name, part in config["evaluation"].items() if name not in ("gates", "compareWith")}
    recipe = {name: part for name, part in config.items() if name not in _OF_THE_RUN} | {"evaluation": judging}
    return {"config": encode_config(config), "recipe": encode_config(recipe)}


def encode_config(config: Mapping[str, Any]) -> str:
    """The configuration as JSON in which nobody on the way finds anything to expand.

    The pipeline server replaces ``[[RunUUID]]`` and the like in string parameters, its driver ``{{$...}}``, Argo
    ``{{...}}`` and the kubelet ``$(NAME)`` and ``$$``. JSON can spell each of these characters differently.
    """
    text = json.dumps(config, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _STRING_OR_BRACKETS.sub(_harmless, text)


def _harmless(match: re.Match[str]) -> str:
    found = match.group()
    return "[ " if found == "[" else re.sub(r"\[(?=\[)|\{(?=\{)|\$", lambda one: _ESCAPES[one.group()], found)


def image(version: observed.Version, settings: Settings) -> str:
    return str((version.training.get("training") or {}).get("image") or settings.trainer_image)
