"""Command lines and readiness of the real Kubernetes control plane and its etcd.

Invariant: everything listens on loopback and asks for a client certificate of our own authority (health paths aside),
so no other user of the machine can read or write through it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sklearn_sandbox import checks, state

SERVICE_RANGE = "10.96.0.0/16"
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def etcd(sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    client = f"https://{state.LOOPBACK}:{sandbox.ports['etcd']}"
    peer = f"https://{state.LOOPBACK}:{sandbox.ports['etcd-peer']}"
    pair, authority = sandbox.authority.pair("server"), sandbox.authority.certificate
    command = [
        str(binaries["etcd"]),
        "--name=sandbox",
        f"--data-dir={sandbox.home / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--unsafe-no-fsync",  # a sandbox may lose its last second on a power cut
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
        "--log-level=warn",
    ]
    for prefix in ("", "peer-"):
        command += [
            f"--{prefix}client-cert-auth",
            f"--{prefix}trusted-ca-file={authority}",
            f"--{prefix}cert-file={pair.certificate}",
            f"--{prefix}key-file={pair.key}",
        ]
    return command


def etcd_ready(sandbox: state.Sandbox) -> bool:
    authority = sandbox.authority
    return checks.https_ok(sandbox.ports["etcd"], "/readyz", authority.certificate, authority.pair("admin"))


def apiserver(sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    authority = sandbox.authority
    server, etcd_client = authority.pair("server"), authority.pair("etcd-client")
    kubelet, accounts = authority.pair("kubelet-client"), authority.pair("service-accounts")
    command = [
        str(binaries["kube-apiserver"]),
        f"--bind-address={state.LOOPBACK}",
        f"--advertise-address={state.LOOPBACK}",
        # A loopback address is no legal endpoint, so the Service `kubernetes` gets none; the node agent knows the way.
        "--endpoint-reconciler-type=none",
        f"--secure-port={sandbox.ports['kube-apiserver']}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={authority.certificate}",
        f"--etcd-servers=https://{state.LOOPBACK}:{sandbox.ports['etcd']}",
        f"--etcd-cafile={authority.certificate}",
        f"--etcd-certfile={etcd_client.certificate}",
        f"--etcd-keyfile={etcd_client.key}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        # As on OpenShift: who blocks an owner's deletion needs the right to its finalizers.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={authority.folder / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={accounts.key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--profiling=false",
    ]
    if os.environ.get("SKLEARN_SANDBOX_AUDIT") == "1":
        command += [
            f"--audit-policy-file={sandbox.home / 'audit-policy.yaml'}",
            f"--audit-log-path={sandbox.home / 'audit.log'}",
        ]
    return command


def apiserver_ready(sandbox: state.Sandbox) -> bool:
    authority = sandbox.authority
    return checks.https_ok(sandbox.ports["kube-apiserver"], "/readyz", authority.certificate, authority.pair("admin"))


def controller_manager(sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    authority = sandbox.authority
    return [
        *_delegated("kube-controller-manager", sandbox, binaries),
        f"--service-account-private-key-file={authority.pair('service-accounts').key}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        # The node agent may be slow on a busy laptop, but a dead one should show within half a minute.
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=20s",
        # Without it an autoscaler that was given a higher minimum would take as long as the default says, or longer.
        "--horizontal-pod-autoscaler-sync-period=10s",
        "--terminated-pod-gc-threshold=100",
        # Its default lies in /usr, and is created when missing.
        f"--flex-volume-plugin-dir={sandbox.home / 'flexvolume'}",
    ]


def controller_manager_ready(sandbox: state.Sandbox) -> bool:
    port = sandbox.ports["kube-controller-manager"]
    return checks.https_ok(port, "/healthz", sandbox.authority.certificate)


def scheduler(sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    return _delegated("kube-scheduler", sandbox, binaries)


def scheduler_ready(sandbox: state.Sandbox) -> bool:
    return checks.https_ok(sandbox.ports["kube-scheduler"], "/readyz", sandbox.authority.certificate)


def _delegated(name: str, sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    """What controller manager and scheduler have in common."""
    kubeconfig, server = sandbox.kubeconfig_of(name), sandbox.authority.pair("server")
    return [
        str(binaries[name]),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--authentication-skip-lookup",
        f"--client-ca-file={sandbox.authority.certificate}",
        f"--bind-address={state.LOOPBACK}",
        f"--secure-port={sandbox.ports[name]}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]
