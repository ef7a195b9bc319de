"""Searches over steps, and any steps at all: refused in words, or told to the tasks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.core import validation
from unit.core.pipelines import (
    CLASSES,
    NUMBERS,
    SCALE,
    SVC,
    WEIGHED,
    Json,
    accept,
    cls,
    columns,
    config,
    group,
    manifest,
    step,
)

# What a search may change


TUNED = [
    columns(
        group(["a"], cls("preprocessing.OneHotEncoder"), name="words"),
        group(NUMBERS, cls("impute.SimpleImputer"), SCALE, SCALE, name="numbers"),
    ),
    step("union", "pipeline.FeatureUnion", transformer_list=[["pca", cls("decomposition.PCA")]]),
    SVC,
]


def searched(name: str, **dimension: Any) -> Json:
    return manifest(*TUNED, tuning={"parameters": [{"name": name} | dimension]})


@pytest.mark.parametrize(
    "name, values",
    [
        ("model__C", [1, 2.5]),
        ("prepare__remainder", ["drop", "passthrough"]),
        ("prepare__words__handle_unknown", ["ignore", "error"]),
        ("prepare__words", [cls("preprocessing.OrdinalEncoder"), "drop"]),
        ("prepare__numbers__simpleimputer__strategy", ["mean", "median"]),
        ("prepare__numbers__standardscaler-2__with_mean", [True, False]),
        ("union__pca__n_components", [1, 2]),
    ],
)
def test_every_parameter_of_every_step_can_be_searched(name: str, values: list[Any]) -> None:
    read = config(searched(name, type="Categorical", values=values))
    assert read.tuning is not None and list(read.tuning.parameters[0].values or ()) == values


@pytest.mark.parametrize(
    "name, says",
    [
        ("modle__C", "did you mean model__…? the steps are prepare, union, model"),
        ("C", "a parameter of a pipeline is step__parameter"),
        ("model__Q", "sklearn.svm.SVC has no parameter Q"),
        ("prepare__wrods__drop", "did you mean words? its parts are words, numbers"),
        ("prepare__numbers__scaler__with_mean", "its parts are simpleimputer, standardscaler-1, standardscaler-2"),
        ("prepare__words__onehotencoder__drop", "has no parameter onehotencoder"),
        ("union__pac__n_components", "did you mean pca?"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_where_it_stops(name: str, says: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(searched(name, type="Double", min=0.1, max=0.2))
    (problem,) = refused.value.problems
    assert (problem.path, problem.value) == ("spec.tuning.parameters[0].name", name)
    assert says in problem.message


# Anything at all

PATHS = sorted(CLASSES)
words = st.sampled_from(["a", "b", "a_b", "steps", "remainder", "a__b", "", "__reduce__", "../x"]) | st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(-2, 5) | words
paths = st.sampled_from(PATHS) | st.sampled_from(["os.system", "sklearn.svm._base.SVC", "sklearn.nothing.X", ""])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["int", "float", "class", "params"]) | words, inner, max_size=2)
        | st.builds(
            lambda path, params: {"class": path, "params": params}, paths, st.dictionaries(words, inner, max_size=1)
        )
    ),
    max_leaves=5,
)


@st.composite
def estimators(draw: st.DrawFn) -> Json:
    path = draw(paths)
    names = st.sampled_from([*CLASSES.get(path, {"params": {}})["params"], "zzz"]) | words
    document: Json = {"class": path}
    return document | ({"params": draw(st.dictionaries(names, values, max_size=2))} if draw(st.booleans()) else {})


selects = st.lists(words, max_size=3) | st.builds(
    lambda kind: {"dtype": kind}, st.sampled_from(["number", "string", "x"])
)
groups = st.builds(
    lambda name, select, steps: {"name": name, "select": select, "steps": steps},
    words, selects | values, st.lists(estimators(), max_size=2),
)  # fmt: skip
any_step = st.builds(lambda name, one: {"name": name} | one, words, estimators()) | st.builds(
    lambda name, found, rest: {"name": name, "columns": found, "remainder": rest},
    words, st.lists(groups, max_size=2), st.sampled_from(["drop", "passthrough", "keep"]),
)  # fmt: skip


NAMES = ["m__C", "g__drop", "s__a__params", "a__steps__b", "steps__a__b", "remainder__x", "b__estimator__class"]
searches = st.none() | st.builds(
    lambda name, found: {"parameters": [{"name": name, "type": "Categorical", "values": found}]},
    st.sampled_from(NAMES), st.lists(values, min_size=1, max_size=2),
)  # fmt: skip


@given(st.lists(any_step | values, max_size=4), st.booleans(), searches)
def test_any_steps_are_refused_in_words_or_told_to_the_tasks(
    steps: list[Any], weighed: bool, tuning: Json | None
) -> None:
    spec = manifest(*steps, **(WEIGHED if weighed else {}), **({"tuning": tuning} if tuning else {}))
    try:
        accept(spec)
    except validation.NotAccepted as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.path.startswith("spec") and problem.message
            assert len(problem.value) <= 80 and problem.value.isprintable()
        return
    read = config(spec)
    assert read.pipeline is not None and len(read.pipeline) == len(steps)


FREE = [path for path in PATHS if "required" not in CLASSES[path]]
TRANSFORMERS = [path for path in FREE if CLASSES[path].get("transforms") == "columns"]
CLASSIFIERS = [path for path in FREE if CLASSES[path]["kind"] == "classifier"]
column_names = st.lists(st.text("ab é§", min_size=1, max_size=3), min_size=1, max_size=3)


@given(st.lists(st.sampled_from(TRANSFORMERS), max_size=4), st.sampled_from(CLASSIFIERS), column_names, st.booleans())
def test_every_transformer_may_stand_before_every_model(
    changes: list[str], last: str, names: list[str], grouped: bool
) -> None:
    steps: list[Json] = [{"name": f"s{place}", "class": path} for place, path in enumerate(changes)]
    if grouped and changes:
        steps = [columns(group(names, *({"class": path} for path in changes)))]
    read = config(manifest(*steps, {"name": "model", "class": last}))
    assert read.final.class_ == last and read.pipeline is not None
    if grouped and changes and read.pipeline[0].columns is not None:
        assert read.pipeline[0].columns[0].select == tuple(names)
