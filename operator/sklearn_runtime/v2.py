"""The V2 (Open Inference) protocol in JSON: a request becomes model input, outputs become a response.

Invariant: a tensor's declared shape and datatype are checked against its data before the model sees any of it.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sklearn_runtime import errors, predictor, schema, tables

_INTEGERS = {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_DATATYPES = _INTEGERS | {"BOOL", "FP16", "FP32", "FP64", "BYTES"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input tensor, checked against itself."""

    name: str
    shape: tuple[int, ...]
    values: tables.Values

    @property
    def where(self) -> str:
        return f"input {errors.shown(self.name)}"


@dataclass(frozen=True, slots=True)
class Request:
    """One decoded request: model input and the outputs that are asked for."""

    id: str
    table: Any
    outputs: Sequence[str]
    rows: int


def decode(body: Any, columns: schema.Schema, model: predictor.Predictor) -> Request:
    """A request body, already parsed from JSON."""
    if type(body) is not dict:
        raise errors.RequestError(f"the body must be a JSON object with inputs, got {errors.shown(body)}")
    request_id = body.get("id")
    if request_id is not None and type(request_id) is not str:
        raise errors.RequestError(f"id must be a string, got {errors.shown(request_id)}")
    inputs = body.get("inputs")
    if type(inputs) is not list or not inputs:
        raise errors.RequestError("inputs must be a list of at least one tensor")
    outputs = _wanted(body.get("outputs"), model)
    content_type = _content_type(body.get("parameters"), "parameters")
    parsed = [_tensor(item, place) for place, item in enumerate(inputs)]
    for place, item in enumerate(inputs):
        content_type = content_type or _content_type(item.get("parameters"), f"inputs[{place}].parameters")
    table, rows = assemble(parsed, content_type, columns)
    return Request(id=request_id or str(uuid.uuid4()), table=table, outputs=outputs, rows=rows)


def encode(name: str, version: str, request: Request, outputs: Sequence[predictor.Output]) -> bytes:
    """The response body."""
    body = {
        "model_name": name,
        "model_version": version,
        "id": request.id,
        "outputs": [
            {"name": o.name, "shape": o.shape, "datatype": o.datatype, "data": flat_values(o)} for o in outputs
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def flat_values(output: predictor.Output) -> Any:
    """Row-major values in a form that JSON takes: numbers as the array itself, text as a list."""
    flat = output.values.ravel()
    return flat.tolist() if output.datatype == "BYTES" else flat


def assemble(inputs: Sequence[Tensor], content_type: str | None, columns: schema.Schema) -> tuple[Any, int]:
    """Model input and its number of rows, from one matrix or one tensor per column."""
    first = inputs[0]
    if len(inputs) == 1 and content_type != "pd" and not _is_column(first, columns):
        return _matrix(first, columns), first.shape[0]
    columns.check_names([tensor.name for tensor in inputs], "inputs")
    inputs = [tensor for tensor in inputs if tensor.name not in columns.ignored]
    first = inputs[0]
    for tensor in inputs:
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
            raise errors.RequestError(f"{tensor.where}: a column has shape [n] or [n, 1], got {list(tensor.shape)}")
        if tensor.shape[0] != first.shape[0]:
            raise errors.RequestError(f"{tensor.where} has {tensor.shape[0]} rows, {first.where} has {first.shape[0]}")
    _some_rows(first)
    return tables.of_columns({tensor.name: tensor.values for tensor in inputs}, columns, "inputs"), first.shape[0]


def _is_column(tensor: Tensor, columns: schema.Schema) -> bool:
    """A lone tensor is a column if it is named like one and not shaped like whole rows."""
    return tensor.name in columns.index and (len(columns.names) == 1 or len(tensor.shape) == 1)


def _matrix(tensor: Tensor, columns: schema.Schema) -> Any:
    width = len(columns.names)
    if len(tensor.shape) != 2:
        raise errors.RequestError(f"{tensor.where}: expected shape [n, {width}], got {list(tensor.shape)}")
    _some_rows(tensor)
    if tensor.shape[1] != width:
        names = errors.listed(columns.names)
        raise errors.RequestError(f"{tensor.where}: {tensor.shape[1]} features, the model takes {width}: {names}")
    return tables.of_matrix(tensor.values, tensor.shape[0], columns, tensor.where)


def _some_rows(tensor: Tensor) -> None:
    if tensor.shape[0] == 0:
        raise errors.RequestError(f"{tensor.where} holds no rows")


def _tensor(item: Any, place: int) -> Tensor:
    where = f"inputs[{place}]"
    if type(item) is not dict:
        raise errors.RequestError(f"{where} must be an object, got {errors.shown(item)}")
    name, shape, datatype = item.get("name"), item.get("shape"), item.get("datatype")
    if type(name) is not str:
        raise errors.RequestError(f"{where}: name must be a string, got {errors.shown(name)}")
    where = f"input {errors.shown(name)}"
    if type(shape) is not list or not shape or any(type(n) is not int or n < 0 for n in shape):
        raise errors.RequestError(f"{where}: shape must be a list of sizes, got {errors.shown(shape)}")
    if datatype not in _DATATYPES if type(datatype) is str else True:
        known = ", ".join(sorted(_DATATYPES))
        raise errors.RequestError(f"{where}: unknown datatype {errors.shown(datatype)}; known are {known}")
    if "data" not in item:
        raise errors.RequestError(f"{where}: data is missing")
    values = tables.flat(item["data"], len(shape), where)
    if len(values) != math.prod(shape):
        raise errors.RequestError(
            f"{where}: shape {errors.shown(shape)} needs {_count(shape)} values, got {len(values)}"
        )
    check_datatype(values, str(datatype), where)
    return Tensor(name=name, shape=tuple(shape), values=values)


def _count(shape: Sequence[int]) -> str:
    count = math.prod(shape)
    return str(count) if count < 10**15 else "too many"


def check_datatype(values: tables.Values, datatype: str, where: str) -> None:
    """Refuse values that the declared datatype cannot hold; null stands for a missing value in every datatype."""
    if datatype in ("FP64", "FP32", "FP16"):
        return  # the column decides; any JSON number is one
    if datatype == "BYTES":
        wrong = next((v for v in values if not (v is None or type(v) is str)), None)
    elif datatype == "BOOL":
        wrong = next((v for v in values if not (v is None or type(v) is bool)), None)
    else:
        wrong = _not_integer(values, datatype)
    if wrong is not None:
        raise errors.RequestError(f"{where}: {datatype} cannot hold {errors.shown(wrong)}")


def _not_integer(values: tables.Values, datatype: str) -> Any:
    bits = int(datatype.rpartition("INT")[2])
    low, high = (0, 2**bits - 1) if datatype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def fits(value: Any) -> bool:
        if type(value) is float:
            return value.is_integer() and low <= value <= high
        return type(value) is int and low <= value <= high

    return next((value for value in values if value is not None and not fits(value)), None)


def _wanted(outputs: Any, model: predictor.Predictor) -> Sequence[str]:
    if outputs is None or outputs == []:
        return predictor.DEFAULT_OUTPUTS
    if type(outputs) is not list or any(type(o) is not dict or type(o.get("name")) is not str for o in outputs):
        raise errors.RequestError(f"outputs must be a list of objects with a name, got {errors.shown(outputs)}")
    names = list(dict.fromkeys(output["name"] for output in outputs))
    model.check_outputs(names)
    return names


def _content_type(parameters: Any, where: str) -> str | None:
    if parameters is None:
        return None
    if type(parameters) is not dict:
        raise errors.RequestError(f"{where} must be an object, got {errors.shown(parameters)}")
    value = parameters.get("content_type")
    if value is not None and type(value) is not str:
        raise errors.RequestError(f"{where}.content_type must be a string, got {errors.shown(value)}")
    return value


def description(
    name: str, version: str, columns: schema.Schema, outputs: Sequence[predictor.Output]
) -> Mapping[str, Any]:
    """The model's metadata document: typed inputs and outputs, with -1 for the number of rows."""
    if columns.named or columns.matrix_dtype is None:
        inputs: list[dict[str, Any]] = [_described(feature) for feature in columns.features]
    else:
        inputs = [{"name": "input", "datatype": columns.features[0].v2_type, "shape": [-1, len(columns.features)]}]
    return {
        "name": name,
        "versions": [version],
        "platform": "scikit-learn",
        "inputs": inputs,
        "outputs": [{"name": o.name, "datatype": o.datatype, "shape": [-1, *o.shape[1:]]} for o in outputs],
    }


def _described(feature: schema.Feature) -> dict[str, Any]:
    """A column; times by the name that other servers of the protocol have for ISO 8601 text."""
    described = {"name": feature.name, "datatype": feature.v2_type, "shape": [-1]}
    return described | ({"parameters": {"content_type": "datetime"}} if feature.kind is schema.Kind.TIME else {})
