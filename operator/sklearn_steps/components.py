"""The steps as components for a pipeline of the user's own: imported from here, or loaded from ``deploy/components``.

Invariant: as in ``pipeline``, a body is one import and one call. ``recipe`` is what ``standalone.written`` makes, or
the same JSON by hand. No annotations are postponed here: the SDK reads them.
"""
# mypy: disable-error-code="untyped-decorator"
# (kfp ships no types)

from importlib import metadata
from typing import Any

from kfp import dsl, kubernetes
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from sklearn_steps import contract, standalone

NAMES = ("prepare", "train", "evaluate", "publish")
RUN = dsl.PIPELINE_JOB_ID_PLACEHOLDER
_IMAGE = f"ghcr.io/sklearn-operator/trainer:{metadata.version('sklearn-operator')}"

recipe = standalone.written


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def prepare(recipe: str, train_data: Output[Dataset], test_data: Output[Dataset]) -> None:
    """Fetch the data, check it, and split it.

    Args:
        recipe: What is trained on what, as JSON: name, data, estimator or pipeline, tuning, evaluation, seed.
        train_data: The rows to train on, as a folder.
        test_data: The rows to judge by.
    """
    from sklearn_steps import standalone

    standalone.prepare(recipe, train_data, test_data)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def train(recipe: str, train_data: Input[Dataset], model: Output[Model]) -> None:
    """Build the estimator, tune it where that is asked for, and fit it.

    Args:
        recipe: As for prepare.
        train_data: Of prepare, or of a step of your own after it.
        model: model.joblib and what is known of it.
    """
    from sklearn_steps import standalone

    standalone.train(recipe, train_data, model)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def evaluate(
    recipe: str,
    model: Input[Model],
    test_data: Input[Dataset],
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    card: Output[HTML],
) -> None:
    """Judge the model by the test part, and draw its card.

    Args:
        recipe: As for prepare.
        model: Of train.
        test_data: Of prepare.
        evaluation: What publish needs of the judgement.
        metrics: The figures.
        classification: Confusion matrix and ROC curve.
        card: One page about the model.
    """
    from sklearn_steps import standalone

    standalone.evaluate(recipe, model, test_data, evaluation, metrics, classification, card)


@dsl.component(base_image=_IMAGE, install_kfp_package=False)
def publish(recipe: str, folder: str, run: str, model: Input[Model], evaluation: Input[Artifact]) -> str:
    """Upload model, metadata and card to a folder of the run's own; result.json comes last.

    Args:
        recipe: As for prepare.
        folder: Where models go, such as s3://bucket/models.
        run: What tells runs apart: dsl.PIPELINE_JOB_ID_PLACEHOLDER.
        model: Of train.
        evaluation: Of evaluate.

    Returns:
        The address of the folder.
    """
    from sklearn_steps import standalone

    return standalone.publish(recipe, folder, run, model, evaluation)


def with_store(task: Any, secret: str = "sklearn-operator-store") -> Any:
    """The task with the credentials of the store: ``publish`` needs them, and ``prepare`` of s3:// data."""
    return _with_secret(task, secret, contract.STORE_ENV_PREFIX)


def with_data_secret(task: Any, secret: str) -> Any:
    """``prepare`` with credentials of the data's own."""
    return _with_secret(task, secret, contract.DATA_ENV_PREFIX)


def _with_secret(task: Any, secret: str, prefix: str) -> Any:
    """Two entries, because a key is optional only by the entry that it is in."""
    for keys, optional in ((contract.AWS_REQUIRED_KEYS, False), (contract.AWS_OPTIONAL_KEYS, True)):
        names = {key: prefix + key for key in keys}
        kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env=names, optional=optional)
    return task
