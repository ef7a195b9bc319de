"""Up, down and status of one sandbox.

Invariant: each of the three looks at what really runs and goes on from there, so repeating any of them after any crash
or interruption is the remedy.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from sklearn_sandbox import (
    assets,
    buckets,
    components,
    control_plane,
    errors,
    files,
    graph,
    kubeconfig,
    objects,
    pki,
    processes,
    progress,
    services,
    state,
)

POLL = 0.05
BOOTSTRAP_PATIENCE, BOOTSTRAP_PAUSE = 20.0, 0.3
#: Steps that are no process: made once, then found done.
BOOTSTRAP_NEEDS = {"crds": ("kube-apiserver",), "objects": ("crds",), "bucket": ("minio",)}
#: Who speaks to the API server, and as whom. The operator runs under its real role.
IDENTITIES = {
    "admin": pki.Identity("sandbox-admin", ("system:masters",)),
    "kube-controller-manager": pki.Identity("system:kube-controller-manager"),
    "kube-scheduler": pki.Identity("system:kube-scheduler"),
    "kfp": pki.Identity("sandbox-kfp", ("system:masters",)),
    "kserve": pki.Identity("sandbox-kserve", ("system:masters",)),
    "node": pki.Identity("sandbox-node", ("system:masters",)),
    "gateway": pki.Identity("sandbox-gateway", ("system:masters",)),
    "operator": pki.Identity(
        f"system:serviceaccount:{objects.SYSTEM_NAMESPACE}:sklearn-operator",
        ("system:serviceaccounts", f"system:serviceaccounts:{objects.SYSTEM_NAMESPACE}", "system:authenticated"),
    ),
}
#: Certificates that are no way into the API server.
OTHER_CLIENTS = {"etcd-client": pki.Identity("kube-apiserver"), "kubelet-client": pki.Identity("kube-apiserver")}


@dataclass(frozen=True)
class ComponentStatus:
    name: str
    state: str  # running | starting | dead | stopped
    wanted: bool
    pid: int | None
    port: int | None
    uptime: float | None
    log: Path
    log_tail: str


def up(
    home: Path,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    restart: Collection[str] = (),
    reporter: progress.Reporter | None = None,
) -> state.Sandbox:
    """Start what is missing and wait until it is ready. `only` brings along what the named ones need."""
    reporter = reporter or progress.Silent()
    wanted = select(only, without)
    with _only_one(home, reporter):
        catalogue = components.catalogue()
        binaries = assets.ensure({part.binary for part in wanted.values() if part.binary}, reporter)
        kubectl = assets.kubectl(reporter) if "kube-apiserver" in wanted else None
        running = {name for name in catalogue if processes.alive(processes.recorded(home, name))}
        in_use = {port for name in running for port in catalogue[name].ports}
        # All components get their ports at once: what starts later is then already known to the others.
        sandbox = state.prepare(home, [port for part in catalogue.values() for port in part.ports], in_use)
        sandbox.wanted |= set(wanted)
        sandbox.save()
        _write_credentials(sandbox, dt.datetime.now(dt.UTC))
        if kubectl is not None:
            _link_kubectl(sandbox, kubectl)
        steps = _bootstrap(sandbox, wanted, kubectl, reporter)
        for name, component in wanted.items():
            steps[name] = _start_step(sandbox, component, binaries, name in restart, reporter)
        graph.run(steps)
    return sandbox


def select(only: Collection[str] | None = None, without: Collection[str] = ()) -> dict[str, components.Component]:
    catalogue = components.catalogue()
    unknown = (set(only or ()) | set(without)) - set(catalogue)
    if unknown:
        raise errors.SandboxError(f"no component {', '.join(sorted(unknown))}; there are {', '.join(catalogue)}")
    names = set(catalogue) if only is None else set(only)
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        needs = catalogue[name].needs if name in catalogue else BOOTSTRAP_NEEDS[name]
        waiting += [need for need in needs if need not in names]
        names |= set(needs)
    return {name: part for name, part in catalogue.items() if name in names and name not in without}


def down(home: Path, purge: bool = False, reporter: progress.Reporter | None = None) -> None:
    """Stop everything, the last started first, then whatever else carries the marker."""
    reporter = reporter or progress.Silent()
    if not home.exists():
        return
    with _only_one(home, reporter):
        for name, component in reversed(components.catalogue().items()):
            if processes.recorded(home, name) is not None:
                reporter.update(name, "stopping")
                processes.stop(home, name, _grace(home, component))
                reporter.finish(name, "stopped")
        processes.kill(processes.marked(home))
        sandbox = state.load(home)
        if sandbox.wanted:
            sandbox.wanted = set()
            sandbox.save()
        if purge:
            for entry in home.iterdir():
                if entry.name == "lock":
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()


def _grace(home: Path, component: components.Component) -> float:
    if component.forlorn_grace is None:
        return component.grace
    forlorn = any(not processes.alive(processes.recorded(home, need)) for need in component.needs)
    return component.forlorn_grace if forlorn else component.grace


def status(home: Path) -> list[ComponentStatus]:
    sandbox = state.load(home)
    return [_status(sandbox, component) for component in components.catalogue().values()]


def _status(sandbox: state.Sandbox, component: components.Component) -> ComponentStatus:
    name = component.name
    record, log = processes.recorded(sandbox.home, name), sandbox.log(name)
    word, uptime = "stopped", None
    if record is not None and not processes.alive(record):
        word = "dead"
    elif record is not None:
        word, uptime = "running" if component.ready(sandbox) else "starting", time.time() - record.created
    return ComponentStatus(
        name=name,
        state=word,
        wanted=name in sandbox.wanted,
        pid=record.pid if record is not None else None,
        port=sandbox.ports.get(component.ports[0]) if record is not None else None,
        uptime=uptime,
        log=log,
        log_tail=files.tail(log) if word in ("dead", "starting") else "",
    )


def _bootstrap(
    sandbox: state.Sandbox, wanted: Collection[str], kubectl: Path | None, reporter: progress.Reporter
) -> dict[str, graph.Step]:
    steps: dict[str, graph.Step] = {}

    def crds(stopping: threading.Event) -> None:
        if kubectl is not None:
            _patiently(lambda: objects.apply_crds(sandbox, kubectl), stopping)
            reporter.finish("crds", "established")

    def others(stopping: threading.Event) -> None:
        if kubectl is not None:
            _patiently(lambda: objects.apply_objects(sandbox, kubectl), stopping)
            reporter.finish("objects", "applied")

    def ensure_bucket() -> None:
        keys, now = (sandbox.access_key, sandbox.secret_key), dt.datetime.now(dt.UTC)
        buckets.ensure(sandbox.store_endpoint, services.REGION, *keys, services.BUCKET, now)

    def bucket(stopping: threading.Event) -> None:
        _patiently(ensure_bucket, stopping)
        reporter.finish("bucket", f"s3://{services.BUCKET}/ is there")

    if "kube-apiserver" in wanted:
        steps["crds"] = graph.Step(crds, BOOTSTRAP_NEEDS["crds"])
        steps["objects"] = graph.Step(others, BOOTSTRAP_NEEDS["objects"])
    if "minio" in wanted:
        steps["bucket"] = graph.Step(bucket, BOOTSTRAP_NEEDS["bucket"])
    return steps


def _patiently(action: Callable[[], None], stopping: threading.Event) -> None:
    """A server that is ready may still refuse: minio while it initialises, kubectl at a CRD without status."""
    deadline = time.monotonic() + BOOTSTRAP_PATIENCE
    while True:
        try:
            return action()
        except errors.SandboxError:
            if time.monotonic() > deadline or stopping.wait(BOOTSTRAP_PAUSE):
                raise


def _start_step(
    sandbox: state.Sandbox,
    component: components.Component,
    binaries: components.Binaries,
    restart: bool,
    reporter: progress.Reporter,
) -> graph.Step:
    def action(stopping: threading.Event) -> None:
        _ensure_running(sandbox, component, binaries, restart, reporter)
        _wait_ready(sandbox, component, stopping)
        reporter.finish(component.name, "ready")

    return graph.Step(action, component.needs)


def _ensure_running(
    sandbox: state.Sandbox,
    component: components.Component,
    binaries: components.Binaries,
    restart: bool,
    reporter: progress.Reporter,
) -> None:
    name, home = component.name, sandbox.home
    command, env = component.command(sandbox, binaries), component.env(sandbox)
    # The server's address reaches most of them through a kubeconfig, which the command line does not show.
    said = json.dumps([command, sorted(env.items()), sandbox.server])
    fingerprint = hashlib.sha256(said.encode()).hexdigest()[:16]
    record = processes.recorded(home, name)
    if record is not None and processes.alive(record) and record.fingerprint == fingerprint and not restart:
        reporter.update(name, "running already")
        return
    if record is not None:
        reporter.update(name, "stopping the old one")
        processes.stop(home, name, component.grace)
    reporter.update(name, "starting")
    processes.start(home, name, command, {**_inherited(), **env}, sandbox.log(name), fingerprint)


def _wait_ready(sandbox: state.Sandbox, component: components.Component, stopping: threading.Event) -> None:
    deadline = time.monotonic() + component.patience
    log = sandbox.log(component.name)
    while not component.ready(sandbox):
        if not processes.alive(processes.recorded(sandbox.home, component.name)):
            raise errors.ComponentFailed(component.name, "ended before it was ready", files.tail(log))
        if time.monotonic() > deadline:
            text = f"was not ready after {component.patience:.0f} s"
            raise errors.ComponentFailed(component.name, text, files.tail(log))
        if stopping.wait(POLL):
            return


def _write_credentials(sandbox: state.Sandbox, now: dt.datetime) -> None:
    authority = pki.ensure_authority(sandbox.authority.folder, now)
    pki.ensure_server(authority, "server", now)
    pki.ensure_signing_key(authority, "service-accounts")
    for name, identity in OTHER_CLIENTS.items():
        pki.ensure_client(authority, name, identity, now)
    for name, identity in IDENTITIES.items():
        pair = pki.ensure_client(authority, name, identity, now)
        path = sandbox.kubeconfig if name == "admin" else sandbox.kubeconfig_of(name)
        kubeconfig.ensure(path, sandbox.server, authority, pair, identity.name)
    files.write(sandbox.home / "audit-policy.yaml", control_plane.AUDIT_POLICY)


def _link_kubectl(sandbox: state.Sandbox, kubectl: Path) -> None:
    """One folder to put on PATH, whatever kubectl the machine has."""
    link = sandbox.home / "bin" / "kubectl"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink() or link.readlink() != kubectl:
        link.unlink(missing_ok=True)
        link.symlink_to(kubectl)


def _inherited() -> dict[str, str]:
    """The caller's environment without what would lead a component elsewhere; loopback never goes through a proxy."""
    foreign = ("AWS_", "MINIO_", "ETCD_", "KUBE", "PYTHON", "VIRTUAL_ENV", "PYTEST_", "COV_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    direct = ",".join(filter(None, [env.get("NO_PROXY") or env.get("no_proxy"), "localhost,127.0.0.0/8,127.0.0.1"]))
    return {**env, "NO_PROXY": direct, "no_proxy": direct}


def _only_one(home: Path, reporter: progress.Reporter) -> contextlib.AbstractContextManager[None]:
    files.make_private(home)
    return progress.taking_turns(home / "lock", "sandbox", reporter)
