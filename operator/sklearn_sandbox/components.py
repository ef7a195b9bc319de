"""One definition per process of the sandbox: its command, its environment, what it waits for, and when it is ready.

Invariant: command and environment are pure functions of the sandbox's state and the found binaries, so `up` can tell
whether a running process is still the one it would start now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sklearn_sandbox import control_plane, paths, services, state

Binaries = Mapping[str, Path]


@dataclass(frozen=True)
class Component:
    name: str
    command: Callable[[state.Sandbox, Binaries], list[str]]
    ready: Callable[[state.Sandbox], bool]
    #: Names of the steps (components or bootstrap steps) that must be finished before this one starts.
    needs: tuple[str, ...] = ()
    #: Variables on top of the caller's environment.
    env: Callable[[state.Sandbox], dict[str, str]] = field(default=lambda sandbox: {})
    #: Names in `Sandbox.ports` this process listens on.
    ports: tuple[str, ...] = ()
    #: The binary it runs, when that has to be found or built first.
    binary: str | None = None
    #: Seconds from start to ready before we give up, and from SIGTERM to SIGKILL.
    patience: float = 180.0
    grace: float = 10.0
    #: The grace when something it needs is dead, where it would otherwise wait for that in vain.
    forlorn_grace: float | None = None


def catalogue() -> dict[str, Component]:
    """All components, in the order in which they are shown; `down` goes backwards."""
    definitions = [
        Component(
            "etcd",
            control_plane.etcd,
            control_plane.etcd_ready,
            ports=("etcd", "etcd-peer"),
            binary="etcd",
        ),
        Component(
            "kube-apiserver",
            control_plane.apiserver,
            control_plane.apiserver_ready,
            needs=("etcd",),
            ports=("kube-apiserver",),
            binary="kube-apiserver",
            forlorn_grace=1.0,  # without etcd it ignores SIGTERM
        ),
        Component(
            "kube-controller-manager",
            control_plane.controller_manager,
            control_plane.controller_manager_ready,
            # Its garbage collector looks for new kinds twice a minute only: what they own would outlive them so long.
            needs=("crds",),
            ports=("kube-controller-manager",),
            binary="kube-controller-manager",
        ),
        Component(
            "kube-scheduler",
            control_plane.scheduler,
            control_plane.scheduler_ready,
            needs=("kube-apiserver",),
            ports=("kube-scheduler",),
            binary="kube-scheduler",
        ),
        Component(
            "minio",
            services.minio,
            services.minio_ready,
            env=services.minio_env,
            ports=("minio", "minio-console"),
            binary="minio",
        ),
        Component(
            "kfp",
            lambda sandbox, _: services.module("kfp", sandbox),
            services.kfp_ready,
            needs=("kube-apiserver",),
            env=lambda sandbox: services.own_env("kfp", sandbox),
            ports=("kfp",),
        ),
        Component(
            "kserve",
            lambda sandbox, _: services.module("kserve", sandbox),
            services.kserve_ready,
            needs=("crds",),
            env=lambda sandbox: services.own_env("kserve", sandbox),
            ports=("kserve",),
        ),
        Component(
            "node",
            lambda sandbox, _: services.module("node", sandbox),
            services.node_ready,
            needs=("kube-apiserver",),
            env=lambda sandbox: services.own_env("node", sandbox),
            ports=("node",),
            grace=20.0,
        ),
        Component(
            "gateway",
            lambda sandbox, _: services.module("gateway", sandbox),
            services.gateway_ready,
            needs=("crds",),
            env=lambda sandbox: services.own_env("gateway", sandbox),
            ports=("gateway",),
        ),
        Component(
            "operator",
            lambda sandbox, _: [str(paths.operator_bin() / "sklearn-operator"), "run"],
            services.operator_ready,
            needs=("objects",),
            env=services.operator_env,
            ports=("operator",),
        ),
    ]
    return {component.name: component for component in definitions}
