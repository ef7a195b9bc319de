"""The V1 protocol: ``instances`` as lists or as objects by column name, ``predictions`` in the same order.

Invariant: one instance is one row; every value in it is a single value.
"""

from __future__ import annotations

import itertools
from typing import Any

import orjson

from sklearn_runtime import errors, predictor, schema, tables


def decode(body: Any, columns: schema.Schema) -> tuple[Any, int]:
    """Model input and its number of rows, from a request body already parsed from JSON."""
    if type(body) is not dict:
        raise errors.RequestError(f"the body must be a JSON object with instances, got {errors.shown(body)}")
    instances = body.get("instances")
    if type(instances) is not list or not instances:
        raise errors.RequestError("instances must be a list of at least one row")
    kinds = set(map(type, instances))
    if kinds == {list}:
        return _lists(instances, columns), len(instances)
    if kinds == {dict}:
        return _objects(instances, columns), len(instances)
    raise errors.RequestError("instances must be all lists of values, or all objects by column name")


def _lists(instances: list[list[Any]], columns: schema.Schema) -> Any:
    width = len(columns.names)
    for place, row in enumerate(instances):
        if len(row) != width:
            raise errors.RequestError(
                f"instances[{place}]: {len(row)} features, the model takes {width}: {errors.listed(columns.names)}"
            )
    values = list(itertools.chain.from_iterable(instances))
    return tables.of_matrix(values, len(instances), columns, "instances")


def _objects(instances: list[dict[str, Any]], columns: schema.Schema) -> Any:
    expected = columns.index.keys()
    for place, row in enumerate(instances):
        if row.keys() != expected:
            columns.check_names(list(row), f"instances[{place}]")
    given = {name: [row[name] for row in instances] for name in columns.names}
    return tables.of_columns(given, columns, "instances")


def encode(outputs: list[predictor.Output]) -> bytes:
    """The response body."""
    return orjson.dumps({"predictions": outputs[0].values.tolist()})
