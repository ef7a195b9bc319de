"""An operator that was installed too early: it waits for what is not there yet, says for what, and goes on."""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from pathlib import Path

from decoupled import operators
from faults import proxy as faults
from sklearn_sandbox import embedded
from waiting import wait_for

#: From the end of a fault to what it held up.
HEALED = 60.0
MISSING = {"sklearnmodels", "sklearnmodelversions", "inferenceservices"}


async def test_what_is_missing_is_named_and_waited_for(cluster: embedded.Cluster, tmp_path: Path) -> None:
    """First no API server, then neither the CRDs nor KServe nor the right to list Deployments, then all of them."""
    namespace = f"start-{uuid.uuid4().hex[:8]}"
    token = await asyncio.to_thread(_account, cluster, namespace)
    trusted = ssl.create_default_context(cafile=str(cluster.sandbox.authority.certificate))
    async with faults.running({"kubernetes": (cluster.server, trusted)}) as proxy:
        proxy.go_away("kubernetes")
        kubeconfig = tmp_path / "kubeconfig"
        await asyncio.to_thread(kubeconfig.write_text, proxy.kubeconfig(token))
        operator = operators.Operator(kubeconfig, tmp_path, namespace)
        operator.start()
        try:
            await _told(operator, "waiting for deployments: kubernetes: GET ")
            proxy.missing |= MISSING
            del proxy.refuse["kubernetes"]
            await _told(operator, "waiting for sklearnmodels: ", "404", "the CRDs of sklearn-operator")
            await _told(operator, "waiting for inferenceservices: ", "404", "KServe; is that installed?")
            await _told(operator, "waiting for deployments: ", "403", "grant it to the operator's service account")
            assert operator.probe("readyz") == 503
            assert operator.probe("livez") == 200
            proxy.missing.clear()
            await asyncio.to_thread(_bind, cluster, namespace, "sklearn-operator")
            await asyncio.to_thread(wait_for, "the operator ready", operator.ready, HEALED)
            await _told(operator, "waiting for Kubeflow Pipelines: ", "cannot connect")
            models = operators.Models(cluster, namespace)
            await asyncio.to_thread(models.apply, "late", {"gamma": 0.001})
            made = "late-v1"
            await asyncio.to_thread(wait_for, made, lambda: made in models.kubectl("get", "skmv", "-o", "name"), HEALED)
        finally:
            await asyncio.to_thread(operator.stop)
            print(operator.text()[-10_000:])
        assert "Traceback" not in operator.text()
        assert "deployments are there now" in operator.text()
    await asyncio.to_thread(models.kubectl, "delete", "skm", "--all", "--wait=false")


async def _told(operator: operators.Operator, *words: str) -> None:
    """Until a line of /readyz has all the words."""

    def said() -> bool:
        return any(all(word in line for word in words) for line in operator.page("readyz").splitlines())

    await asyncio.to_thread(wait_for, " ".join(words), said, HEALED)


def _account(cluster: embedded.Cluster, namespace: str) -> str:
    """A token of a service account that has the operator's role but for one rule."""
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "serviceaccount", "early", "-n", namespace)
    # Rights come before resources: who asks for what is absent has to be allowed to, to hear that it is.
    absent = {"apiGroups": ["*"], "resources": [f"absent{plural}" for plural in MISSING], "verbs": ["list"]}
    role = json.loads(cluster.kubectl("get", "clusterrole", "sklearn-operator", "-o", "json").stdout)
    lacking = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": namespace},
        "rules": [absent, *(rule for rule in role["rules"] if "deployments" not in rule["resources"])],
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(lacking))
    _bind(cluster, namespace, namespace)
    return cluster.kubectl("create", "token", "early", "-n", namespace).stdout.strip()


def _bind(cluster: embedded.Cluster, namespace: str, role: str) -> None:
    subject = f"--serviceaccount={namespace}:early"
    cluster.kubectl("create", "rolebinding", f"early-{role}", "-n", namespace, f"--clusterrole={role}", subject)
