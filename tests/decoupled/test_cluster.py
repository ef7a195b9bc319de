"""The fixture that the other tests of this folder stand on."""

from __future__ import annotations

from sklearn_sandbox import embedded, services


def test_a_real_api_server_answers_as_the_pinned_version(cluster: embedded.Cluster) -> None:
    assert "namespace/default" in cluster.kubectl("get", "namespaces", "-o", "name").stdout.split()
    assert cluster.server in cluster.kubeconfig.read_text()


def test_the_operators_role_is_enforced_not_assumed(cluster: embedded.Cluster) -> None:
    """The operator's kubeconfig names its service account: it is no administrator."""
    flags = ("--kubeconfig", str(cluster.sandbox.kubeconfig_of("operator")), "auth")
    account = cluster.kubectl(*flags, "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout
    assert account == "system:serviceaccount:sklearn-operator-system:sklearn-operator"
    for right, allowed in {"list sklearnmodels": "yes", "list secrets": "no", "create pods": "no"}.items():
        assert cluster.kubectl(*flags, "can-i", *right.split(), "-A", check=False).stdout.strip() == allowed


def test_the_store_secret_serves_tasks_and_the_storage_initializer(cluster: embedded.Cluster) -> None:
    text = cluster.kubectl("get", "secret", "sklearn-operator-store", "-o", "yaml").stdout
    assert "AWS_ACCESS_KEY_ID" in text
    assert "serving.kserve.io/s3-endpoint" in text
    assert services.REGION in text
