"""What the gates say of a version's figures: told by the task in its card, decided by the operator.

Invariant: a judgement follows from the gates, the version's metrics and its predecessor's on the same rows, and from
nothing else, so that it can be made again at any time. What cannot be shown to keep a bound does not keep it; only
where there was no version to compare with is there no bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sklearn_steps import contract

#: The bound of a comparison without a predecessor.
UNBOUNDED = "not worse than the serving version"
_UNCOMPARED = "is not compared: no version served when it was trained, or no gate asked for it then"
#: Scorers that know no greatest value; negated errors are at most 0, all others at most 1.
ENDLESS = frozenset({"positive_likelihood_ratio", "mutual_info_score"})


def ceiling(metric: str) -> float | None:
    """What the metric never exceeds, however good the model; None where there is no such value."""
    if metric in ENDLESS:
        return None
    return 0.0 if metric.startswith("neg_") else 1.0


@dataclass(frozen=True)
class _Bound:
    """One of a gate's bounds; ``kept`` None: there is nothing to keep."""

    text: str
    kept: bool | None
    remark: str = ""

    @property
    def told(self) -> str:
        told = self.remark if self.kept is None else f"{'is' if self.kept else 'is not'} {self.text}"
        return f"{told}: {self.remark}" if self.remark and self.kept is False else told


def judge(
    gates: Sequence[contract.Gate], metrics: Mapping[str, float], compared: contract.Compared | None
) -> tuple[contract.Judgement, ...]:
    """One judgement per gate, in their order; all of scikit-learn's scorers are better when greater."""
    plain = {name: value + 0.0 for name, value in metrics.items()}  # the API server makes 0 of an error of -0.0
    return tuple(_judged(gate, plain.get(gate.metric), compared) for gate in gates)


def _judged(gate: contract.Gate, value: float | None, compared: contract.Compared | None) -> contract.Judgement:
    bounds = []
    if gate.min is not None:
        bounds.append(_Bound(f">= {gate.min!r}", value is not None and value >= gate.min))
    if gate.max is not None:
        bounds.append(_Bound(f"<= {gate.max!r}", value is not None and value <= gate.max))
    if gate.compare_to is not None:
        bounds.append(_comparison(gate, value, compared))
    figure = "(not defined on the test rows)" if value is None else f"{value:.6g}"
    return contract.Judgement(
        metric=gate.metric,
        value=value,
        bound=_cut(" and ".join(bound.text for bound in bounds)),
        passed=all(bound.kept is not False for bound in bounds),
        message=_cut(f"{gate.metric} {figure} {' and '.join(bound.told for bound in bounds)}"),
    )


def _comparison(gate: contract.Gate, value: float | None, compared: contract.Compared | None) -> _Bound:
    if compared is None:
        return _Bound(UNBOUNDED, None, _UNCOMPARED)
    before = compared.metrics.get(gate.metric)
    if before is None:
        why = compared.message or f"{gate.metric} of {compared.version} is not defined on the test rows"
        return _Bound(f"comparable with {compared.version}", False, why)
    limit = _less(before, gate.max_regression)
    less = f" - {gate.max_regression!r}" if gate.max_regression else ""
    return _Bound(f">= {limit!r} ({compared.version}: {before:.6g}{less})", value is not None and value >= limit)


def _less(before: float, room: float) -> float:
    """As a person subtracts: 0.8 - 0.1 is 0.7, of which binary fractions fall short."""
    return float(Decimal(repr(before)) - Decimal(repr(room)))


def _cut(text: str) -> str:
    return text if len(text) <= contract.MESSAGE_LIMIT else f"{text[: contract.MESSAGE_LIMIT - 1]}…"
