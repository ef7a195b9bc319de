"""A prediction from outside: by the model's address, else through the API server.

Invariant: the body goes as it is, and a refusal is told in the server's own words.
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from sklearn_operator.cli.plugin.kubectl import Failed, Kubectl

_TIMEOUT = httpx.Timeout(30.0, connect=2.0)


def ask(cluster: Kubectl, name: str, protocol: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of the served model."""
    model = cluster.model(name)
    status = model.get("status") or {}
    address = status.get("address") or status.get("url")
    if not address:
        raise Failed(f"{name} does not serve: see kubectl get skm {name} -o wide")
    path = f"v2/models/{name}/infer" if protocol == "v2" else f"v1/models/{name}:predict"
    try:
        answer = httpx.post(f"{address}/{path}", json=body, timeout=_TIMEOUT, trust_env=False)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        # The address is the cluster's own, and we are outside: the API server can ask for us.
        service = f"/api/v1/namespaces/{model['metadata']['namespace']}/services/{name}-predictor/proxy/{path}"
        return _document(name, cluster.text("create", "--raw", service, "-f", "-", stdin=json.dumps(body)))
    except httpx.HTTPError as error:
        raise Failed(f"{name} does not answer at {address}: {error or type(error).__name__}") from error
    if answer.status_code != 200:
        raise Failed(f"{name} answers {answer.status_code}: {_said(answer)}")
    return _document(name, answer.text)


def _document(name: str, text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise Failed(f"{name} answers with something that is no JSON object: {text[:200]!r}") from error


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("error") or answer.text)
    except (json.JSONDecodeError, AttributeError):
        return answer.text[:500]
