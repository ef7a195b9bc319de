"""Kubeflow Pipelines as a company runs it: multi-user, by token, over TLS with its own CA, behind a path.

The server is the local one, told to authenticate. What it does then is what the API server of Kubeflow Pipelines does
(backend/src/apiserver: resource/resource_manager.go IsAuthorized, auth/authenticator_token_review.go, and the
resource's own file in server/): a TokenReview for audience pipelines.kubeflow.org, then a SubjectAccessReview with the
user alone. Both are answered by a real kube-apiserver, so tokens, roles and bindings here are real ones.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contract import kfp_rig
from faults import proxy as faults
from sklearn_operator.backends import errors, kfp
from sklearn_operator.core.observed import RunState
from sklearn_sandbox import embedded

SYSTEM = "sklearn-operator-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:sklearn-operator"
AUDIENCE = "pipelines.kubeflow.org"
#: docs/kubeflow.md says that this is enough; a verb less, and a test here fails.
RULES = [
    {"apiGroups": [AUDIENCE], "resources": ["experiments"], "verbs": ["list", "create"]},
    {"apiGroups": [AUDIENCE], "resources": ["pipelines"], "verbs": ["get", "list", "create"]},
    {"apiGroups": [AUDIENCE], "resources": ["runs"], "verbs": ["get", "list", "create", "terminate", "delete"]},
]


@pytest.fixture(scope="module")
def guarded(kubernetes: embedded.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kfp_rig.Server]:
    authority = kubernetes.sandbox.authority
    pair = authority.pair("server")
    tls = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    server = kfp_rig.Server(
        tmp_path_factory.mktemp("kfp-guarded"),
        *("--no-spare", "--authenticate", *tls),
        kubeconfig=str(kubernetes.kubeconfig),
        ca=authority.certificate,
    )
    yield server
    server.stop()


@pytest.fixture(scope="module")
def namespace(kubernetes: embedded.Cluster) -> str:
    """One in which the operator's service account may do what ``RULES`` say."""
    name = f"tenant-{uuid.uuid4().hex[:8]}"
    kubernetes.kubectl("create", "namespace", name)
    _grant(kubernetes, name, {"kind": "ServiceAccount", "name": "sklearn-operator", "namespace": SYSTEM})
    return name


def _grant(kubernetes: embedded.Cluster, namespace: str, subject: dict[str, str]) -> None:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "kfp", "namespace": namespace}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "kfp"}
    items = [
        kind | {"kind": "Role", "rules": RULES},
        kind | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    ]
    kubernetes.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def token(kubernetes: embedded.Cluster, audience: str = AUDIENCE) -> str:
    asked = ("create", "token", "sklearn-operator", "-n", SYSTEM, f"--audience={audience}")
    return kubernetes.kubectl(*asked).stdout.strip()


@pytest.fixture
def file(kubernetes: embedded.Cluster, tmp_path: Path) -> Path:
    """The projected volume's token."""
    path = tmp_path / "token"
    path.write_text(token(kubernetes))
    return path


@pytest_asyncio.fixture
async def backend(kubernetes: embedded.Cluster, guarded: kfp_rig.Server, file: Path) -> AsyncIterator[kfp.KfpBackend]:
    async with connected(kubernetes, guarded.url, file) as one:
        yield one


def connected(kubernetes: embedded.Cluster, url: str, file: Path) -> Any:
    return kfp.connect(url, token_file=str(file), ca_file=str(kubernetes.sandbox.authority.certificate))


def rotate(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


async def lookup(backend: kfp.KfpBackend, namespace: str) -> Any:
    return await backend.find_run(namespace=namespace, run_id=str(uuid.uuid4()), display_name="x")


async def test_a_run_lives_and_ends_with_no_more_rights_than_the_page_says(
    backend: kfp.KfpBackend, guarded: kfp_rig.Server, namespace: str, tmp_path: Path
) -> None:
    assert (await backend.healthy()).multi_user
    rig = kfp_rig.Rig(backend, guarded, tmp_path, namespace)
    run = await rig.submit()
    assert (await rig.ends(run.id, RunState.SUCCEEDED)).state is RunState.SUCCEEDED
    assert set(await backend.list_runs(namespace=namespace, run_ids=[run.id])) == {run.id}
    waiting = await rig.submit("waiting")
    await backend.terminate(waiting.id)
    await rig.until(waiting.id, lambda found: found is not None and found.state.terminal)
    for one in (run, waiting):
        await backend.delete(one.id)
        assert await backend.find_run(namespace=namespace, run_id=one.id, display_name="x") is None


async def test_in_another_tenants_namespace_it_may_nothing_and_says_what_is_missing(
    kubernetes: embedded.Cluster, backend: kfp.KfpBackend, guarded: kfp_rig.Server, namespace: str, tmp_path: Path
) -> None:
    foreign = kfp_rig.Rig(backend, guarded, tmp_path)
    with pytest.raises(errors.Transient, match=rf"403 .*{re.escape(ACCOUNT)}.*grant the operator's service account"):
        await lookup(backend, foreign.namespace)
    with pytest.raises(errors.Transient, match="403"):
        await foreign.submit()
    await kfp_rig.Rig(backend, guarded, tmp_path, namespace).submit()
    # A group is not passed on to the review, so a binding to one grants nothing.
    kubernetes.kubectl("create", "namespace", foreign.namespace)
    group = {"kind": "Group", "name": f"system:serviceaccounts:{SYSTEM}", "apiGroup": "rbac.authorization.k8s.io"}
    _grant(kubernetes, foreign.namespace, group)
    with pytest.raises(errors.Transient, match="403"):
        await lookup(backend, foreign.namespace)


async def test_a_token_is_read_anew_for_every_request_and_only_its_audience_counts(
    kubernetes: embedded.Cluster, backend: kfp.KfpBackend, file: Path, namespace: str
) -> None:
    assert await lookup(backend, namespace) is None
    for wrong in (token(kubernetes, "https://kubernetes.default.svc"), "not.a.token"):
        rotate(file, wrong)
        with pytest.raises(errors.Transient, match=r"401 .*pipelines\.kubeflow\.org.*SKLEARN_OPERATOR_KFP_TOKEN_FILE"):
            await lookup(backend, namespace)
    rotate(file, None)
    with pytest.raises(errors.Transient, match=r"SKLEARN_OPERATOR_KFP_TOKEN_FILE .*No such file"):
        await lookup(backend, namespace)
    rotate(file, token(kubernetes))
    assert await lookup(backend, namespace) is None


async def test_a_certificate_of_an_unknown_authority_is_refused_with_the_setting_that_names_it(
    guarded: kfp_rig.Server, file: Path, namespace: str
) -> None:
    async with kfp.connect(guarded.url, token_file=str(file)) as strict:
        with pytest.raises(errors.Transient, match=r"CERTIFICATE_VERIFY_FAILED.*SKLEARN_OPERATOR_KFP_CA_FILE"):
            await lookup(strict, namespace)


async def test_a_path_in_front_is_kept_on_every_call(
    kubernetes: embedded.Cluster, guarded: kfp_rig.Server, file: Path, namespace: str, tmp_path: Path
) -> None:
    """As an ingress has it: everything under /pipeline is the server's, the rest is somebody else's."""
    upstream = {"kfp": (guarded.url, guarded.trusted)}
    async with faults.running(upstream, prefixes={"kfp": "/pipeline"}) as proxy:
        base = f"http://127.0.0.1:{proxy.ports['kfp']}"
        async with connected_plainly(f"{base}/pipeline/", file) as backend:
            run = await kfp_rig.Rig(backend, guarded, tmp_path, namespace).submit()
            assert run.id in await backend.list_runs(namespace=namespace, run_ids=[run.id])
        async with connected_plainly(base, file) as astray:
            with pytest.raises(errors.Transient, match="check its URL"):
                await lookup(astray, namespace)


def connected_plainly(url: str, file: Path) -> Any:
    return kfp.connect(url, token_file=str(file))
