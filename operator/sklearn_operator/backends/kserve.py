"""Asking a served model whether it is the version that it should be.

Invariant: nothing here trusts a readiness flag. A version is proved by an answer: its own name in ``model_version``
and, for a row recorded at training, the recorded output.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from prometheus_client import parser

from sklearn_operator.backends import errors, metering
from sklearn_operator.core import observed

_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_WHOLE = 15.0
_RELATIVE = 1e-6
_ANSWER_LIMIT = 1024 * 1024
_REQUESTS = "sklearn_runtime_requests_total"


@dataclass(frozen=True)
class Row:
    """One recorded row: its cells by column, and what the model said to it."""

    columns: Sequence[str]
    values: Sequence[Any]
    expected: Sequence[Any]


class HttpProber:
    """See ``ports.Prober``: sends the row to the model over V2."""

    def __init__(self, client: httpx.AsyncClient, meter: metering.Meter = metering.unmetered) -> None:
        self._client = client
        self._meter = meter

    async def check(self, *, address: str, model: str, version: str | None, golden: bytes) -> observed.Objection | None:
        row = first_row(golden)
        if isinstance(row, str):
            return observed.Objection(row)
        body = orjson.dumps(request_for(row.columns, [row.values]))
        url = f"{address.rstrip('/')}/v2/models/{model}/infer"
        try:
            with metering.measured(self._meter, "kserve", "infer") as call:
                async with asyncio.timeout(_WHOLE), self._client.stream("POST", url, content=body) as answer:
                    call.code = str(answer.status_code)
                    if answer.status_code != 200:
                        return observed.Objection(f"{url} answers {answer.status_code}")
                    content = b""
                    async for chunk in answer.aiter_bytes():
                        content += chunk
                        if len(content) > _ANSWER_LIMIT:
                            return observed.Objection(f"{url} answers with more than {_ANSWER_LIMIT} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, TimeoutError) as error:
            return observed.Objection(f"no answer from {url}: {type(error).__name__}")
        return compare(content, version, row.expected)

    async def traffic(self, *, address: str, model: str, version: str) -> observed.Traffic | None:
        try:
            with metering.measured(self._meter, "kserve", "metrics") as call:
                async with asyncio.timeout(_WHOLE):
                    answer = await self._client.get(f"{address.rstrip('/')}/metrics")
                call.code = str(answer.status_code)
            return _counted(answer.text, model, version) if answer.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError, TimeoutError):
            return None


def _counted(text: str, model: str, version: str) -> observed.Traffic:
    """From the page that Prometheus scrapes; see ``sklearn_runtime.metrics``."""
    by_class = {"2": 0, "4": 0, "5": 0}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            mine = (sample.labels.get("model"), sample.labels.get("version")) == (model, version)
            if sample.name == _REQUESTS and mine:
                kind = sample.labels.get("code", "5")[:1]
                by_class[kind] = by_class.get(kind, 0) + int(sample.value)
    return observed.Traffic(sum(by_class.values()), failed=by_class["5"], refused=by_class["4"])


def first_row(golden: bytes) -> Row | str:
    """The first of the recorded rows, or why there is none."""
    try:
        document = orjson.loads(golden)
        values, expected = document["rows"][0], document["outputs"]["predict"][:1]
        return Row(list(document["columns"]), list(values), list(expected))
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        return f"golden.json cannot be read ({type(error).__name__})"


def request_for(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """A V2 request with one tensor per column: it works for frames and for plain arrays alike."""
    inputs = []
    for index, name in enumerate(columns):
        values = [row[index] for row in rows]
        inputs.append({"name": name, "shape": [len(values)], "datatype": _datatype(values), "data": values})
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def _datatype(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return "BYTES"
    if known and all(isinstance(value, bool) for value in known):
        return "BOOL"
    if known and len(known) == len(values) and all(isinstance(value, int) for value in known):
        return "INT64"
    return "FP64"


def compare(content: bytes, version: str | None, expected: Sequence[Any]) -> observed.Objection | None:
    """None when the V2 answer is that of ``version`` and the recorded one; else what it is instead.

    KServe's own server calls its one output otherwise.
    """
    try:
        answer = orjson.loads(content)
        answered_by = answer.get("model_version")
        outputs = list(answer["outputs"])
        named = (item for item in outputs if item["name"] == "predict")
        output = next(named, outputs[0]) if version is None else next(named)
        flat = list(_flat(output["data"]))
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, StopIteration):
        return observed.Objection("the answer is not a V2 inference response with an output named predict")
    if version is not None and answered_by != version:
        met = answered_by if isinstance(answered_by, str) else None
        return observed.Objection(f"version {answered_by} answered instead of {version}", met)
    wanted = list(_flat(expected))
    if len(flat) != len(wanted) or not all(map(_same, flat, wanted)):
        return observed.Objection(f"a recorded row is answered with {flat[:3]} instead of {wanted[:3]}")
    return None


def _flat(value: Any) -> Iterator[Any]:
    """The scalars in order; without recursion, for nobody bounds how deep a server's answer nests."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        else:
            yield item


def _same(answer: Any, wanted: Any) -> bool:
    if isinstance(answer, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(answer, wanted, rel_tol=_RELATIVE, abs_tol=1e-9)
    return bool(answer == wanted)


async def probe_client() -> httpx.AsyncClient:
    """The client for probes: no proxy, no redirects, few connections."""
    limits = httpx.Limits(max_connections=16)
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits, timeout=_TIMEOUT)


def unreachable(error: errors.BackendError) -> str:
    return f"golden.json cannot be fetched: {error}"
