"""The operator's settings as far as decisions depend on them.

Invariant: plain values, resolved once at start; reading the environment is the runtime's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class Settings:
    """What manifests leave open, and the pace of waiting."""

    #: Image of the training tasks and of the serving pods.
    trainer_image: str = "ghcr.io/sklearn-operator/trainer:0.1.0"
    #: Where artifacts go: ``s3://bucket/prefix``.
    store_uri: str = "s3://models"
    #: Name of the Secret, in every namespace, from which tasks and serving pods read the store.
    store_secret: str = "sklearn-operator-store"
    #: The (Cluster)ServingRuntime of the project.
    runtime: str = "sklearn-operator"
    #: scikit-learn of other runtimes that manifests may name.
    runtimes: Mapping[str, str] = field(default_factory=dict)
    #: Service accounts that a manifest may name for its tasks.
    service_accounts: frozenset[str] = frozenset()
    #: Hosts that manifests may read data from by http(s), each ``host`` (its usual ports) or ``host:port``.
    data_hosts: frozenset[str] = frozenset()
    #: Hosts that training scripts may be fetched from, in the same form.
    git_hosts: frozenset[str] = frozenset()
    #: Packages besides scikit-learn whose classes a manifest may name; the trainer image has to have them.
    packages: frozenset[str] = frozenset()
    #: Whether the pipeline server is told that no task may run as root: from Kubeflow Pipelines 2.16 on.
    task_run_as_non_root: bool = True
    #: How long an absent run may still be one that the pipeline server is just creating.
    submit_pause: timedelta = timedelta(seconds=60)
    #: A run's age is divided by ten to get the polling interval; these are its bounds.
    poll_min: timedelta = timedelta(seconds=1)
    poll_max: timedelta = timedelta(seconds=15)
    #: Progress of a search is read, and so reported, at most this often.
    progress_pause: timedelta = timedelta(seconds=5)
    #: How long a version may take from the InferenceService's change to the first proved prediction.
    rollout_deadline: timedelta = timedelta(minutes=5)
    #: Whether the installed KServe splits traffic in Standard mode: later than 0.20, with Gateway API.
    standard_canary: bool = False
    #: Whether Knative is installed, for ``serving.deploymentMode: Knative``.
    knative: bool = False
    #: How often the figures of a candidate are looked at.
    canary_look: timedelta = timedelta(seconds=2)
    #: A run that has not ended this long after it was asked to is deleted.
    ending_patience: timedelta = timedelta(seconds=60)
    #: A task pod that cannot start for lack of a Secret or ConfigMap fails its version after this long.
    pod_config_grace: timedelta = timedelta(seconds=10)
    #: A finished run whose result is not in the store by then left none.
    result_grace: timedelta = timedelta(seconds=20)
    task_requests: dict[str, str] = field(default_factory=lambda: {"cpu": "500m", "memory": "1Gi"})
    task_limits: dict[str, str] = field(default_factory=lambda: {"cpu": "2", "memory": "4Gi"})
    serving_requests: dict[str, str] = field(default_factory=lambda: {"cpu": "100m", "memory": "512Mi"})
    serving_limits: dict[str, str] = field(default_factory=lambda: {"cpu": "1", "memory": "1Gi"})
