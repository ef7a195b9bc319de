"""The card: whole for every kind of model, small, self-contained, and deaf to what its names say."""

from __future__ import annotations

import html.parser
import itertools
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps_given as given
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from sklearn_steps import call, card, contract, evaluate, importance, insights, learning, parts, prepare, train

LIMIT = 300_000
TABLE = "island,bill,flipper,kind\n" + "".join(
    f"{'Dream' if i % 2 else 'Biscoe'},{40 + i % 7},{180 + i % 3 * 20},{'Adelie' if i % 3 else 'Gentoo'}\n"
    for i in range(90)
)
LABELS = "a,b,y,z\n" + "1,2,p,q\n3,4,r,q\n1,5,p,s\n" * 9
HOSTILE = [
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    "</style>",
    "<!--",
    "]]>",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt;",
    "';curl evil|sh;'",
    "$(reboot)`reboot`",
    "\x00\x1b[31m\u202e",
    "</svg><a href=//x>",
    "🦜" * 40,
]
NAMES = st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=60)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the card shows depends on the model here, not on how busy the machine is."""
    for module in (learning, importance):
        monkeypatch.setattr(module, "BUDGET", 3600.0)


def page(tmp_path: Path, estimator: str = given.TREE, params: dict[str, Any] | None = None, **changes: Any) -> str:
    given.run(given.config(tmp_path, estimator, params, **changes))
    text = (tmp_path / contract.CARD).read_text()
    assert len(text.encode()) < LIMIT
    return text


class _Skeleton(html.parser.HTMLParser):
    """Tags with their attributes; of those that hold texts, the name alone."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [(name, None if name in ("aria-label", "title") else value) for name, value in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(decl)


def skeleton(text: str) -> list[Any]:
    parser = _Skeleton()
    parser.feed(text)
    parser.close()
    return parser.found


SEARCH = {"trials": 4, "parameters": [{"name": "max_depth", "type": "Int", "min": 1, "max": 4}]}
CASES = {
    "tuned": (
        given.TREE,
        {},
        {"tuning": SEARCH},
        ["4 of 4 trials completed", "0, as given", "max_depth", "took no part"],
    ),
    "classifier": ("sklearn.svm.SVC", {}, {}, ["Confusion matrix", "Class by class", "ROC curve"]),
    "probabilities": ("sklearn.linear_model.LogisticRegression", {"max_iter": 500}, {}, ["Calibration", "ROC curve"]),
    "two classes": (given.TREE, {}, {"source": {"builtin": "breast_cancer"}}, ["benign counts as positive"]),
    "no scores": ("sklearn.neighbors.NearestCentroid", {}, {}, ["Confusion matrix"]),
    "text": (given.TREE, {}, given.inline(TABLE, target="kind"), ["one-hot encoded", "Biscoe", "/v1/models/m:predict"]),
    "regressor": ("sklearn.linear_model.Ridge", {}, {"source": {"builtin": "diabetes"}}, ["Residuals", "relies on"]),
    "several targets": ("sklearn.linear_model.Ridge", {}, {"source": {"builtin": "linnerud"}}, ["Residuals: Waist"]),
    "several labels": (
        given.TREE,
        {},
        given.inline(LABELS, target=["y", "z"]),
        ["of 2 targets"],
    ),
    "clusterer": ("sklearn.cluster.KMeans", {"n_clusters": 3}, {}, ["Sizes of the clusters", "silhouette"]),
    "outliers": ("sklearn.ensemble.IsolationForest", {"n_estimators": 5}, {}, ["below 0 are outliers", "no metric"]),
    "judged on its own rows": (given.TREE, {}, {"split": {"strategy": "None"}}, ["judged on the very same rows"]),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_model_has_its_card(tmp_path: Path, case: str) -> None:
    estimator, params, changes, expected = CASES[case]
    text = page(tmp_path, estimator, params, **changes)
    for words in (*expected, "Lineage", "Call it", "Data", "Parameters"):
        assert words.lower() in text.lower(), words
    assert "nan" not in re.findall(r'[ "](nan|inf)[ ",]', text)


def test_the_card_tells_gates_folds_and_the_version_that_serves(tmp_path: Path) -> None:
    before = given.run(given.config(tmp_path / "before"))
    evaluation = {
        "crossValidation": {"folds": 3},
        "gates": [{"metric": "accuracy", "min": 0.999}, {"metric": "accuracy", "compareTo": "Serving"}],
        "compareWith": {
            "version": "m-v0",
            "uri": f"file://{tmp_path / 'before'}/",
            "sha256": before["artifact"]["sha256"],
        },
    }
    text = page(tmp_path / "after", evaluation=evaluation)
    assert "1 of 2 gates not passed" in text and "over 3 folds" in text and "<th>m-v0</th>" in text
    assert "asked for ≥ 0.999" in text


def test_nothing_comes_from_anywhere_else(tmp_path: Path) -> None:
    text = page(tmp_path, "sklearn.linear_model.LogisticRegression", {"max_iter": 500})
    tags = [entry for entry in skeleton(text) if isinstance(entry, tuple)]
    assert {tag for tag, _ in tags} & {"script", "img", "link", "iframe", "object", "embed", "image", "use"} == set()
    for _, attributes in tags:
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "srcset", "xlink:href", "action")
            assert name != "href" or str(value).startswith("#")
    assert "url(" not in text and "@import" not in text


def test_a_wide_and_many_classed_card_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "BUDGET", 0.0)  # shuffling 400 columns takes half a minute, and shows 20
    names = ",".join(f"a-rather-long-column-name-number-{i}" * 3 for i in range(400))
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{','.join(map(str, rng.normal(size=400).round(6)))},a-rather-long-class-name-number-{i % 50}\n"
        for i in range(400)
    )
    changes = given.inline(f"{names},kind\n{rows}", target="kind")
    text = page(tmp_path, "sklearn.naive_bayes.GaussianNB", **changes)
    assert "300 more are in schema.json" in text and "A row is too long for a page" in text


@pytest.fixture(scope="module")
def material() -> card.Material:
    """Of a table with text, judged with everything there is."""
    evaluation = {"crossValidation": {"folds": 3}, "gates": [{"metric": "accuracy", "min": 0.5}]}
    data = given.inline(TABLE, target="kind")
    config = given.parsed(given.config("file:///tmp/none/", given.TREE, evaluation=evaluation, **data))
    train_part, test_part = prepare.prepare(config)
    fitted = train.train(config, train_part)
    caught: list[card.Material] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(card, "render", lambda found: caught.append(found) or "")
        evaluate.evaluate(config, fitted, test_part)
    return caught[0]


def renamed(material: card.Material, names: list[str]) -> card.Material:
    """Every text that a user, a library or the data has a hand in."""
    name = itertools.cycle(names)
    about = material.training.about
    profile = [
        entry
        | {"name": next(name), "dtype": next(name)}
        | (
            {"counts": {f"{next(name)}{place}": 1 for place in range(len(entry["counts"]))}}
            if "counts" in entry
            else {}
        )
        for entry in about.profile
    ]
    columns = [parts.Column(name=next(name), dtype="object") for _ in about.columns]
    about = about.model_copy(
        update={
            "source": next(name),
            "target": [next(name)],
            "sha256": next(name),
            "columns": columns,
            "profile": profile,
        }
    )
    training = material.training.model_copy(
        update={
            "about": about,
            "estimator": next(name),
            "params": {next(name): next(name)},
            "notes": [next(name)],
            "classes": [next(name) for _ in material.training.classes or ()],
            "versions": {next(name): next(name)},
            "left_out": [next(name)],
        }
    )
    gates = tuple(gate.model_copy(update={"message": next(name)}) for gate in material.evaluation.gates)
    compared = contract.Compared(version=next(name), metrics={"accuracy": 0.5})
    evaluation = material.evaluation.model_copy(
        update={"notes": [next(name)], "gates": gates, "compared_with": compared}
    )
    config = material.config.model_copy(
        update={field: next(name) for field in ("namespace", "model", "version", "run_id", "training_hash", "image")}
        | {"data": material.config.data.model_copy(update={"revision": next(name)}), "artifact_uri": next(name)}
    )
    seen = replace(
        material.seen,
        per_class=[replace(one, name=next(name)) for one in material.seen.per_class],
        confusions=[(next(name), next(name), 1)],
        roc=[replace(one, name=next(name)) for one in material.seen.roc],
        recall=[replace(one, name=next(name)) for one in material.seen.recall],
    )
    weight = replace(
        material.weight, bars=[importance.Bar(next(name), 0.1, 0.01), importance.Bar(next(name), 0.0, 0.0)]
    )
    drawn = replace(material.drawn, classes=[next(name) for _ in material.drawn.classes])
    row = [next(name) for _ in about.columns]
    golden = {
        "columns": [f"{next(name)}{place}" for place in range(len(row))],
        "rows": [row],
        "outputs": {"predict": ["x"]},
    }
    return card.Material(config, training, evaluation, golden, drawn, seen, weight, [next(name)])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_does_not_get_out_of_its_place(material: card.Material, name: str) -> None:
    assert skeleton(card.render(renamed(material, [name]))) == skeleton(card.render(renamed(material, ["plain"])))


@settings(max_examples=40, deadline=None)
@for_any(names=st.lists(NAMES, min_size=1, max_size=5))
def test_no_name_gets_out_of_its_place(material: card.Material, names: list[str]) -> None:
    text = card.render(renamed(material, names))
    assert skeleton(text) == skeleton(card.render(renamed(material, ["plain"])))
    assert len(text.encode(errors="surrogatepass")) < LIMIT


@for_any(name=NAMES, value=NAMES, model=NAMES, namespace=NAMES, table=st.booleans())
def test_the_command_has_the_row_and_nothing_ends_its_quotes(
    name: str, value: str, model: str, namespace: str, table: bool
) -> None:
    config = given.parsed(given.config("file:///tmp/none/")).model_copy(update={"model": model, "namespace": namespace})
    golden = {"columns": [name], "rows": [[value]], "outputs": {"predict": [value]}}
    shown = call.shown(config, golden, table)
    words = shlex.split(shown.command)
    assert words[:2] == ["curl", "-s"] and len(words) == 7 and shown.command.isascii()
    assert re.fullmatch(r"\$URL/v[12]/models/[\w.~%:-]+(/infer)?", words[2])
    body = json.loads(words[6])
    assert (body["instances"] == [{name: value}]) if table else (body["inputs"][0]["data"] == [value])
    (address,) = [
        word for word in shlex.split(shown.address.removeprefix("URL=$(").removesuffix(")")) if "status" in word
    ][-1:]
    assert address == "jsonpath={.status.address}" or "status" in namespace + model


def test_a_model_that_cannot_sit_for_a_picture_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def odd(*_: Any) -> Any:
        raise ValueError("no <b>picture</b>")

    monkeypatch.setattr(insights, "look", odd)
    text = page(tmp_path)
    assert "Pictures of the answers: no &lt;b&gt;picture&lt;/b&gt;" in text
