"""Kubeconfig files with everything inside, so that one file is all a client needs.

Invariant: the text is a pure function of server and credentials; whoever reads the file sees only its own key.
"""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from sklearn_sandbox import files, pki

CONTEXT = "sandbox"


def render(server: str, authority: bytes, certificate: bytes, key: bytes, user: str, namespace: str = "default") -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": _text(authority)}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": namespace}}],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _text(certificate), "client-key-data": _text(key)},
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def ensure(path: Path, server: str, authority: pki.Authority, pair: pki.Pair, user: str) -> Path:
    """Write the file when it is missing or says something else (another port, a renewed certificate)."""
    ca, certificate, key = authority.certificate.read_bytes(), pair.certificate.read_bytes(), pair.key.read_bytes()
    text = render(server, ca, certificate, key, user)
    if not path.exists() or path.read_text() != text:
        files.write(path, text, private=True)
    return path


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
