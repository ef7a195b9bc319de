"""Served models in memory: the twin of ``backends.kserve.HttpProber``, for tests and dry runs.

Invariant: it says yes and no as the real one does, in its words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sklearn_operator.backends import kserve
from sklearn_operator.core import observed

Predict = Callable[[Sequence[Any]], Any]


@dataclass
class MemoryProber:
    """See ``ports.Prober``. ``served``: version and prediction of one row, by address and model.

    ``counted``: requests, by address.
    """

    served: dict[tuple[str, str], tuple[str, Predict]] = field(default_factory=dict)
    counted: dict[str, observed.Traffic] = field(default_factory=dict)

    async def traffic(self, *, address: str, model: str, version: str) -> observed.Traffic | None:
        return self.counted.get(address)

    async def check(self, *, address: str, model: str, version: str, golden: bytes) -> str | None:
        row = kserve.first_row(golden)
        if isinstance(row, str):
            return row
        url = f"{address.rstrip('/')}/v2/models/{model}/infer"
        at_address = [name for where, name in self.served if where == address]
        if not at_address:
            return f"no answer from {url}: ConnectError"
        if model not in at_address:
            return f"{url} answers 404"
        answered_by, predict = self.served[address, model]
        output = {"name": "predict", "data": [predict(row.values)]}
        answer = orjson.dumps({"model_version": answered_by, "outputs": [output]})
        return kserve.compare(answer, version, row.expected)
