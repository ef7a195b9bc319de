"""What is published can be served: the serving runtime loads it and replays the golden rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import steps_given as given

from sklearn_runtime import artifact
from sklearn_steps import contract

TABLE = pd.DataFrame(
    {
        "island": ["Biscoe", "Dream", "Torgersen", None] * 15,
        "mass": range(60),
        "bill": [40.5, 41.25, 39.0, 42.0] * 15,
        "tagged": [True, False] * 30,
        "kind": ["x", "y", "z"] * 20,
        "species": ["Adelie", "Gentoo", "Chinstrap"] * 20,
    }
).to_csv(index=False)

LABELS = "a,p,q\n" + "".join(f"{i},{i % 2},{i // 2 % 2}\n" for i in range(40))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # as the runtime does: it proves arrays
@pytest.mark.parametrize(
    ("estimator", "params", "data"),
    [
        ("sklearn.svm.SVC", {"gamma": 0.001}, {"source": {"builtin": "digits"}}),
        (given.TREE, {}, {}),
        ("sklearn.linear_model.Ridge", {}, {"source": {"builtin": "linnerud"}}),
        ("sklearn.cluster.KMeans", {"n_clusters": 3}, {}),
        ("sklearn.ensemble.IsolationForest", {"n_estimators": 5}, {}),
        (given.TREE, {}, given.inline(TABLE, target="species")),
        (given.TREE, {}, given.inline(TABLE, target=["species", "kind"])),
        (given.TREE, {}, given.inline(LABELS, target=["p", "q"])),
        (given.TREE, {}, given.inline(TABLE, target="species", features={"exclude": ["island"]})),
        ("sklearn.linear_model.Ridge", {}, given.inline(TABLE, target="bill", features={"include": ["mass"]})),
    ],
    ids=[
        "digits",
        "iris",
        "linnerud",
        "clusters",
        "outliers",
        "text",
        "two-targets",
        "two-labels",
        "numbers",
        "one-column",
    ],
)
def test_the_runtime_proves_it(estimator: str, params: dict[str, Any], data: dict[str, Any], tmp_path: Path) -> None:
    result = given.run(given.config(tmp_path, estimator, params, **data))
    served = artifact.load(tmp_path, "m", "m-v1", result["artifact"]["sha256"])
    assert served.estimator == estimator
    golden = json.loads((tmp_path / contract.GOLDEN).read_bytes())
    assert list(served.columns.names) == golden["columns"]
