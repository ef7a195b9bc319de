"""What KServe's mutating webhook writes into an InferenceService.

Invariant: pure and idempotent: what was defaulted once is not changed again, so a repeated apply changes nothing.
"""

from __future__ import annotations

import copy

from sklearn_sandbox.kserve import amounts, names
from sklearn_sandbox.kserve.names import Json

#: The old forms that become `model`. A manifest that uses them differs from what is stored for ever after.
_OLD_FORMS = ("sklearn", "xgboost", "lightgbm")


def default(service: Json) -> Json:
    changed = copy.deepcopy(service)
    annotations = changed["metadata"].get("annotations") or {}
    mode = annotations.get(names.DEPLOYMENT_MODE)
    if mode in names.LEGACY_MODES:
        annotations[names.DEPLOYMENT_MODE] = names.LEGACY_MODES[mode]
    spec = changed["spec"]
    _adopt_old_form(spec["predictor"])
    if model := spec["predictor"].get("model"):
        annotations.setdefault(names.MODEL_FORMAT, model["modelFormat"]["name"])
    if annotations:
        changed["metadata"]["annotations"] = annotations
    for predictor in (spec["predictor"], *(item["predictor"] for item in spec.get("canary") or [])):
        _as_go_writes_it(predictor)
    return changed


def _adopt_old_form(predictor: Json) -> None:
    form = next((name for name in _OLD_FORMS if predictor.get(name) is not None), None)
    if form is not None:
        predictor["model"] = {"modelFormat": {"name": form}, **predictor.pop(form)}


def _as_go_writes_it(predictor: Json) -> None:
    """A container's name and resources are there even where they are empty, an empty value of a variable never is."""
    for form in ("model", *_OLD_FORMS):
        container = predictor.get(form)
        if container is None:
            continue
        container.setdefault("name", "")
        asked = container.setdefault("resources", {})
        for kind in asked.keys() & {"requests", "limits"}:
            asked[kind] = {name: amounts.canonical(value) for name, value in asked[kind].items()}
        for variable in container.get("env") or ():
            if variable.get("value") == "":
                del variable["value"]
