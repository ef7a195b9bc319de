"""What people do with the KFP SDK, against the server at argv[1]; run by test_kfp_sdk.py in the trainer environment."""

import pathlib
import sys

import kfp

NAMESPACE = "team"
package = str(pathlib.Path(__file__).parent / "saying.yaml")
client = kfp.Client(host=sys.argv[1], namespace=NAMESPACE)
experiment = client.create_experiment("mine", namespace=NAMESPACE).experiment_id
first = client.create_run_from_pipeline_package(
    package, arguments={"text": "sdk"}, run_name="inline", experiment_id=experiment, namespace=NAMESPACE
)
assert client.wait_for_run_completion(first.run_id, 30, sleep_duration=1).state == "SUCCEEDED"
pipeline = client.upload_pipeline(package, pipeline_name="saying", namespace=NAMESPACE).pipeline_id
version = client.upload_pipeline_version(package, pipeline_version_name="v2", pipeline_id=pipeline)
second = client.run_pipeline(
    experiment, "by reference", pipeline_id=pipeline, version_id=version.pipeline_version_id, params={"text": "x"}
)
assert client.wait_for_run_completion(second.run_id, 30, sleep_duration=1).state == "SUCCEEDED"
tasks = client.get_run(second.run_id).run_details.task_details
assert [task.display_name for task in tasks] == ["say", "say-2"]
assert client.list_pipeline_versions(pipeline).total_size == 2
assert client.list_runs(namespace=NAMESPACE, sort_by="created_at desc").total_size == 2
assert client.get_experiment(experiment_name="mine", namespace=NAMESPACE).experiment_id == experiment
client.archive_run(second.run_id)
client.delete_run(second.run_id)
assert client.list_runs(namespace=NAMESPACE).total_size == 1
