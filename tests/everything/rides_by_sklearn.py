"""What scikit-learn itself makes of a folder of rides, run by the trainer environment's Python.

``python rides_by_sklearn.py FOLDER`` writes three files of rides there and prints the figures as JSON. Nothing of the
project is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import compose, linear_model, metrics, model_selection, pipeline, preprocessing

COLUMNS = ["km", "rain", "town"]


def rides(rows: int = 240) -> pd.DataFrame:
    """Drivers who differ, days that are not in order, and weights."""
    random = np.random.default_rng(3)
    driver = random.integers(0, 24, rows)
    day = random.permutation(rows)
    km = random.gamma(3, 2, rows).round(2)
    frame = pd.DataFrame(
        {
            "km": km,
            "rain": random.random(rows) < 0.3,
            "town": random.choice(["Bern", "Biel", "Chur"], rows),
            "driver": [f"d{number:02}" for number in driver],
            "day": [str(np.datetime64("2026-01-01") + int(number)) for number in day],
            "seats": random.integers(1, 5, rows),
        }
    )
    return frame.assign(minutes=(3 + 2.5 * km + driver / 4 + day / 40 + random.normal(0, 2, rows)).round(2))


def figures(train: pd.DataFrame, test: pd.DataFrame, weight: pd.Series | None) -> dict[str, float]:
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = compose.ColumnTransformer([("text", encoder, ["town"])], remainder="passthrough")
    model = pipeline.make_pipeline(columns, linear_model.Ridge())
    model.fit(train[COLUMNS], train["minutes"], ridge__sample_weight=weight)
    found = model.predict(test[COLUMNS])
    return {
        "r2": metrics.r2_score(test["minutes"], found),
        "first": found[0],
        "row": json.loads(test[COLUMNS].head(1).to_json(orient="records"))[0],
    }


def main(folder: Path) -> None:
    frame = rides()
    for number, part in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[part].to_csv(folder / f"part-{number}.csv", index=False)
    splitter = model_selection.GroupShuffleSplit(1, test_size=0.25, random_state=5)
    train, test = next(splitter.split(frame, groups=frame["driver"]))
    ordered = frame.sort_values("day", kind="stable")
    by_group = frame.iloc[train], frame.iloc[test]
    found = {
        "group": figures(*by_group, None),
        "weighted": figures(*by_group, by_group[0]["seats"]),
        "time": figures(ordered.iloc[:192], ordered.iloc[192:], None),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
