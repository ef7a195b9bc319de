"""A kubeconfig holds everything itself and is rewritten only when it would say something else."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import yaml

from sklearn_sandbox import kubeconfig, pki

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def test_it_needs_no_other_file() -> None:
    text = kubeconfig.render("https://127.0.0.1:1", b"ca", b"crt", b"key", "me")
    document = yaml.safe_load(text)
    assert document["current-context"] == "sandbox"
    assert document["contexts"][0]["context"] == {"cluster": "sandbox", "user": "me", "namespace": "default"}
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(document["users"][0]["user"]["client-key-data"]) == b"key"


def test_it_follows_the_port_and_is_private(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path / "pki", NOW)
    pair = pki.ensure_client(authority, "me", pki.Identity("me"), NOW)
    path = kubeconfig.ensure(tmp_path / "kubeconfig", "https://127.0.0.1:1", authority, pair, "me")
    inode = path.stat().st_ino
    assert kubeconfig.ensure(path, "https://127.0.0.1:1", authority, pair, "me").stat().st_ino == inode
    kubeconfig.ensure(path, "https://127.0.0.1:2", authority, pair, "me")
    assert "https://127.0.0.1:2" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
