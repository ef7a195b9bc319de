"""What is known of the models, counted when somebody asks: Prometheus scrapes it from the cache.

Invariant: nothing is kept of a model that the cache does not hold any more, so its series end with it. A scrape reads
again only what has changed since the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sklearn_operator.core import observed, times
from sklearn_operator.runtime import cache as caching


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of one model: as few as the metrics need. ``due``: the next slot of its schedule, unless it is suspended."""

    revision: int
    phase: str
    trained: float | None
    due: float | None
    deleted: float | None


class Fleet(Collector):
    """``per_model``: also series of every single model, for installations that can bear them."""

    def __init__(self, cache: caching.Cache, *, per_model: bool = False) -> None:
        self._cache = cache
        self._per_model = per_model
        self._known: dict[observed.ModelKey, _Facts] = {}
        self._counted_at = -1
        self._counted: list[Metric] = []

    def describe(self) -> list[Metric]:
        """What there will be: without an answer here the registry would collect in order to know."""
        return [*_families().values(), *(_own_families().values() if self._per_model else ())]

    def collect(self) -> Iterator[Metric]:
        """Thousands of models are not counted again while nothing about them changes."""
        if self._counted_at != (changes := self._cache.changes):
            self._counted_at, self._counted = changes, list(self._count())
        return iter(self._counted)

    def namespaces(self) -> set[str]:
        """Those that have a model."""
        self.collect()
        return {key.namespace for key in self._known}

    def _count(self) -> Iterator[Metric]:
        self._refresh()
        families = _families()
        counted = Counter((key.namespace, facts.phase) for key, facts in self._known.items())
        for (namespace, phase), count in sorted(counted.items()):
            families["models"].add_metric([namespace, phase], count)
        for name, pick in _OLDEST.items():
            for namespace, moment in sorted(self._oldest(pick).items()):
                families[name].add_metric([namespace], moment)
        yield from families.values()
        if self._per_model:
            yield from self._own().values()

    def _oldest(self, pick: Callable[[_Facts], float | None]) -> dict[str, float]:
        found: dict[str, float] = {}
        for key, facts in self._known.items():
            moment = pick(facts)
            if moment is not None:
                found[key.namespace] = min(moment, found.get(key.namespace, moment))
        return found

    def _own(self) -> dict[str, GaugeMetricFamily]:
        families = _own_families()
        for key, facts in sorted(self._known.items()):
            families["phase"].add_metric([key.namespace, key.name, facts.phase], 1)
            if facts.trained is not None:
                families["trained"].add_metric([key.namespace, key.name], facts.trained)
        return families

    def _refresh(self) -> None:
        known: dict[observed.ModelKey, _Facts] = {}
        for key, name, revision in self._cache.revisions(caching.MODEL):
            before = self._known.get(key)
            if before is not None and before.revision == revision:
                known[key] = before
            elif (raw := self._cache.one(caching.MODEL, key, name)) is not None:
                known[key] = _facts(raw, revision)
        self._known = known


_OLDEST: Mapping[str, Callable[[_Facts], float | None]] = {
    "trained": lambda facts: facts.trained,
    "due": lambda facts: facts.due,
    "deleted": lambda facts: facts.deleted,
}


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        "models": GaugeMetricFamily(
            "sklearn_operator_models", "Models by namespace and phase.", labels=["namespace", "phase"]
        ),
        "trained": GaugeMetricFamily(
            "sklearn_operator_oldest_training_success_timestamp_seconds",
            "When the model whose last good training is the longest ago had it, of each namespace.",
            labels=["namespace"],
        ),
        "due": GaugeMetricFamily(
            "sklearn_operator_next_schedule_timestamp_seconds",
            "The earliest slot that a schedule of the namespace waits for; in the past it is overdue.",
            labels=["namespace"],
        ),
        "deleted": GaugeMetricFamily(
            "sklearn_operator_oldest_deletion_timestamp_seconds",
            "When the deletion was asked for that is the longest under way, of each namespace.",
            labels=["namespace"],
        ),
    }


def _own_families() -> dict[str, GaugeMetricFamily]:
    return {
        "phase": GaugeMetricFamily(
            "sklearn_operator_model_phase",
            "1 for the phase of each model; with SKLEARN_OPERATOR_METRICS_PER_MODEL alone.",
            labels=["namespace", "name", "phase"],
        ),
        "trained": GaugeMetricFamily(
            "sklearn_operator_model_training_success_timestamp_seconds",
            "When the model was last trained well; with SKLEARN_OPERATOR_METRICS_PER_MODEL alone.",
            labels=["namespace", "name"],
        ),
    }


def _facts(raw: Mapping[str, Any], revision: int) -> _Facts:
    metadata, status, spec = raw["metadata"], raw.get("status") or {}, raw.get("spec") or {}
    deleted = _seconds(metadata.get("deletionTimestamp"))
    due = None if spec.get("suspend") or deleted else _seconds(status.get("nextScheduleTime"))
    return _Facts(
        revision, str(status.get("phase") or "Pending"), _seconds(status.get("lastTrainedTime")), due, deleted
    )


def _seconds(value: object) -> float | None:
    moment = times.parse(value)
    return moment.timestamp() if moment is not None else None
