"""A version's files, read from the store with the credentials of the namespace.

Invariant: read only, with a Secret that the user may read; nothing of it is printed.
"""

from __future__ import annotations

import base64

import obstore
from obstore import exceptions
from obstore.store import S3Store

from sklearn_operator.cli.plugin.kubectl import Failed, Kubectl

_KEYS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_REGION": "region",
}


def card(cluster: Kubectl, name: str, version: str | None, secret: str | None) -> tuple[str, bytes]:
    """The name of the version, and its card."""
    status = cluster.model(name).get("status") or {}
    good = [one for one in cluster.versions(name) if (one.get("status") or {}).get("artifact")]
    wanted = version or status.get("servingVersion") or (good[-1]["metadata"]["name"] if good else None)
    found = next((one for one in good if one["metadata"]["name"] == wanted), None)
    if found is None:
        raise Failed(f"{wanted or name} has no artifact")
    bucket, _, prefix = str(found["status"]["artifact"]["uri"]).removeprefix("s3://").partition("/")
    own = (found["spec"]["training"].get("artifacts") or {}).get("credentialsSecret")
    data = cluster.json("get", "secret", secret or own or "sklearn-operator-store").get("data") or {}
    given = {
        _KEYS[key]: base64.b64decode(value).decode(errors="replace") for key, value in data.items() if key in _KEYS
    }
    try:
        store = S3Store(bucket, virtual_hosted_style_request=False, client_options={"allow_http": True}, **given)  # type: ignore[arg-type]
        return str(wanted), bytes(obstore.get(store, f"{prefix}card.html").bytes())
    except (exceptions.BaseError, OSError) as error:
        raise Failed(f"the card of {wanted} cannot be read: {type(error).__name__}") from error
