"""Makes the real plan fast enough to be asked tens of thousands of times.

Invariant: only pure functions of a manifest are remembered, and the stages have a few dozen manifests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from sklearn_operator.core import rollout, training, validation


def _remembered(function: Callable[..., Any], key: Callable[..., int]) -> Callable[..., Any]:
    known: dict[int, tuple[Any, Any]] = {}

    def answer(*arguments: Any) -> Any:
        found = known.get(key(*arguments))
        if found is None:
            try:
                found = (function(*arguments), arguments)
            except validation.NotAccepted as refusal:
                found = (refusal, arguments)
            known[key(*arguments)] = found
        if isinstance(found[0], validation.NotAccepted):
            raise found[0]
        return found[0]

    return answer


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """A manifest is parsed, checked and hashed once; manifests and what they are parsed to are never thrown away."""
    accept = _remembered(validation.accept, lambda model, *_: id(model.spec))
    trained = _remembered(training.training_hash, id)
    served = _remembered(rollout.serving_hash, id)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(validation, "accept", accept))
        stack.enter_context(mock.patch.object(training, "training_hash", trained))
        stack.enter_context(mock.patch.object(rollout, "serving_hash", served))
        yield
