"""The operator's settings, from environment variables with the prefix ``SKLEARN_OPERATOR_``.

Invariant: read once, at start; a wrong value is one clear message, not a crash later. Secrets are never printed.
"""

from __future__ import annotations

import re
import urllib.parse
from datetime import timedelta
from typing import Annotated, Literal

import pydantic
import pydantic_settings

import sklearn_operator
from sklearn_operator.core import settings as core_settings
from sklearn_steps import hosts

PREFIX = "SKLEARN_OPERATOR_"
_RUNTIME = re.compile(r"[a-z0-9][a-z0-9.-]*=[0-9]+(\.[0-9]+)+")
_STORE = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,254}(/[^\s?#]*)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_Seconds = Annotated[float, pydantic.Field(gt=0, le=86_400)]


class OperatorSettings(pydantic_settings.BaseSettings):
    """Every field is an environment variable: ``kfp_url`` is ``SKLEARN_OPERATOR_KFP_URL``."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, validate_default=True
    )

    #: Namespaces to look after, separated by commas; empty means all of them.
    namespaces: str = ""
    #: Base URL of the Kubeflow Pipelines API server, with a path prefix where there is one.
    kfp_url: str = "http://ml-pipeline.kubeflow.svc:8888"
    #: File with the bearer token for Kubeflow Pipelines, read again for every request; empty: no token.
    kfp_token_file: str = ""
    #: File with additional certificate authorities for Kubeflow Pipelines.
    kfp_ca_file: str = ""
    #: Shortest pause, in seconds, between two looks at a run; a tenth of the run's age is waited, but never less.
    kfp_poll_min: _Seconds = 1.0
    #: Longest pause, in seconds, between two looks at a run.
    kfp_poll_max: _Seconds = 15.0
    #: Address of the Kubeflow Pipelines UI, for the links to runs in the status; empty: no links.
    kfp_ui_url: str = ""
    #: Seconds during which an absent run may still be one that the pipeline server is just creating.
    kfp_submit_pause: _Seconds = 60.0
    #: Where artifacts are kept, ``s3://bucket/prefix``.
    store_uri: str = "s3://models"
    #: S3 endpoint; empty means AWS.
    store_endpoint: str = ""
    #: Region of the store.
    store_region: str = "us-east-1"
    #: The operator's own credentials for the store; empty means those of its environment (workload identity).
    store_access_key_id: str = ""
    #: The secret part of these credentials; given together with the other one, or not at all.
    store_secret_access_key: pydantic.SecretStr = pydantic.SecretStr("")
    #: Secret that tasks and serving pods read, in their own namespace.
    store_secret: str = "sklearn-operator-store"
    #: Hosts that a manifest's artifacts.credentialsSecret may name as its endpoint besides the above, separated by
    #: commas, in the form of ``data_hosts``. The operator itself connects to them.
    store_hosts: str = ""
    #: Image of the tasks and of the serving runtime.
    trainer_image: str = f"ghcr.io/sklearn-operator/trainer:{sklearn_operator.__version__}"
    #: The (Cluster)ServingRuntime used where a manifest names none.
    serving_runtime: str = "sklearn-operator"
    #: Other runtimes that manifests may name, each with its scikit-learn: ``kserve-sklearnserver=1.5.2``, with commas.
    runtimes: str = "kserve-sklearnserver=1.5.2,kserve-mlserver=1.5.2"
    #: Service accounts that manifests may name for their tasks, separated by commas.
    service_accounts: str = ""
    #: Hosts that manifests may read data from by http(s), separated by commas: ``host`` means its ports 80 and 443,
    #: ``host:port`` that port. A loopback or link-local address is refused unless it is itself in the list.
    data_hosts: str = ""
    #: Hosts of the git repositories that training scripts may be fetched from by http(s), in the same form.
    git_hosts: str = ""
    #: Packages besides scikit-learn whose estimators manifests may name, by their import names, separated by commas
    #: (``xgboost,lightgbm,imblearn``); the trainer image has to have them.
    packages: str = ""
    #: Whether Kubeflow Pipelines is told that no task may run as root. Set it to ``false`` before version 2.16, and for
    #: images whose user is root.
    task_run_as_non_root: bool = True
    #: Seconds that a version may take to come up; after that it is rolled back.
    rollout_deadline: _Seconds = 300.0
    #: Whether the installed KServe splits traffic in Standard mode, for ``rollout.canary``: it has to be later than
    #: 0.20, with ``enableGatewayApi``.
    standard_canary: bool = False
    #: Whether the cluster has Knative Serving, for ``serving.deploymentMode: Knative``.
    knative: bool = False
    #: For an operator that does not run in the pods' network: how pods are reached, ``prefix=other prefix``.
    pod_addresses: Annotated[str, pydantic.Field(pattern=r"^([0-9a-f.:]+=[0-9a-f.:]+)?$")] = ""
    #: Namespace of the Lease by which one of several replicas is the one that acts; empty: no Lease, one replica.
    lease_namespace: str = ""
    #: Name of the Lease; operators that share its namespace, and no models, have one each.
    lease_name: str = "sklearn-operator"
    #: Seconds after which a Lease that is not renewed may be taken over; its holder stops acting at two thirds of it.
    lease_duration: Annotated[float, pydantic.Field(ge=3, le=300)] = 15.0
    #: Name of this replica in the Lease, to which something random is added; empty: the host's name.
    identity: str = ""
    #: How many models are worked on at the same time.
    workers: Annotated[int, pydantic.Field(ge=1, le=256)] = 8
    #: Seconds between two looks at everything, whether or not anything happened.
    resync_period: _Seconds = 600.0
    #: Address on which /livez, /readyz and /metrics are served.
    health_host: str = "0.0.0.0"
    #: Port on which they are served.
    health_port: Annotated[int, pydantic.Field(ge=0, le=65_535)] = 8080
    #: Kubeconfig file; empty means KUBECONFIG, else the pod's service account.
    kubeconfig: str = ""
    #: The least serious lines to log.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    #: ``text`` for people, ``json`` for whatever collects logs: one object a line.
    log_format: Literal["text", "json"] = "text"
    #: Whether /metrics has series of every single model (its phase, its last good training) beside those of namespaces.
    metrics_per_model: bool = False

    @pydantic.field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @pydantic.field_validator("store_uri")
    @classmethod
    def _is_s3(cls, value: str) -> str:
        if not _STORE.fullmatch(value):
            raise ValueError("must be of the form s3://bucket/prefix")
        return value.rstrip("/")

    @pydantic.field_validator("kfp_url", "kfp_ui_url", "store_endpoint")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("must be of the form http(s)://host:port/prefix, without credentials, query or fragment")
        return value.rstrip("/")

    @pydantic.field_validator("kfp_url")
    @classmethod
    def _is_given(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return value

    @pydantic.field_validator("kfp_poll_max")
    @classmethod
    def _is_no_shorter(cls, value: float, info: pydantic.ValidationInfo) -> float:
        if value < info.data.get("kfp_poll_min", value):
            raise ValueError("must not be less than SKLEARN_OPERATOR_KFP_POLL_MIN")
        return value

    @pydantic.field_validator("store_secret_access_key")
    @classmethod
    def _is_a_pair(cls, value: pydantic.SecretStr, info: pydantic.ValidationInfo) -> pydantic.SecretStr:
        if bool(value.get_secret_value()) != bool(info.data.get("store_access_key_id")):
            raise ValueError("must be given together with SKLEARN_OPERATOR_STORE_ACCESS_KEY_ID, or neither of them")
        return value

    @pydantic.field_validator("namespaces", "service_accounts", "lease_namespace", "lease_name", "store_secret")
    @classmethod
    def _are_names(cls, value: str) -> str:
        for item in _listed(value):
            if not _NAME.fullmatch(item):
                raise ValueError("must be names of Kubernetes objects, in lower case")
        return value

    @pydantic.field_validator("data_hosts", "git_hosts", "store_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        for item in _listed(value):
            if not hosts.listable(item):
                raise ValueError("must be host names such as data.example.org or data.example.org:8443, with commas")
        return value

    @pydantic.field_validator("runtimes")
    @classmethod
    def _have_versions(cls, value: str) -> str:
        for item in _listed(value):
            if not _RUNTIME.fullmatch(item):
                raise ValueError("must be runtimes with their scikit-learn such as kserve-sklearnserver=1.5.2")
        return value

    @pydantic.field_validator("packages")
    @classmethod
    def _are_packages(cls, value: str) -> str:
        for item in _listed(value):
            if not item.isidentifier() or item.startswith("_"):
                raise ValueError("must be import names such as xgboost or imblearn, with commas")
        return value

    def for_core(self) -> core_settings.Settings:
        """The part that decisions depend on."""
        return core_settings.Settings(
            trainer_image=self.trainer_image,
            store_uri=self.store_uri,
            store_secret=self.store_secret,
            runtime=self.serving_runtime,
            runtimes=dict(_pair(item) for item in _listed(self.runtimes)),
            service_accounts=frozenset(_listed(self.service_accounts)),
            data_hosts=frozenset(host.lower() for host in _listed(self.data_hosts)),
            git_hosts=frozenset(host.lower() for host in _listed(self.git_hosts)),
            packages=frozenset(_listed(self.packages)),
            task_run_as_non_root=self.task_run_as_non_root,
            submit_pause=timedelta(seconds=self.kfp_submit_pause),
            poll_min=timedelta(seconds=self.kfp_poll_min),
            poll_max=timedelta(seconds=self.kfp_poll_max),
            rollout_deadline=timedelta(seconds=self.rollout_deadline),
            standard_canary=self.standard_canary,
            knative=self.knative,
        )

    def reached(self, address: str) -> str:
        """Where a pod with that address is found from here."""
        prefix, _, other = self.pod_addresses.partition("=")
        return other + address.removeprefix(prefix) if prefix and address.startswith(prefix) else address

    def allowed_store_hosts(self) -> frozenset[str]:
        return frozenset(host.lower() for host in _listed(self.store_hosts))

    def watched_namespaces(self) -> tuple[str, ...]:
        return tuple(_listed(self.namespaces))


def is_address(text: str) -> bool:
    """Whether it is one of a server, without anything secret in it."""
    try:
        parts = urllib.parse.urlsplit(text)
        port_is_good = parts.port != 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment or re.search(r"\s", text))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_good and plain


def _pair(text: str) -> tuple[str, str]:
    name, _, version = text.partition("=")
    return name, version


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def describe(error: pydantic.ValidationError) -> str:
    """One line per wrong setting, by the name of its environment variable and without its value."""
    lines = []
    for item in error.errors():
        name = PREFIX + "_".join(str(part) for part in item["loc"]).upper()
        lines.append(f"{name}: {item['msg']}")
    return "\n".join(lines)
