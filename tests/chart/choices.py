"""The combinations of values that matter, by a name in words; each is rendered, linted and shown to an API server."""

from __future__ import annotations

import itertools
from typing import Any

import yaml

from sklearn_sandbox import helm

Values = dict[str, Any]

MONITORING: Values = {
    "metrics": {
        "service": {"annotations": {"team": "ml"}},
        "serviceMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "ML"}},
    }
}
MULTI_USER: Values = {
    "settings": {"kfpUrl": "https://kubeflow.example.org/pipeline", "serviceAccounts": "default-editor"},
    "kfp": {"token": {"enabled": True, "audience": "pipelines.example.org"}, "ca": {"configMap": "company-ca"}},
}


def egress() -> list[Any]:
    """The example in the comments of values.yaml."""
    lines = (helm.chart_folder() / "values.yaml").read_text().splitlines()
    begin = lines.index("  #   egress:")
    shown = itertools.takewhile(lambda line: line.startswith("  #   "), lines[begin:])
    found: list[Any] = yaml.safe_load("\n".join(line.removeprefix("  #   ") for line in shown))["egress"]
    return found


EVERYTHING: Values = {
    "replicas": 3,
    "image": {"digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
    "trainer": {"image": {"tag": "9.9.9"}},
    "imagePullSecrets": [{"name": "registry"}],
    "nameOverride": "models",
    "settings": {
        "storeCredentialsSecret": "store",
        "kfpUrl": "https://pipelines.example.org",
        "workers": 32,
        "resyncPeriod": 86400,
        "knative": True,
    },
    "kfp": {"ca": {"secret": "company-ca", "key": "bundle.pem"}},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/models"}},
    "rbac": {"artifactSecrets": {"enabled": True}},
    "tracing": {"endpoint": "http://collector.observability.svc:4318"},
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": egress(),
    },
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "podLabels": {"team": "ml"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "ml", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
        }
    ],
    "priorityClassName": "system-cluster-critical",
    "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/company/ca.crt"}],
    "extraVolumes": [{"name": "company", "configMap": {"name": "company-ca"}}],
    "extraVolumeMounts": [{"name": "company", "mountPath": "/etc/company", "readOnly": True}],
}
KUBEFLOW_KFP: Values = {"settings": {"kfpUrl": "https://kubeflow.example.org"}}

CHOICES: dict[str, Values] = {
    "nothing said": {},
    "one replica": {"replicas": 1, "leaderElection": {"enabled": False}},
    "two namespaces": {"namespaces": ["team-a", "team-b"]},
    "two namespaces, Secrets in one": {
        "namespaces": ["team-a", "team-b"],
        "rbac": {"artifactSecrets": {"enabled": True, "namespaces": ["team-a"]}},
    },
    "all namespaces, Secrets in one": {"rbac": {"artifactSecrets": {"enabled": True, "namespaces": ["team-a"]}}},
    "monitoring": MONITORING,
    "multi-user": MULTI_USER,
    "everything": EVERYTHING | {"metrics": MONITORING["metrics"]},
    "rights, account and runtime made by others": {
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "sklearn-operator"},
        "servingRuntime": {"install": False},
        "crds": {"install": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    },
    "nobody at work": {"replicas": 0},
    "nothing kept": {"crds": {"keep": False}, "servingRuntime": {"keep": False}},
}
#: What must be refused, and a part of the message.
REFUSED: dict[str, tuple[Values, str]] = {
    "replicas without a lease": (
        {"leaderElection": {"enabled": False}},
        "replicas is greater than 1, but leaderElection.enabled is false",
    ),
    "an account that nobody names": (
        {"serviceAccount": {"create": False}},
        "serviceAccount.name is empty: name the service account",
    ),
    "two tokens": (
        {"kfp": {"token": {"enabled": True}}, "settings": {"kfpTokenFile": "/token"}},
        "leave settings.kfpTokenFile empty",
    ),
    "certificates from two places": (
        KUBEFLOW_KFP | {"kfp": {"ca": {"configMap": "a", "secret": "b"}}},
        "kfp.ca.configMap and kfp.ca.secret are both set",
    ),
    "certificates twice": (
        {"settings": {"kfpUrl": "https://k", "kfpCaFile": "/ca.crt"}, "kfp": {"ca": {"secret": "b"}}},
        "leave settings.kfpCaFile empty",
    ),
    "certificates for http": ({"kfp": {"ca": {"secret": "b"}}}, "settings.kfpUrl begins with http://"),
    "Secrets of a stranger": (
        {"namespaces": ["a"], "rbac": {"artifactSecrets": {"enabled": True, "namespaces": ["b"]}}},
        "rbac.artifactSecrets.namespaces names b, which is not among namespaces",
    ),
    "Secrets without the role": (
        {"rbac": {"artifactSecrets": {"namespaces": ["b"]}}},
        "rbac.artifactSecrets.enabled is false",
    ),
    "egress of no policy": (
        {"networkPolicy": {"enabled": False, "egress": [{}]}},
        "networkPolicy.egress is set, but networkPolicy.enabled is false",
    ),
    "a setting by its variable": (
        {"extraEnv": [{"name": "SKLEARN_OPERATOR_WORKERS", "value": "3"}]},
        "settings of the operator belong under settings",
    ),
    "a collector twice": (
        {
            "tracing": {"endpoint": "http://a"},
            "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://b"}],
        },
        "extraEnv sets OTEL_EXPORTER_OTLP_ENDPOINT, and so does tracing.endpoint",
    ),
    "a collector without http": ({"tracing": {"endpoint": "collector:4318"}}, "does not match pattern"),
    "a word that is no value": ({"replicaCount": 2}, "additional properties 'replicaCount' not allowed"),
    "a setting that there is not": ({"settings": {"kfpURL": "x"}}, "additional properties 'kfpURL' not allowed"),
    "a key in the values": ({"settings": {"storeSecretAccessKey": "x"}}, "'storeSecretAccessKey' not allowed"),
    "a setting of the wrong kind": ({"settings": {"workers": "many"}}, "got string, want integer"),
    "a setting out of range": ({"settings": {"workers": 0}}, "minimum: got 0, want 1"),
    "an address that is none": ({"settings": {"kfpUrl": "ml-pipeline:8888"}}, "does not match pattern"),
    "a namespace twice": ({"namespaces": ["a", "a"]}, "items at 0 and 1 are equal"),
    "a tag that is a number": ({"image": {"tag": 1.2}}, "got number, want string"),
}
