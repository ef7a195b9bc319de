"""The controller's imports leave out what it does not use, and nobody else misses it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = "import sys\nfrom sklearn_operator.cli import lean\nlean.load()\n"


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_whole_controller_comes_without_the_synchronous_client() -> None:
    program = "import sklearn_operator.cli.run\nprint([name for name in %r if name in sys.modules])"
    unused = ("kubernetes.client", "kubernetes.config", "kubernetes.aio.dynamic", "kubernetes.aio.stream", "urllib3")
    unused += ("requests", "oauthlib", "httpx._main", "typer")
    assert said(program % (unused,)) == "[]"


@pytest.mark.parametrize(
    "program",
    [
        "from kubernetes.client import V1ObjectMeta\nprint(V1ObjectMeta(name='there').name)",
        "import kubernetes.aio.watch\nprint('there' if kubernetes.aio.watch.Watch else '')",
        "import kubernetes.config\nprint('there' if kubernetes.config.load_kube_config else '')",
        "from httpx._main import main\nprint('there' if main else '')",
    ],
)
def test_whoever_asks_afterwards_gets_the_real_thing(program: str) -> None:
    assert said(program) == "there"


def test_it_does_nothing_to_what_is_imported_already() -> None:
    program = "import kubernetes\nbefore = kubernetes.client\nlean.load()\nprint(kubernetes.client is before)"
    done = subprocess.run(
        [sys.executable, "-c", f"from sklearn_operator.cli import lean\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr


def test_a_user_without_name_and_home_can_start_it() -> None:
    nameless = "import os, pwd, tempfile\nos.environ.pop('HOME', None)\n"
    nameless += "def pwd_getpwuid(number): raise KeyError(number)\npwd.getpwuid = pwd_getpwuid\n"
    program = f"{nameless}{PRELUDE}import kubernetes.aio.config\nprint(os.environ['HOME'] == tempfile.gettempdir())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
