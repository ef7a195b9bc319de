"""Estimators of another package: built, searched, published and served where the settings allow the package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
import steps_given as given
import steps_served as served

from sklearn_steps import contract, estimators

SOURCE = '''
import os
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier


class Stump(DecisionTreeClassifier):
    """Parameters by keyword only, and not in the signature of every class, as in xgboost."""

    def __init__(self, max_depth=1, random_state=None):
        super().__init__(max_depth=max_depth, random_state=random_state)


class Bush(Stump):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    @classmethod
    def _get_param_names(cls):
        return Stump._get_param_names()


class NoEstimator:
    pass
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "packages" / "woods"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from woods.trees import Bush, Stump\n")
    (folder / "trees.py").write_text(SOURCE)
    info = tmp_path / "packages" / "the_woods-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: the-woods\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("woods\n")
    (info / "RECORD").write_text("woods/__init__.py,,\nwoods/trees.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    yield "woods"
    for name in [name for name in sys.modules if name.partition(".")[0] == "woods"]:
        del sys.modules[name]


@pytest.mark.parametrize("path", ["woods.Stump", "woods.Bush", "woods.trees.Bush"])
@pytest.mark.parametrize("nested", [False, True])
def test_it_is_seeded_searched_published_and_served(path: str, nested: bool, package: str, tmp_path: Path) -> None:
    step: dict[str, Any] = {"name": "m", "class": path, "params": {"max_depth": 2}}
    if nested:
        inner = {"class": path, "params": {"max_depth": 2}}
        step = {"name": "m", "class": "sklearn.ensemble.BaggingClassifier", "params": {"estimator": inner}}
    name = "m__estimator__max_depth" if nested else "m__max_depth"
    tuning = {"trials": 3, "algorithm": "Grid", "parameters": [{"name": name, "type": "Int", "min": 1, "max": 3}]}
    scale = {"name": "s", "class": "sklearn.preprocessing.StandardScaler"}
    result = given.run(given.declared(tmp_path, [scale, step], tuning=tuning, seed=7) | {"packages": [package]})
    assert result["tuning"]["failed"] == 0 and result["metrics"]["accuracy"] > 0.8
    model = joblib.load(tmp_path / contract.MODEL)[-1]
    assert type(model.estimator if nested else model).__name__ == path.rpartition(".")[2]
    assert (model.estimator if nested else model).get_params()["random_state"] == 7
    assert "the-woods==1.2" in (tmp_path / contract.REQUIREMENTS).read_text().splitlines()
    served.runtime(tmp_path, result)


@pytest.mark.parametrize(
    ("path", "allowed", "says"),
    [
        ("woods.Stump", [], "only public classes of scikit-learn can be named"),
        ("woods.Stmp", ["woods"], "woods has no estimator of that name"),
        ("woods.trees.NoEstimator", ["woods"], "has no estimator of that name"),
        ("woods.trees.os", ["woods"], "has no estimator of that name"),
        ("woods.trees.os.system", ["woods"], "cannot import it"),
        ("woods.trees.DecisionTreeClassifier", ["woods"], "not a class of woods's own; name it by sklearn.tree"),
        ("woods._private.Stump", ["woods"], "not public"),
        ("xgboost.XGBClassifier", ["xgboost"], "use a trainer image that has xgboost"),
    ],
)
def test_what_is_refused_is_refused_by_name(
    path: str, allowed: list[str], says: str, package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = given.failure(given.config(tmp_path, path) | {"packages": allowed}, capsys)
    assert told["reason"] == "UnknownClass"
    assert told["message"].startswith(f"model.estimator.class '{path}': ") and says in told["message"]


def test_scikit_learn_stays_as_closed_as_it_was(package: str) -> None:
    with pytest.raises(Exception, match="holds no estimators"):
        estimators.resolve("sklearn.utils.Bunch", packages=[package])
