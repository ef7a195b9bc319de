"""Compiles the small pipelines of the contract tests with the KFP SDK: ``<trainer python> tests/data/kfp/compile.py``.

The compiled files lie beside it: the tests need no SDK. No postponed annotations here, because the SDK reads them.
"""

import pathlib

from kfp import compiler, dsl, kubernetes

IMAGE = "ghcr.io/sklearn-operator/trainer:0.1.0"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def say(text: str):  # type: ignore[no-untyped-def]  # SDK: no annotation for "no output"
    print(text)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fail():  # type: ignore[no-untyped-def]
    raise ValueError("this task always fails")


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def wait(path: str):  # type: ignore[no-untyped-def]
    import pathlib
    import time

    while not pathlib.Path(path).exists():
        time.sleep(0.02)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def note(path: str):  # type: ignore[no-untyped-def]
    import json
    import os
    import pathlib

    target = pathlib.Path(path)
    target.with_suffix(".new").write_text(json.dumps(dict(os.environ)))
    target.with_suffix(".new").replace(target)


@dsl.component(base_image="docker.io/library/nothing:1", install_kfp_package=False)
def foreign():  # type: ignore[no-untyped-def]
    print("never")


@dsl.pipeline(name="saying")
def saying(text: str = "hello"):  # type: ignore[no-untyped-def]
    first = say(text=text)
    say(text="again").after(first)


@dsl.pipeline(name="failing")
def failing():  # type: ignore[no-untyped-def]
    fail()


@dsl.pipeline(name="waiting")
def waiting(path: str):  # type: ignore[no-untyped-def]
    wait(path=path)


@dsl.pipeline(name="limited")
def limited(path: str):  # type: ignore[no-untyped-def]
    kubernetes.set_timeout(wait(path=path), seconds=1)


@dsl.pipeline(name="secretive")
def secretive(path: str):  # type: ignore[no-untyped-def]
    task = note(path=path)
    task.set_env_variable("PLAIN", "value")
    kubernetes.use_secret_as_env(task, "keys", {"token": "TOKEN"})
    kubernetes.use_secret_as_env(task, "extra", {"more": "MORE"}, optional=True)
    kubernetes.use_config_map_as_env(task, "settings", {"colour": "COLOUR"})


@dsl.pipeline(name="foreign")
def foreign_image():  # type: ignore[no-untyped-def]
    foreign()


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for name, function in {
        "saying": saying,
        "failing": failing,
        "waiting": waiting,
        "limited": limited,
        "secretive": secretive,
        "foreign": foreign_image,
    }.items():
        compiler.Compiler().compile(function, str(folder / f"{name}.yaml"))
