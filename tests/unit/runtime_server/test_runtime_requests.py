"""What a request means: both protocols, against predictions made with scikit-learn directly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pytest
import runtime_models
from prometheus_client import CollectorRegistry
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, load_linnerud
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_runtime import artifact, errors, inference, metrics

pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")
Runtime = Callable[[str], inference.Inference]
Published = dict[str, Path]


def v2(answers: inference.Inference, inputs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return orjson.loads(answers.answer_v2(orjson.dumps({"inputs": inputs} | more)))  # type: ignore[no-any-return]


def v1(answers: inference.Inference, instances: Any) -> Any:
    return orjson.loads(answers.answer_v1(orjson.dumps({"instances": instances})))["predictions"]


def tensor(name: str, datatype: str, data: list[Any], *shape: int) -> dict[str, Any]:
    return {"name": name, "shape": list(shape) or [len(data)], "datatype": datatype, "data": data}


def columns_of(table: Any) -> list[dict[str, Any]]:
    types = {"island": "BYTES", "bill": "FP64", "mass": "INT64", "ringed": "BOOL"}
    clean = table.astype(object).where(table.notna(), None)
    return [tensor(name, types[name], clean[name].tolist()) for name in table.columns]


def test_v2_matrix_answers_with_labels_id_name_and_version(runtime: Runtime) -> None:
    pixels = load_digits().data[[0, -1]]
    answer = v2(runtime("digits"), [tensor("x", "FP64", pixels.ravel().tolist(), 2, 64)], id="a1")
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("digits", "digits-v1", "a1")
    assert answer["outputs"] == [{"name": "predict", "shape": [2], "datatype": "INT64", "data": [0, 8]}]


@pytest.mark.parametrize("data", [[[0.0] * 64], [0.0] * 64], ids=["nested", "flat"])
def test_v2_data_may_be_nested(runtime: Runtime, data: list[Any]) -> None:
    assert v2(runtime("digits"), [tensor("x", "FP32", data, 1, 64)])["outputs"][0]["shape"] == [1]


def test_a_missing_id_is_made_up(runtime: Runtime) -> None:
    answer = v2(runtime("iris"), [tensor("x", "FP64", [5.1, 3.5, 1.4, 0.2], 1, 4)])
    assert isinstance(answer["id"], str) and answer["id"]


@pytest.mark.parametrize("parameters", [{}, {"parameters": {"content_type": "pd"}}], ids=["by name", "pd"])
def test_v2_columns_in_any_order(runtime: Runtime, published: Published, parameters: dict[str, Any]) -> None:
    table, _ = runtime_models.penguins()
    model = joblib.load(published["penguins"] / "model.joblib")
    names = [{"name": "predict"}, {"name": "predict_proba"}]
    answer = v2(runtime("penguins"), columns_of(table)[::-1], outputs=names, **parameters)
    labels, chances = answer["outputs"]
    assert (labels["name"], labels["datatype"], labels["shape"]) == ("predict", "BYTES", [60])
    assert labels["data"] == model.predict(table).tolist()
    assert (chances["name"], chances["datatype"], chances["shape"]) == ("predict_proba", "FP64", [60, 2])
    assert chances["data"] == model.predict_proba(table).ravel().tolist()


def test_v2_columns_of_shape_n_1(runtime: Runtime) -> None:
    inputs = [tensor(name, "FP64", [1.0, 2.0], 2, 1) for name in load_iris().feature_names]
    assert v2(runtime("iris"), inputs)["outputs"][0]["data"] == v1(runtime("iris"), [[1.0] * 4, [2.0] * 4])


def test_missing_values_are_null_in_both_protocols(runtime: Runtime, published: Published) -> None:
    table, _ = runtime_models.penguins()
    expected = joblib.load(published["penguins"] / "model.joblib").predict(table[3:5]).tolist()
    rows = table[3:5].astype(object).where(table[3:5].notna(), None)
    assert rows.isna().to_numpy().sum() == 2
    assert v1(runtime("penguins"), rows.to_dict("records")) == expected
    assert v2(runtime("penguins"), columns_of(table[3:5]))["outputs"][0]["data"] == expected


def test_v1_lists_and_objects_give_the_same(runtime: Runtime, published: Published) -> None:
    table, _ = runtime_models.penguins()
    rows = table.astype(object).where(table.notna(), None)
    expected = joblib.load(published["penguins"] / "model.joblib").predict(table).tolist()
    assert v1(runtime("penguins"), rows.to_numpy().tolist()) == expected
    assert v1(runtime("penguins"), rows[rows.columns[::-1]].to_dict("records")) == expected


def test_multi_output_keeps_its_shape(runtime: Runtime, published: Published) -> None:
    data = load_linnerud().data[:5]
    expected = joblib.load(published["linnerud"] / "model.joblib").predict(data)
    assert v1(runtime("linnerud"), data.tolist()) == expected.tolist()
    output = v2(runtime("linnerud"), [tensor("x", "FP64", data.ravel().tolist(), 5, 3)])["outputs"][0]
    assert (output["shape"], output["datatype"], output["data"]) == ([5, 3], "FP64", expected.ravel().tolist())


def test_probabilities_that_are_no_tensor_are_not_offered(runtime: Runtime, published: Published) -> None:
    """Two targets, of three classes and of two."""
    data = load_iris().data[[0, 60, 110]]
    expected = joblib.load(published["pairs"] / "model.joblib").predict(data).tolist()
    assert v1(runtime("pairs"), data.tolist()) == expected
    assert [output.name for output in runtime("pairs").served.outputs] == ["predict"]
    asked = {"inputs": [tensor("x", "FP64", data.ravel().tolist(), 3, 4)], "outputs": [{"name": "predict_proba"}]}
    with pytest.raises(errors.RequestError, match="unknown output 'predict_proba'; this model gives 'predict'"):
        runtime("pairs").answer_v2(orjson.dumps(asked))


def test_an_array_model_takes_columns_by_their_recorded_names(runtime: Runtime) -> None:
    data = load_iris().data[[0, 60, 110]]
    rows = [dict(zip("abcd", row, strict=True)) for row in data.tolist()]
    assert v1(runtime("outliers"), rows) == v1(runtime("outliers"), data.tolist())


def test_a_named_model_of_numbers_gets_plain_arrays_and_one_with_text_a_table(runtime: Runtime) -> None:
    assert (runtime("iris").served.columns.named, runtime("iris").served.columns.frame) == (True, False)
    assert runtime("penguins").served.columns.frame


def test_whole_numbers_of_a_float_column_need_no_point(runtime: Runtime) -> None:
    assert v1(runtime("iris"), [[5, 3, 1, 0]]) == v1(runtime("iris"), [[5.0, 3.0, 1.0, 0.0]])


ROW = [5.1, 3.5, 1.4, 0.2]
GOOD = tensor("x", "FP64", ROW, 1, 4)
IRIS = load_iris().feature_names


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        ({}, "inputs must be a list"),
        ({"inputs": []}, "at least one tensor"),
        ({"inputs": [3]}, "inputs[0] must be an object"),
        ({"inputs": [GOOD], "id": 3}, "id must be a string"),
        ({"inputs": [GOOD | {"name": None}]}, "name must be a string"),
        ({"inputs": [GOOD | {"shape": [1, -4]}]}, "shape must be a list of sizes"),
        ({"inputs": [GOOD | {"shape": [1, 5]}]}, "shape [1, 5] needs 5 values, got 4"),
        ({"inputs": [GOOD | {"shape": [4, 1]}]}, "1 features, the model takes 4"),
        ({"inputs": [GOOD | {"shape": [2, 2]}]}, "2 features, the model takes 4: 'sepal length (cm)'"),
        ({"inputs": [GOOD | {"shape": [4]}]}, "expected shape [n, 4], got [4]"),
        ({"inputs": [GOOD | {"shape": [0, 4], "data": []}]}, "holds no rows"),
        ({"inputs": [GOOD | {"datatype": "FLOAT"}]}, "unknown datatype 'FLOAT'; known are BOOL"),
        ({"inputs": [{k: v for k, v in GOOD.items() if k != "data"}]}, "data is missing"),
        ({"inputs": [GOOD | {"data": "abcd"}]}, "data must be a list"),
        ({"inputs": [GOOD | {"data": [1, 2, 3, "x"]}]}, "value 3 is 'x', not a number"),
        ({"inputs": [GOOD | {"data": [1, 2, 3, [4]]}]}, "value 3 is [4], not a number"),
        ({"inputs": [GOOD | {"data": [[1, 2], 3, 4, 5]}]}, "data mixes lists and single values"),
        ({"inputs": [GOOD | {"datatype": "INT64"}]}, "INT64 cannot hold 5.1"),
        ({"inputs": [GOOD | {"datatype": "UINT8", "data": [1, 2, 3, 300]}]}, "UINT8 cannot hold 300"),
        ({"inputs": [GOOD | {"datatype": "BYTES"}]}, "BYTES cannot hold 5.1"),
        ({"inputs": [GOOD | {"datatype": "BOOL"}]}, "BOOL cannot hold 5.1"),
        ({"inputs": [GOOD], "outputs": [{"name": "shap"}]}, "unknown output 'shap'; this model gives 'predict'"),
        ({"inputs": [GOOD], "outputs": "predict"}, "outputs must be a list of objects with a name"),
        ({"inputs": [GOOD], "parameters": 1}, "parameters must be an object"),
        ({"inputs": [GOOD], "parameters": {"content_type": "pd"}}, "unknown column 'x'; the columns are 'sepal length"),
        ({"inputs": [tensor(n, "FP64", [1.0]) for n in IRIS[1:]]}, "column 'sepal length (cm)' is missing"),
        ({"inputs": [tensor(n, "FP64", [1.0]) for n in [*IRIS, IRIS[0]]]}, "is given more than once"),
        ({"inputs": [tensor(n, "FP64", [1.0] * (i + 1)) for i, n in enumerate(IRIS)]}, "has 2 rows"),
        ({"inputs": [tensor(n, "FP64", [1.0, 1.0], 1, 2) for n in IRIS]}, "has shape [n] or [n, 1], got [1, 2]"),
        ({"inputs": [GOOD | {"name": IRIS[0], "shape": [4]}]}, "column 'sepal width (cm)'"),
    ],
)
def test_a_wrong_v2_request_is_told_what_is_wrong(runtime: Runtime, body: Any, says: str) -> None:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(errors.RequestError) as raised:
        runtime("iris").answer_v2(content)
    assert raised.value.status == 400
    assert says in str(raised.value)
    assert len(str(raised.value)) < 1024


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be a JSON object"),
        ({"rows": []}, "instances must be a list"),
        ({"instances": []}, "at least one row"),
        ({"instances": [1]}, "all lists of values, or all objects"),
        ({"instances": [[1], {}]}, "all lists of values, or all objects"),
        ({"instances": [["Dream", 1.0, 2]]}, "instances[0]: 3 features, the model takes 4: 'island'"),
        ({"instances": [{"island": "Dream", "bill": 1, "mass": 2}]}, "instances[0]: column 'ringed' is missing"),
        ({"instances": [{"isle": "Dream", "bill": 1, "mass": 2, "ringed": True}]}, "unknown column 'isle'"),
        ({"instances": [[3, 1.0, 2, True]]}, "column 'island': value 0 is 3, not a string"),
        ({"instances": [["Dream", "x", 2, True]]}, "column 'bill': value 0 is 'x', not a number"),
        ({"instances": [["Dream", 1.0, 2, "yes"]]}, "column 'ringed': value 0 is 'yes', not a boolean"),
        ({"instances": [["Dream", [1.0], 2, True]]}, "column 'bill': value 0 is [1.0], not a number"),
    ],
)
def test_a_wrong_v1_request_is_told_what_is_wrong(runtime: Runtime, body: Any, says: str) -> None:
    with pytest.raises(errors.RequestError) as raised:
        runtime("penguins").answer_v1(orjson.dumps(body))
    assert raised.value.status == 400
    assert says in str(raised.value)


def test_what_the_estimator_refuses_is_said_in_its_words(runtime: Runtime) -> None:
    with pytest.raises(errors.RequestError, match="Input X contains NaN"):
        v1(runtime("digits"), [[None] * 64])


def test_the_values_of_wide_whole_numbers_survive(runtime: Runtime, published: Published) -> None:
    table, _ = runtime_models.penguins(1)
    row = table.assign(mass=np.int64(2**53 + 1)).to_dict("records")
    assert v1(runtime("penguins"), row) == v1(runtime("penguins"), row)


@pytest.mark.parametrize(
    ("step", "frame"), [("columns by name", True), ("foreign code", True), ("tables inside", False)]
)
def test_numbers_go_in_as_a_table_where_the_model_may_need_names(tmp_path: Path, step: str, frame: bool) -> None:
    data = load_iris(as_frame=True).data
    first: Any = {
        "columns by name": ColumnTransformer([("scale", StandardScaler(), [data.columns[1]])], remainder="passthrough"),
        "tables inside": StandardScaler().set_output(transform="pandas"),
        "foreign code": FunctionTransformer(np.log1p),
    }[step]
    model = make_pipeline(first, Ridge()).fit(data, load_iris().target)
    directory = runtime_models.publish(tmp_path / "iris", model, data[:5], list(data.columns))
    served = artifact.load(directory, "iris", None, None)
    assert (served.columns.named, served.columns.frame) == (True, frame)
    answers = inference.Inference(served, metrics.Metrics(served, CollectorRegistry()))
    assert v1(answers, data.to_numpy().tolist()) == pytest.approx(model.predict(data).tolist())
