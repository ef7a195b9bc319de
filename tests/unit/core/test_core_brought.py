"""Scripts and pretrained models: what a manifest shows of them, told before any pod starts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import pipeline, settings, training, validation
from sklearn_operator.runtime import resources
from sklearn_steps import contract
from unit.api import api_cases
from unit.core import builders

SETTINGS = settings.Settings(git_hosts=frozenset({"git.example.org"}))
SCRIPT: dict[str, Any] = {"source": {"inline": "import joblib\n"}, "args": {"gamma": 0.001, "c": 1}}
GIT = {"url": "https://git.example.org/team/models", "revision": "v1.2", "path": "src/train.py"}
PRETRAINED = {"uri": "s3://bucket/models/mine.joblib", "sha256": "ab" * 32}


def spec(model: dict[str, Any], **change: Any) -> dict[str, Any]:
    return api_cases.changed(builders.DIGITS, {name.replace("__", "."): value for name, value in change.items()}) | {
        "model": model
    }


def refusal(document: dict[str, Any]) -> str:
    with pytest.raises(validation.NotAccepted) as found:
        validation.accept(builders.model(document), SETTINGS, builders.catalogue())
    return found.value.message


def accept(document: dict[str, Any]) -> api.SklearnModelSpec:
    return validation.accept(builders.model(document), SETTINGS, builders.catalogue())


def script(source: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return {"script": {"source": source or SCRIPT["source"], "args": args}}


def test_what_is_right_is_accepted() -> None:
    for model in (
        {"script": SCRIPT},
        {"pretrained": PRETRAINED},
        script({"git": GIT}),
        script({"configMap": {"name": "mine", "key": "train.py"}}),
    ):
        accept(spec(model))
        accept(spec(model, evaluation={"metrics": ["r2"], "gates": [{"metric": "r2", "min": 0.5}]}))
    accept(spec({"script": SCRIPT}, evaluation={"gates": [{"metric": "accuracy", "min": 0.9}]}))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty script": (
        spec(script({"inline": " \n\t"})),
        "spec.model.script.source.inline:  \\n\\t: is empty: give the text of a Python script",
    ),
    "a script that does not fit": (spec(script({"inline": chr(34) * 28 * 1024})), "on its way to the task, which"),
    "a script with a zero": (spec(script({"inline": "a\0b"})), "has a character of code 0"),
    "a key that leads out": (
        spec(script({"configMap": {"name": "mine", "key": ".."}})),
        "spec.model.script.source.configMap.key: ..: must be a key of a ConfigMap",
    ),
    "a key with a path": (spec(script({"configMap": {"name": "a", "key": "../train.py"}})), "must be a key of a"),
    "a path that leads out": (spec(script({"git": GIT | {"path": "../train.py"}})), "must be a path inside the repo"),
    "a path in the middle": (spec(script({"git": GIT | {"path": "a/../../b"}})), "must be a path inside the repo"),
    "an absolute path": (spec(script({"git": GIT | {"path": "/etc/train.py"}})), "must be a path inside the repo"),
    "a password in the address": (
        spec(script({"git": GIT | {"url": "https://me:secret@git.example.org/a"}})),
        "without credentials",
    ),
    "a token in the address": (
        spec(script({"git": GIT | {"url": "https://git.example.org/a?token=secret"}})),
        "has a query or a fragment: write the plain address; credentials never go into it",
    ),
    "a host that is not allowed": (
        spec(script({"git": GIT | {"url": "https://elsewhere.org/a"}})),
        "the host elsewhere.org is not among those that the operator's settings allow for scripts (git.example.org)",
    ),
    "a range of revisions": (spec(script({"git": GIT | {"revision": "v1..v2"}})), "is no name that git has"),
    "an argument that is no flag": (spec(script(**{"--gamma": 1})), "must be the name of a parameter"),
    "an argument with a space": (spec(script(**{"a b": 1})), "must be the name of a parameter"),
    "a flag that asks for help": (spec(script(help=True)), "asks for help instead of training"),
    "a flag with a zero": (spec(script(a="x\0")), "without code 0 fits into a flag"),
    "a flag that is a book": (spec(script(a="x" * 5000)), "at most 4096 characters"),
    "a flag that is a list": (spec(script(a=[1])), "must be a text, a number or a boolean"),
    "no data": ({"model": {"script": SCRIPT}}, "spec.data: absent: is needed: the model is judged by it"),
    "a metric with a typo": (
        spec({"script": SCRIPT}, evaluation={"metrics": ["acuracy"]}),
        "there is no such scorer; did you mean accuracy?",
    ),
    "metrics that fit no model": (
        spec({"pretrained": PRETRAINED}, evaluation={"metrics": ["accuracy", "r2"]}),
        "spec.evaluation.metrics[1]: r2: no kind of model is judged by it and by accuracy",
    ),
    "a gate without its metric": (
        spec({"script": SCRIPT}, evaluation={"gates": [{"metric": "roc_auc", "min": 0.9}]}),
        "spec.evaluation.gates[0].metric: roc_auc",
    ),
    "a target for a builtin": (spec({"script": SCRIPT}, data__target="y"), "has a target of its own; remove it"),
    "a sha256 in capitals": (spec({"pretrained": PRETRAINED | {"sha256": "AB" * 32}}), "must be a SHA-256 in 64 lower"),
    "a sha256 that is short": (spec({"pretrained": PRETRAINED | {"sha256": "ab"}}), "must be a SHA-256 in 64 lower"),
    "a prefix": (spec({"pretrained": PRETRAINED | {"uri": "s3://bucket/models/"}}), "names no object"),
    "a path that climbs": (spec({"pretrained": PRETRAINED | {"uri": "s3://b/a/../c.joblib"}}), "is no plain path"),
    "a signed address": (spec({"pretrained": PRETRAINED | {"uri": "s3://b/m?X-Amz-Signature=s"}}), "is no plain path"),
    "folds without a fit": (
        spec({"pretrained": PRETRAINED}, evaluation={"crossValidation": {"folds": 3}}),
        "spec.evaluation.crossValidation: 3: fits the model again, and a pretrained model is not fitted",
    ),
    "weights without a fit": (spec({"pretrained": PRETRAINED}, data__weight="w"), "weighs rows in fitting"),
    "tuning without a fit": (
        spec({"pretrained": PRETRAINED}, tuning={"parameters": [{"name": "a", "type": "Int", "min": 1, "max": 2}]}),
        "a pretrained model is not tuned",
    ),
    "a flag's value that is an estimator": (
        spec({"script": SCRIPT}, tuning={"parameters": [
            {"name": "a", "type": "Categorical", "values": [{"class": "sklearn.svm.SVC"}]}]}),
        "spec.tuning.parameters[0].values[0]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(name: str) -> None:
    document, says = REFUSED[name]
    message = refusal(document)
    assert says in message
    assert "secret" not in message


def test_flags_of_a_script_are_searched_by_any_name() -> None:
    names = ["n_jobs", "a", "a__b", "learning-rate"]
    tuning = {"parameters": [{"name": name, "type": "Double", "min": 0.1, "max": 1} for name in names]}
    tuning["parameters"].append({"name": "kind", "type": "Categorical", "values": ["a", 1, True, {"float": 1}]})
    accepted = accept(spec({"script": SCRIPT}, tuning=tuning))
    version = builders.version(training=training.frozen(accepted))
    config = training.run_config(builders.model(), version, SETTINGS, builders.catalogue())
    parsed = contract.RunConfig.model_validate_json(training.encode_config(config))
    assert parsed.tuning is not None and parsed.tuning.parameters[-1].values == ("a", 1, True, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"inline": "import joblib\n#\n"}},
        {"args": {"gamma": 0.002, "c": 1}},
        {"source": {"git": GIT}},
    ],
)
def test_text_and_flags_make_a_new_version(change: dict[str, Any]) -> None:
    before = training.training_hash(api.parse_spec(spec({"script": SCRIPT})))
    assert training.training_hash(api.parse_spec(spec({"script": SCRIPT | change}))) != before
    assert training.training_hash(api.parse_spec(spec({"script": dict(SCRIPT)}))) == before


def test_git_hosts_go_along_with_git_alone() -> None:
    for model, hosts in (({"script": SCRIPT}, None), (script({"git": GIT}), ["git.example.org"])):
        version = builders.version(training=training.frozen(api.parse_spec(spec(model))))
        config = training.run_config(builders.model(), version, SETTINGS, builders.catalogue())
        assert config.get("gitHosts") == hosts
        contract.RunConfig.model_validate_json(training.encode_config(config))


@pytest.mark.parametrize("layout, trains", [("Staged", "exec-train"), ("Fused", "exec-run-all")])
def test_a_config_map_is_mounted_where_it_trains_and_nowhere_else(layout: str, trains: str) -> None:
    base = pipeline.BasePipelines.parse(resources.pipelines())
    source = {"configMap": {"name": "mine", "key": "train.py"}}
    for model, expected in ((script(source), [trains]), ({"script": SCRIPT}, [])):
        document = api.parse_spec(spec(model, pipeline={"layout": layout}))
        rendered = pipeline.render(base, builders.version(training=training.frozen(document)), SETTINGS)
        executors = rendered.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert [name for name, item in executors.items() if "configMapAsVolume" in item] == expected
        assert contract.SCRIPT_CONFIGMAP_PLACEHOLDER not in json.dumps(rendered.platform)
        for name in expected:
            (entry,) = executors[name]["configMapAsVolume"]
            assert entry == {
                "configMapName": "mine",
                "configMapNameParameter": {"runtimeValue": {"constant": "mine"}},
                "mountPath": contract.SCRIPT_MOUNT,
                "optional": True,
            }


TEXTS = st.text(max_size=60)
NAMES = st.one_of(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,9}\Z"), TEXTS)
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(), st.floats(), st.none(), st.lists(st.integers(), max_size=2))
SOURCES = st.one_of(
    st.fixed_dictionaries({"inline": TEXTS}),
    st.fixed_dictionaries({"configMap": st.fixed_dictionaries({"name": TEXTS, "key": TEXTS})}),
    st.fixed_dictionaries(
        {
            "git": st.fixed_dictionaries(
                {
                    "url": st.one_of(
                        TEXTS, TEXTS.map("https://git.example.org/{}".format), TEXTS.map("https://{}/a".format)
                    ),
                    "revision": st.one_of(TEXTS, st.just("v1")),
                    "path": st.one_of(TEXTS, st.just("a.py")),
                }
            )
        }
    ),
)


@given(SOURCES, st.dictionaries(NAMES, VALUES, max_size=3))
def test_whatever_is_said_is_refused_in_words_or_reaches_the_task(source: Any, args: Any) -> None:
    document = spec({"script": {"source": source, "args": args}})
    try:
        accepted = accept(document)
    except validation.NotAccepted as refused:
        assert len(refused.message.encode()) <= 1024 and all(item.path.startswith("spec") for item in refused.problems)
        return
    version = builders.version(training=training.frozen(accepted))
    config = training.run_config(builders.model(), version, SETTINGS, builders.catalogue())
    parsed = contract.RunConfig.model_validate_json(training.encode_config(config))
    assert parsed.script is not None and parsed.script.source.model_dump(exclude_none=True, by_alias=True) == source
    if parsed.script.source.git is not None:
        assert ".." not in parsed.script.source.git.path and "@" not in parsed.script.source.git.url
