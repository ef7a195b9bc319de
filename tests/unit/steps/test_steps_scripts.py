"""Training by the user's own script: what it gets, what becomes of what it leaves, and how it fails."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps_given as given
import steps_scripts as scripted
import steps_served as served
from hypothesis import given as each
from hypothesis import strategies as st

from sklearn_steps import contract, scripts
from waiting import wait_for

#: As the runtime does: it proves arrays.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")

HEAD = scripted.HEAD
TABLE = "word,size,gap,y\n" + "".join(
    f"{'abc'[n % 3] if n % 7 else ''},{n % 5},{'' if n % 4 == 0 else n % 9},{'yes' if n % 3 else 'no'}\n"
    for n in range(60)
)


def test_the_script_of_the_tutorial_gives_the_figure_of_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = scripted.config(tmp_path, scripted.DIGITS, {"gamma": 0.001, "c": 1}, **scripted.HALVES)
    result = given.run(document)
    assert result["metrics"]["accuracy"] == 0.9688542825361512
    assert result["lineage"]["features"] == 64
    assert "fitted 898 rows" in capsys.readouterr().out
    metrics = json.loads((tmp_path / contract.METRICS).read_bytes())
    assert metrics["script"] == {"training_accuracy": pytest.approx(0.9988864)}
    metadata = json.loads((tmp_path / contract.METADATA).read_bytes())
    assert (metadata["estimator"], metadata["estimatorType"]) == ("sklearn.svm.SVC", "classifier")
    assert any("sha256" in note for note in result["notes"])
    assert "gamma" in (tmp_path / contract.CARD).read_text()
    answers = served.runtime(tmp_path, result)
    row = json.loads((tmp_path / contract.GOLDEN).read_bytes())
    body = {"instances": [dict(zip(row["columns"], row["rows"][0], strict=True))]}
    assert json.loads(answers.answer_v1(json.dumps(body).encode())) == {"predictions": row["outputs"]["predict"][:1]}


MESSY = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["word"]), (SimpleImputer(), ["gap"]))
X = X[["gap", "word"]]
leave(make_pipeline(columns, LogisticRegression()).fit(X, y))
"""


def test_a_pipeline_on_some_columns_of_a_table_is_judged_and_served_by_name(tmp_path: Path) -> None:
    data = given.inline(TABLE, target="y")
    result = given.run(scripted.config(tmp_path, HEAD + MESSY, **data))
    assert result["estimatorType"] == "classifier"
    metadata = json.loads((tmp_path / contract.METADATA).read_bytes())
    assert [feature["name"] for feature in metadata["features"]] == ["gap", "word"]
    assert metadata["ignored"] == ["size"]
    schema = json.loads((tmp_path / contract.SCHEMA).read_bytes())
    assert {feature["name"] for feature in schema["features"]} == {"gap", "word"}
    answers = served.runtime(tmp_path, result)
    body = b'{"instances": [{"word": null, "gap": null, "size": 1}, {"word": "new", "gap": 3}]}'
    assert len(json.loads(answers.answer_v1(body))["predictions"]) == 2


def test_a_model_without_names_gets_plain_arrays(tmp_path: Path) -> None:
    text = HEAD + "from sklearn.linear_model import LinearRegression\nleave(LinearRegression().fit(X.to_numpy(), y))"
    result = given.run(scripted.config(tmp_path, text, source={"builtin": "diabetes"}))
    assert result["estimatorType"] == "regressor" and result["metrics"]["r2"] > 0.3
    assert served.runtime(tmp_path, result)


def test_it_sees_no_secrets_and_its_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in given.KEYS:
        monkeypatch.setenv(name, "hush")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "SKLEARN_DATA_INLINE"):
        monkeypatch.setenv(name, "hush")
    script = tmp_path / "train.py"
    script.write_text(
        "import json, os, sys\n"
        "open(os.environ['SKLEARN_OUTPUT'] + '/model.joblib', 'w').write(json.dumps([dict(os.environ), sys.argv]))"
    )
    left = scripts.run(scripts.Source(script, "", ""), {"a": True}, tmp_path / "in", tmp_path / "out", 7)
    environment, argv = json.loads(left.model.read_text())
    assert "hush" not in environment.values()
    assert (environment["SKLEARN_INPUT"], environment["SKLEARN_SEED"]) == (str(tmp_path / "in"), "7")
    assert argv == [str(script), "--a", "true"]


FAILURES: dict[str, tuple[str, str, str]] = {
    "raises": (
        "import sys\nprint('before', flush=True)\nraise ValueError('gamma must be positive')",
        "ScriptFailed",
        "model.script: train.py ended with code 1; its last lines: before / Traceback",
    ),
    "raises, told whole": ("raise ValueError('gamma must be positive')", "ScriptFailed", "ValueError: gamma must be"),
    "says a lot": ("print('x' * 100000)\nraise SystemExit('the end of it')", "ScriptFailed", "the end of it"),
    "is killed": ("import os\nos.kill(os.getpid(), 9)", "ScriptFailed", "was ended by SIGKILL; it may have run out"),
    "leaves nothing": ("print('done')", "ModelMissing", "it left nothing there. Write it with joblib.dump"),
    "leaves another file": (
        "import os\nopen(os.environ['SKLEARN_OUTPUT'] + '/model.pkl', 'w')",
        "ModelMissing",
        "it left model.pkl",
    ),
    "leaves no estimator": (HEAD + "leave({'a': 1})", "NotAModel", "the file holds an object of type dict"),
    "leaves a class": (
        HEAD + "import sklearn.svm\nleave(sklearn.svm.SVC)",
        "NotAModel",
        "the file holds the class SVC",
    ),
    "does not fit": (HEAD + "from sklearn.svm import SVC\nleave(SVC())", "NotFitted", "SVC is not fitted"),
    "leaves a transformer": (
        HEAD + "from sklearn.preprocessing import StandardScaler\nleave(StandardScaler().fit(X))",
        "NotAModel",
        "StandardScaler cannot predict",
    ),
    "leaves its own class": (
        HEAD + "from sklearn.svm import SVC\nclass Mine(SVC): pass\nleave(Mine().fit(X, y))",
        "ModelNotLoadable",
        "build it of classes that the image can import",
    ),
    "leaves rubbish": (
        "import os\nopen(os.environ['SKLEARN_OUTPUT'] + '/model.joblib', 'w').write('rubbish')",
        "ModelNotLoadable",
        "not a model written with joblib.dump",
    ),
    "invents a column": (
        HEAD + "from sklearn.svm import SVC\nleave(SVC().fit(X.rename(columns={names[0]: 'other'}), y))",
        "FeaturesDiffer",
        "the model was fitted with other, which the data has not",
    ),
    "drops columns without names": (
        HEAD + "from sklearn.svm import SVC\nleave(SVC().fit(X.to_numpy()[:, :2], y))",
        "FeaturesDiffer",
        "the model takes 2 columns without names, and the data has 4",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_how_it_fails(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, reason, says = FAILURES[name]
    failure = given.failure(scripted.config(tmp_path, script), capsys)
    assert (failure["step"], failure["reason"]) == ("train", reason)
    assert says in failure["message"]
    assert failure["permanent"] is (reason != "ScriptFailed")


def test_odd_figures_of_its_own_are_said_and_left_out(tmp_path: Path) -> None:
    (tmp_path / contract.METRICS).write_text('{"loss": 0.5, "steps": 3, "name": "x", "nan": NaN, "yes": true}')
    found, said = scripts._metrics(tmp_path / contract.METRICS)
    assert found == {"loss": 0.5, "steps": 3.0}
    assert said == ["in the script's metrics.json only finite numbers count, not name, nan, yes"]
    for text in ("[1]", "{", "[" * 100_000):
        (tmp_path / contract.METRICS).write_text(text)
        assert scripts._metrics(tmp_path / contract.METRICS)[0] == {}


def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ConfigMap as the kubelet mounts it."""
    mount = tmp_path / "mount"
    (mount / "..2026_01_01").mkdir(parents=True)
    (mount / "..data").symlink_to("..2026_01_01")
    for name, text in {"train.py": "from helper import main\nmain()", "helper.py": f"{HEAD}\n{MAIN}"}.items():
        (mount / "..2026_01_01" / name).write_text(text)
        (mount / name).symlink_to(f"..data/{name}")
    monkeypatch.setenv(contract.SCRIPT_FOLDER_ENV, str(mount))
    return mount


MAIN = """
def main():
    from sklearn.tree import DecisionTreeClassifier
    leave(DecisionTreeClassifier(random_state=int(os.environ["SKLEARN_SEED"])).fit(X, y))
"""


def test_the_other_keys_of_a_config_map_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(tmp_path, monkeypatch)
    document = scripted.config(tmp_path / "out", "")
    document["script"] = {"source": {"configMap": {"name": "mine", "key": "train.py"}}}
    result = given.run(document)
    assert any(note.startswith("script: train.py of ConfigMap mine") for note in result["notes"])
    plain = given.run(given.config(tmp_path / "plain"))
    assert result["metrics"] == plain["metrics"]


def test_a_key_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mounted(tmp_path, monkeypatch)
    document = scripted.config(tmp_path / "out", "")
    document["script"] = {"source": {"configMap": {"name": "mine", "key": "trian.py"}}}
    failure = given.failure(document, capsys)
    assert failure["reason"] == "ScriptMissing"
    assert "there is no file 'trian.py'; did you mean train.py? there are helper.py, train.py" in failure["message"]
    monkeypatch.setenv(contract.SCRIPT_FOLDER_ENV, str(tmp_path / "nowhere"))
    assert "there is nothing" in given.failure(document, capsys)["message"]


def test_staged_and_fused_are_the_same(tmp_path: Path) -> None:
    script = HEAD + "from sklearn.svm import SVC\nleave(SVC().fit(X, y))"
    fused = given.run(scripted.config(tmp_path / "fused", script))
    staged = given.staged(scripted.config(tmp_path / "staged", script), tmp_path)
    for name in ("metrics", "estimatorType", "notes"):
        assert staged[name] == fused[name]
    assert staged["artifact"]["sha256"] == fused["artifact"]["sha256"]


def test_rows_go_in_as_they_are_judged_gaps_and_weights_included(tmp_path: Path) -> None:
    import pandas as pd

    from sklearn_steps import prepare

    rows = "word,gap,heavy,y\na,1,2,0\n,,1,1\nb,3,1,0\na,4,5,1\n"
    options: dict[str, Any] = {"split": {"strategy": "None"}, "weight": "heavy"}
    config = given.parsed(scripted.config(tmp_path, "pass", **given.inline(rows, target="y", **options)))
    part, _ = prepare.prepare(config)
    scripts.write_input(part, tmp_path / "in", config)
    frame = pd.read_parquet(tmp_path / "in" / scripts.TABLE)
    assert list(frame.columns) == ["word", "gap", "y", "heavy"]
    assert frame["word"].astype(object).tolist()[:3:2] == ["a", "b"]
    assert np.isnan(frame["word"].astype(object)[1])
    assert frame["heavy"].tolist() == [2.0, 1.0, 1.0, 5.0]
    schema = json.loads((tmp_path / "in" / scripts.SCHEMA).read_bytes())
    assert [(item["name"], item["kind"]) for item in schema["features"]] == [("word", "string"), ("gap", "number")]
    assert (schema["target"], schema["weight"], schema["rows"]) == (["y"], "heavy", 4)


NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}\Z").filter(lambda name: name != "help" and name != "h")
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40),
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(),
)  # fmt: skip


@each(st.dictionaries(NAMES, VALUES, max_size=5))
def test_argparse_reads_every_flag_back(args: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in args:
        parser.add_argument(f"--{name}", dest=f"_{name}")
    found = vars(parser.parse_args(scripts.flags(args)))
    expected = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in args.items()}
    assert found == {f"_{name}": value for name, value in expected.items()}


STARTS_ANOTHER = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(os.environ["SKLEARN_OUTPUT"] + "/model.joblib", "w").write("x")
open("group", "w").write(str(os.getpgid(0)))
if sys.argv[1:]:
    time.sleep(600)
"""


def gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_nothing_of_it_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(STARTS_ANOTHER)
    scripts.run(scripts.Source(tmp_path / "train.py", "", ""), {}, tmp_path, tmp_path / "out", 0)
    group = int((tmp_path / "group").read_text())
    wait_for("the end of its group", lambda: gone(group))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_task(number: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        STARTS_ANOTHER.replace("subprocess.Popen", "len" if number == 9 else "subprocess.Popen")
    )
    call = (
        "import pathlib, sys\nfrom sklearn_steps import scripts\nhere = pathlib.Path(sys.argv[1])\n"
        "scripts.run(scripts.Source(here / 'train.py', '', ''), {'wait': 1}, here, here / 'out', 0)"
    )
    with subprocess.Popen([sys.executable, "-c", call, str(tmp_path)]) as task:
        wait_for("its group", lambda: (tmp_path / "group").exists() and (tmp_path / "group").read_text(), 60)
        task.send_signal(number)
        assert task.wait(30) in (143, -9)
    group = int((tmp_path / "group").read_text())
    wait_for("the end of its group", lambda: gone(group))


TUNED = {
    "trials": 4,
    "algorithm": "Grid",
    "objective": {"metric": "accuracy"},
    "parameters": [{"name": "gamma", "type": "Categorical", "values": [0.0001, 0.0005, 0.002]}],
}


def test_tuning_sets_its_flags_and_judges_what_it_leaves(tmp_path: Path) -> None:
    document = scripted.config(tmp_path / "a", scripted.DIGITS, {"gamma": 0.01}, tuning=TUNED, **scripted.HALVES)
    result = given.run(document)
    found = result["tuning"]
    assert (found["completed"], found["failed"], found["ended"]) == (4, 0, "Trials")
    declared = given.config(tmp_path / "b", "sklearn.svm.SVC", {"gamma": 0.01}, tuning=TUNED, **scripted.HALVES)
    expected = given.run(declared)
    for name in ("bestParams", "bestScore", "baselineScore", "bestTrial"):
        assert found[name] == expected["tuning"][name], name
    assert result["metrics"] == expected["metrics"]


def test_trials_that_fail_count_and_tell_why(tmp_path: Path) -> None:
    script = scripted.DIGITS.replace("args = parser", "parser.add_argument('--odd')\nargs = parser")
    tuning = TUNED | {
        "trials": 3,
        "parameters": [{"name": "odd", "type": "Categorical", "values": ["1", "2"]}],
    }
    script = script.replace("model = SVC", "assert args.odd != '2', 'two is too odd'\nmodel = SVC")
    document = scripted.config(tmp_path, script, source={"builtin": "iris"}, tuning=tuning)
    result = given.run(document)
    assert (result["tuning"]["completed"], result["tuning"]["failed"], result["tuning"]["bestParams"]) == (2, 1, {})
    assert any("two is too odd" in note for note in result["notes"])


def test_folds_call_the_script_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes: dict[str, Any] = {"evaluation": {"crossValidation": {"folds": 3}}} | scripted.HALVES
    result = given.run(scripted.config(tmp_path / "a", scripted.DIGITS, **changes))
    assert capsys.readouterr().out.count("[fold] fitted") == 3
    expected = given.run(given.config(tmp_path / "b", "sklearn.svm.SVC", {"gamma": 0.001}, **changes))
    assert result["crossValidation"] == expected["crossValidation"]
