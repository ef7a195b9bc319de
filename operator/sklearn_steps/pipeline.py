"""The steps as Kubeflow Pipelines v2 components, in three layouts: staged (a visible DAG), fused (one task) and cached
(staged, where prepare and train are skipped as long as their inputs stay the same).

Invariant: a component's body is one import and one call, so that a pipeline is the same code as the command line. What
differs from model to model (image, resources, retries, Secrets) is put into the compiled documents by the operator,
which finds it by the placeholders of ``contract``. No annotations are postponed here: the SDK reads them.
"""
# mypy: disable-error-code="untyped-decorator"
# (kfp ships no types)

from importlib import metadata
from typing import Any

from kfp import dsl, kubernetes
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from sklearn_steps import contract

NAME = "sklearn-training"
_IMAGE = f"ghcr.io/sklearn-operator/trainer:{metadata.version('sklearn-operator')}"


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def fingerprint(config: str) -> str:
    from sklearn_steps import tasks

    return tasks.fingerprint(config)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def prepare(config: str, train_data: Output[Dataset], test_data: Output[Dataset], data: str = "") -> None:
    from sklearn_steps import tasks

    tasks.prepare(config, train_data.path, test_data.path, data)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def train(config: str, train_data: Input[Dataset], model: Output[Model]) -> None:
    from sklearn_steps import artifacts

    artifacts.train(config, train_data, model)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def evaluate(
    config: str,
    model: Input[Model],
    test_data: Input[Dataset],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    card: Output[HTML],
) -> None:
    from sklearn_steps import artifacts

    artifacts.evaluate(config, model, test_data, evaluation, metrics, classification, card)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def publish(config: str, model: Input[Model], evaluation: Input[Artifact]) -> None:
    from sklearn_steps import tasks

    tasks.publish(config, model.path, evaluation.path)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def run_all(
    config: str,
    model: Output[Model],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    card: Output[HTML],
) -> None:
    from sklearn_steps import artifacts

    artifacts.run_all(config, model, metrics, classification, card)


def _everywhere(task: Any) -> None:
    """The store's Secret, never root (the server itself sees to the rest of the level "restricted"), and no caching: a
    cached task does not execute, so it would publish nothing."""
    _secret(task, contract.STORE_SECRET_PLACEHOLDER, contract.STORE_ENV_PREFIX)
    kubernetes.set_security_context(task, run_as_non_root=True)
    task.set_caching_options(False)


def _reads_data(task: Any) -> None:
    """The Secret of the data, and the ConfigMap or the volume that it may be in."""
    _secret(task, contract.DATA_SECRET_PLACEHOLDER, contract.DATA_ENV_PREFIX)
    kubernetes.use_config_map_as_env(
        task,
        config_map_name=contract.DATA_CONFIGMAP_PLACEHOLDER,
        config_map_key_to_env={contract.DATA_CONFIGMAP_KEY_PLACEHOLDER: contract.DATA_INLINE_ENV},
    )
    kubernetes.mount_pvc(task, pvc_name=contract.DATA_CLAIM_PLACEHOLDER, mount_path=contract.DATA_VOLUME)
    task.set_env_variable(contract.DATA_VOLUME_ENV, contract.DATA_VOLUME)


def _trains(task: Any) -> None:
    """The ConfigMap that may hold a training script; a missing one is told by the task itself, at once and in words."""
    kubernetes.use_config_map_as_volume(
        task, contract.SCRIPT_CONFIGMAP_PLACEHOLDER, mount_path=contract.SCRIPT_MOUNT, optional=True
    )
    task.set_env_variable(contract.SCRIPT_FOLDER_ENV, contract.SCRIPT_MOUNT)


def _secret(task: Any, name: str, prefix: str) -> None:
    """Two entries, because a key is optional only by the entry that it is in."""
    for keys, optional in ((contract.AWS_REQUIRED_KEYS, False), (contract.AWS_OPTIONAL_KEYS, True)):
        names = {key: prefix + key for key in keys}
        kubernetes.use_secret_as_env(task, secret_name=name, secret_key_to_env=names, optional=optional)


@dsl.pipeline(name=NAME, description="Prepares data, trains, evaluates and publishes one version of a SklearnModel.")
def staged(config: str) -> None:
    """Four tasks."""
    prepared = prepare(config=config)
    trained = train(config=config, train_data=prepared.outputs["train_data"])
    judged = evaluate(config=config, model=trained.outputs["model"], test_data=prepared.outputs["test_data"])
    published = publish(config=config, model=trained.outputs["model"], evaluation=judged.outputs["evaluation"])
    _reads_data(prepared)
    _trains(trained)
    for task in (prepared, trained, judged, published):
        _everywhere(task)


@dsl.pipeline(name=NAME, description="Trains, evaluates and publishes one version, anew where data or recipe changed.")
def cached(config: str, recipe: str) -> None:
    """Staged, after a look at the data: prepare and train know their inputs, and not which run they belong to."""
    known = fingerprint(config=config)
    prepared = prepare(config=recipe, data=known.output)
    trained = train(config=recipe, train_data=prepared.outputs["train_data"])
    judged = evaluate(config=config, model=trained.outputs["model"], test_data=prepared.outputs["test_data"])
    published = publish(config=config, model=trained.outputs["model"], evaluation=judged.outputs["evaluation"])
    _reads_data(known)
    _reads_data(prepared)
    for task in (known, prepared, trained, judged, published):
        _everywhere(task)
    for task in (prepared, trained):
        task.set_caching_options(True)


@dsl.pipeline(name=NAME, description="Trains and publishes one version of a SklearnModel in a single task.")
def fused(config: str) -> None:
    """One task."""
    task = run_all(config=config)
    _reads_data(task)
    _trains(task)
    _everywhere(task)
