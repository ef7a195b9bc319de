"""Conditions in the shape of metav1.Condition.

Invariant: ``lastTransitionTime`` moves only when ``status`` does, and the order is fixed, so an unchanged situation
gives an unchanged document. Reasons and messages, most of which others wrote, pass through ``wording`` here and
nowhere else on their way into a condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import times, wording

ORDER = tuple(str(kind) for kind in api.ConditionType)


@dataclass(frozen=True)
class Condition:
    type: str
    status: str
    reason: str
    message: str = ""


def merge(
    previous: Sequence[Mapping[str, Any]],
    rows: Sequence[Condition],
    generation: int,
    now: datetime,
    *,
    keep_others: bool = False,
) -> list[dict[str, Any]]:
    """``rows`` as documents. ``keep_others``: types that are not in ``rows`` stay as they were."""
    before = {str(row.get("type")): row for row in previous}
    documents = {kind: dict(row) for kind, row in before.items() if keep_others and kind in ORDER}
    for row in rows:
        old = before.get(row.type)
        same = old is not None and old.get("status") == row.status and old.get("lastTransitionTime")
        documents[row.type] = {
            "type": row.type,
            "status": row.status,
            "reason": wording.reason(row.reason),
            "message": wording.message(row.message),
            "lastTransitionTime": old["lastTransitionTime"] if same and old else times.text(now),
            "observedGeneration": generation,
        }
    return sorted(documents.values(), key=lambda document: ORDER.index(document["type"]))
