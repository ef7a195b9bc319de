"""A pipeline of one's own, made of the operator's steps with one more between them: outliers are left out of training.

    python deploy/samples/own_pipeline.py --output own.yaml                  compile it, to upload it by hand
    python deploy/samples/own_pipeline.py --host URL --namespace default     compile, run, and wait for the result

It needs ``kfp`` and ``kfp-kubernetes``; in a checkout, ``.venv-trainer/bin/python`` has both. Whoever does not want to
import ``sklearn_steps`` loads the same steps with ``kfp.components.load_component_from_file("deploy/components/...")``.
Run twice, it takes everything up to ``publish`` from the server's cache, where the server has one. See
docs/components.md.
"""
# No annotations are postponed here: the SDK reads them.

import argparse
import sys
import tempfile
from pathlib import Path

import kfp
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Output

from sklearn_steps import components

RECIPE = components.recipe(
    name="wine",
    data={"source": {"builtin": "wine"}, "split": {"testSize": 0.25, "seed": 1}},
    pipeline=[
        {"name": "scale", "class": "sklearn.preprocessing.StandardScaler"},
        {"name": "model", "class": "sklearn.svm.SVC", "params": {"C": 1.0}},
    ],
    evaluation={"metrics": ["accuracy", "f1_macro"], "crossValidation": {"folds": 5}},
)


@dsl.component(base_image="ghcr.io/sklearn-operator/trainer:0.1.0", install_kfp_package=False)
def leave_out_outliers(rows: Input[Dataset], share: float, kept: Output[Dataset]) -> None:
    """The step in between: any code that takes the rows and leaves rows."""
    from sklearn.ensemble import IsolationForest

    from sklearn_steps import between

    def usual(features, target):  # type: ignore[no-untyped-def]
        return IsolationForest(contamination=share, random_state=0).fit_predict(features) == 1

    between.filtered(rows.path, kept.path, usual, f"the {share:.0%} most unusual rows were left out of training")


@dsl.pipeline(name="wine-without-outliers", description="The operator's steps, and one of my own.")
def pipeline(share: float = 0.05, folder: str = "s3://models/mine", recipe: str = RECIPE) -> None:
    prepared = components.prepare(recipe=recipe)
    usual = leave_out_outliers(rows=prepared.outputs["train_data"], share=share)
    trained = components.train(recipe=recipe, train_data=usual.outputs["kept"])
    judged = components.evaluate(recipe=recipe, model=trained.outputs["model"], test_data=prepared.outputs["test_data"])
    published = components.publish(
        recipe=recipe,
        folder=folder,
        run=components.RUN,
        model=trained.outputs["model"],
        evaluation=judged.outputs["evaluation"],
    )
    components.with_store(published)
    published.set_caching_options(False)  # a task from the cache does nothing, and this one is there to do something


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the pipeline, or run it.")
    parser.add_argument("--output", type=Path, help="write the compiled pipeline there")
    parser.add_argument("--host", help="the address of Kubeflow Pipelines")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--folder", default="s3://models/mine", help="where models are published")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        package = str(given.output or Path(scratch, "own.yaml"))
        compiler.Compiler().compile(pipeline, package)
        if given.host is None:
            return 0
        client = kfp.Client(host=given.host, namespace=given.namespace)
        run = client.create_run_from_pipeline_package(
            package,
            arguments={"folder": given.folder},
            experiment_name="mine",
            namespace=given.namespace,
        )
    found = client.wait_for_run_completion(run.run_id, timeout=600, sleep_duration=1)
    print(f"{given.folder}/{run.run_id}/ {found.state}")
    return 0 if found.state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
