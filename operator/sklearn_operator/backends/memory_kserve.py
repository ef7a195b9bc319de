"""Served models in memory: the twin of ``backends.kserve.HttpProber``, for tests and dry runs.

Invariant: it says yes and no as the real one does, in its words.
"""

from __future__ import annotations

from collections import Counter
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

    ``counted``: requests, by address and model.
    """

    served: dict[tuple[str, str], tuple[str, Predict]] = field(default_factory=dict)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def traffic(self, *, address: str, model: str, version: str) -> observed.Traffic | None:
        if not any(where == address for where, _ in self.served):
            return None
        mine = self.served.get((address, model), ("", None))[0] == version
        return observed.Traffic(self.counted[address, model] if mine else 0)

    async def check(self, *, address: str, model: str, version: str | None, golden: bytes) -> observed.Objection | None:
        row = kserve.first_row(golden)
        if isinstance(row, str):
            return observed.Objection(row)
        url = f"{address.rstrip('/')}/v2/models/{model}/infer"
        at_address = [name for where, name in self.served if where == address]
        if not at_address:
            return observed.Objection(f"no answer from {url}: ConnectError")
        if model not in at_address:
            return observed.Objection(f"{url} answers 404")
        answered_by, predict = self.served[address, model]
        self.counted[address, model] += 1
        output = {"name": "predict", "data": [predict(row.values)]}
        answer = orjson.dumps({"model_version": answered_by, "outputs": [output]})
        return kserve.compare(answer, version, row.expected)
