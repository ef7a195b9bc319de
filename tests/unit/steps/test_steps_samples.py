"""The samples do what their comments say."""

from __future__ import annotations

from pathlib import Path

import pytest
import steps_given as given
import steps_served as served
import yaml

SAMPLES = Path(__file__).parents[3] / "deploy" / "samples"


@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_penguins_answer_a_row_with_gaps_and_a_new_island(tmp_path: Path) -> None:
    table, model = yaml.safe_load_all((SAMPLES / "penguins.yaml").read_text())
    spec = model["spec"]
    steps = spec["model"]["pipeline"]
    steps[-1]["params"]["max_features"] = 1.0  # as the operator writes {float: 1}
    data = given.inline(table["data"]["penguins.csv"], target=spec["data"]["target"])
    result = given.run(given.declared(tmp_path, steps, **data))
    assert result["metrics"]["accuracy"] > 0.9
    answers = served.runtime(tmp_path, result)
    assert (
        answers.answer_v1((SAMPLES / "requests" / "penguin-gentoo.json").read_bytes()) == b'{"predictions":["Gentoo"]}'
    )
