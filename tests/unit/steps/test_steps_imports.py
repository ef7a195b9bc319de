"""Who may import what: the operator affords the contract, a step pays for what it uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import steps_given as given

from sklearn_steps import contract, threads

HEAVY = ("sklearn", "numpy", "pandas", "pyarrow", "scipy", "joblib", "kfp", "obstore", "jinja2", "matplotlib")


def loaded(code: str, *arguments: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_contract_is_pydantic_alone() -> None:
    assert loaded("import sklearn_steps.contract") == set()


def test_each_step_imports_what_it_uses(tmp_path: Path) -> None:
    text = json.dumps(given.config(tmp_path / "out"))
    folders = [str(tmp_path / name) for name in ("train", "test", "model", "evaluation")]
    script = "from sklearn_steps import tasks\nconfig, train, test, model, evaluation = sys.argv[1:]\n"
    steps = {
        "tasks.prepare(config, train, test)": {"sklearn", "numpy", "scipy", "joblib"},
        "tasks.train(config, train, model)": {"sklearn", "numpy", "scipy", "joblib"},
        "tasks.evaluate(config, model, test, evaluation)": {"sklearn", "numpy", "scipy", "joblib", "jinja2"},
        "tasks.publish(config, model, evaluation)": {"obstore"},
    }
    for call, expected in steps.items():
        assert loaded(script + call, text, *folders) == expected, call


def run(script: str) -> list[str]:
    given = f"from sklearn_steps import sklearn_import\nsklearn_import.load(table=False)\nimport sys\n{script}"
    return subprocess.run([sys.executable, "-c", given], check=True, capture_output=True, text=True).stdout.split("\n")


def test_parts_of_scipy_come_with_their_first_use() -> None:
    script = """
from sklearn.preprocessing import PowerTransformer, SplineTransformer
loaded = lambda: [n for n in ("stats", "interpolate", "integrate") if f"scipy.{n}._" in " ".join(sys.modules)]
rows = [[1.0], [2.0], [4.0], [8.0], [9.0]]
print(loaded())
print(SplineTransformer().fit_transform(rows).shape, loaded())
print(PowerTransformer().fit_transform(rows).ravel().round(3).tolist()[0])
from sklearn.covariance import EllipticEnvelope
print(EllipticEnvelope(random_state=0).fit([*rows, [500.0]]).predict([[500.0]]))
"""
    plain = script.replace("sys.modules)]", "sys.modules)]\nimport scipy.stats, scipy.interpolate")
    deferred, direct = run(script), run(plain)
    assert deferred[0] == "[]"
    assert deferred[1] == "(5, 7) ['interpolate']"
    assert deferred[2:] == direct[2:]


def test_everybody_else_gets_the_real_parts_of_scipy() -> None:
    script = """
from scipy.stats import norm, rv_continuous
print(isinstance(norm, rv_continuous))
import pickle, scipy.stats, scipy.stats.mstats
print(scipy.stats is sys.modules["scipy.stats"], pickle.loads(pickle.dumps(norm(1, 2))).mean())
import scipy.integrate as early
print(early.trapezoid([1, 1]), "quad" in dir(early))
import scipy.interpolate._bsplines
print(scipy.interpolate.BSpline is scipy.interpolate._bsplines.BSpline)
"""
    assert run(script) == ["True", "True 1.0", "1.0 True", "True", ""]


@pytest.mark.parametrize(
    ("stated", "quota", "cores"),
    [("2", "max 100000", 2), ("500m", "max 100000", 1), ("2500m", "max 100000", 2), ("", "100000 100000", 1)],
)
def test_threads_follow_the_limit(stated: str, quota: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    environment = {contract.CPU_LIMIT_ENV: stated, "MKL_NUM_THREADS": "7"}
    assert threads.limit(environment, tmp_path / "cpu.max") == cores
    assert environment["OMP_NUM_THREADS"] == str(cores)
    assert environment["MKL_NUM_THREADS"] == "7"


def test_the_command_line_is_the_same_code(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(given.config(tmp_path / "out")))
    command = [sys.executable, "-m", "sklearn_steps", "run-all", "--config", str(tmp_path / "run.json")]
    subprocess.run(command, check=True)
    assert (tmp_path / "out" / contract.RESULT).exists()
