"""What an InferenceService says in Knative mode, where one predictor has revisions instead of a second predictor.

The predictor carries the candidate, and ``canaryTrafficPercent`` its share; the rest goes to the last revision that had
everything. Which version that is, an annotation of ours tells: KServe hands annotations on to the pods, so it changes
together with the version or not at all.

Invariants: a share is always set while a revision is not ready. Without one all requests go to the newest revision that
is ready, which may be the one that is being taken back. And every change of the version has a number, which is in the
pods, too: what KServe reports may be about an earlier turn of the same version.
"""

from __future__ import annotations

from typing import Any

from sklearn_operator.core import naming, observed

BESIDE = f"{naming.GROUP}/beside"
TURN = f"{naming.GROUP}/turn"
MODE = "Knative"
_MODE_ANNOTATION = "serving.kserve.io/deploymentMode"


def share(service: observed.Json | None) -> tuple[str, int] | None:
    """The version in the predictor and its share in per cent, where it shares."""
    version = _version(service or {})
    percent = (((service or {}).get("spec") or {}).get("predictor") or {}).get("canaryTrafficPercent")
    return (str(version), int(percent)) if version and percent is not None else None


def stable(service: observed.Json | None) -> str | None:
    """The version that the predictor's revision is beside, or was when it was made."""
    known = ((service or {}).get("metadata") or {}).get("annotations") or {}
    return str(known[BESIDE]) if known.get(BESIDE) and known.get(_MODE_ANNOTATION) == MODE else None


def numbered(manifest: dict[str, Any] | None, live: observed.Json | None) -> dict[str, Any] | None:
    """With its turn: that of ``live``, or the next one where the predictor gets another version.

    A turn that never changed is not written: what an earlier release made keeps its revision.
    """
    if manifest is None:
        return None
    number = turn(live) + (live is not None and _version(live) != _version(manifest))
    if number:
        manifest["metadata"]["annotations"][TURN] = str(number)
    return manifest


def turn(found: observed.Json | None) -> int:
    """Of an InferenceService, or of the template of its pods."""
    number = str((((found or {}).get("metadata") or {}).get("annotations") or {}).get(TURN) or "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


def _version(service: observed.Json) -> str | None:
    predictor = (service.get("spec") or {}).get("predictor") or {}
    return (predictor.get("labels") or {}).get(naming.LABEL_VERSION)


def reported(service: observed.Json | None) -> bool:
    """Whether KServe says that this is the mode."""
    return bool(((service or {}).get("status") or {}).get("deploymentMode") == MODE)


def settled(service: observed.Json | None) -> bool:
    """Whether the newest revision is ready and gets every request; it may well have no pod."""
    names = {_component(service).get(f"latest{kind}Revision") for kind in ("Created", "Ready", "Rolledout")}
    return len(names) == 1 and all(names)


def stable_deployment(service: observed.Json | None) -> str:
    """Of the newest revision that was ever ready; while there is a share, of the last one that had everything."""
    kind = "Ready" if share(service) is None else "Rolledout"
    return f"{_component(service).get(f'latest{kind}Revision')}-deployment"


def newest_deployment(service: observed.Json | None) -> str:
    return f"{_component(service).get('latestCreatedRevision')}-deployment"


def newest_ready(service: observed.Json | None) -> bool:
    component = _component(service)
    return bool(component.get("latestCreatedRevision")) and (
        component.get("latestCreatedRevision") == component.get("latestReadyRevision")
    )


def routed(service: observed.Json | None, percent: int) -> bool:
    """Whether the route gives the newest ready revision that much."""
    rows = _component(service).get("traffic") or ()
    return any(row.get("latestRevision") and row.get("percent") == percent for row in rows)


def _component(service: observed.Json | None) -> observed.Json:
    found: observed.Json = (((service or {}).get("status") or {}).get("components") or {}).get("predictor") or {}
    return found
