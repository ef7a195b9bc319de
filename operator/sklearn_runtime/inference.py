"""One request body in, one response body out, for every wire and both protocols.

Invariant: it is synchronous and touches nothing outside of the model and the metrics, so that it may run on any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from sklearn_runtime import artifact, errors, metrics, predictor, v1, v2

Answer = Callable[[bytes], bytes]
T = TypeVar("T")


class Inference:
    """The two protocols over one served model."""

    def __init__(self, served: artifact.Served, counted: metrics.Metrics) -> None:
        self.served = served
        self._metrics = counted

    def answer_v2(self, body: bytes) -> bytes:
        """Answer a V2 inference request."""
        start = time.perf_counter()
        request = v2.decode(_json(body), self.served.columns, self.served.model)
        return self._run(
            start,
            request.table,
            request.rows,
            request.outputs,
            lambda outputs: v2.encode(self.served.name, self.served.version, request, outputs),
        )

    def answer_v1(self, body: bytes) -> bytes:
        """Answer a V1 prediction request."""
        start = time.perf_counter()
        table, rows = v1.decode(_json(body), self.served.columns)
        return self._run(start, table, rows, predictor.DEFAULT_OUTPUTS, v1.encode)

    def tensors(self, inputs: Sequence[v2.Tensor], wanted: Sequence[str]) -> list[predictor.Output]:
        """Answer V2 tensors that arrived on another wire than HTTP."""
        start = time.perf_counter()
        self.served.model.check_outputs(wanted)
        table, rows = v2.assemble(inputs, None, self.served.columns)
        return self._run(start, table, rows, wanted or predictor.DEFAULT_OUTPUTS, lambda outputs: outputs)

    def _run(
        self, start: float, table: Any, rows: int, wanted: Sequence[str], encode: Callable[[list[predictor.Output]], T]
    ) -> T:
        decoded = time.perf_counter()
        outputs = self.served.model.run(table, wanted)
        ran = time.perf_counter()
        answer = encode(outputs)
        self._metrics.predicted(rows, decoded - start, ran - decoded, time.perf_counter() - ran)
        return answer


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise errors.RequestError(f"the body is not JSON: {exc}") from exc
