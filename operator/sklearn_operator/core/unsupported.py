"""Fields of the API that this release does not act on yet.

Invariant: a field that would do nothing is refused, never ignored; saying what holds anyway is no request. When a
feature lands, its line goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import quantities
from sklearn_operator.core.settings import Settings


def problems(spec: api.SklearnModelSpec, settings: Settings) -> Iterator[Problem]:
    """One problem per field that asks for something that is not implemented."""
    if spec.tuning is not None and spec.tuning.engine == "Katib":
        text = "not implemented in this release; choose InProcess, or Auto, which is the same for now"
        yield Problem("spec.tuning.engine", "Katib", text)
    yield from _resources(spec.training.resources)


def _resources(resources: api.Resources | None) -> Iterator[Problem]:
    """A Kubeflow pipeline knows cpu, memory and one kind of device for a task."""
    if resources is None:
        return
    for kind, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        devices = [name for name in amounts if quantities.is_device(name)]
        others = [name for name in amounts if name not in ("cpu", "memory", *devices[:1])]
        for name in others:
            text = "not implemented in this release; tasks take cpu, memory and one device such as nvidia.com/gpu"
            yield Problem(api.join(f"spec.training.resources.{kind}", name), api.show(amounts[name]), text)
