"""Ports and secrets are chosen once; a port somebody else took meanwhile is replaced, one of ours is not."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

from sklearn_sandbox import state


def test_ports_and_secrets_stay_the_same_from_one_start_to_the_next(tmp_path: Path) -> None:
    first = state.prepare(tmp_path / "s", ["etcd", "minio"], ())
    again = state.prepare(tmp_path / "s", ["etcd", "minio", "kfp"], ())
    assert {name: again.ports[name] for name in first.ports} == first.ports
    assert (again.access_key, again.secret_key) == (first.access_key, first.secret_key)
    assert len(set(again.ports.values())) == 3
    assert stat.S_IMODE(again.file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_a_port_taken_by_somebody_else_is_replaced(tmp_path: Path) -> None:
    before = state.prepare(tmp_path, ["etcd"], ()).ports["etcd"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((state.LOOPBACK, before))
        other.listen()
        assert state.prepare(tmp_path, ["etcd"], in_use={"etcd"}).ports["etcd"] == before
        assert state.prepare(tmp_path, ["etcd"], in_use=()).ports["etcd"] != before


def test_what_was_asked_for_is_remembered(tmp_path: Path) -> None:
    sandbox = state.prepare(tmp_path, ["etcd"], ())
    sandbox.wanted = {"etcd", "kube-apiserver"}
    sandbox.save()
    assert state.load(tmp_path).wanted == {"etcd", "kube-apiserver"}


def test_no_sandbox_yet_is_an_empty_one(tmp_path: Path) -> None:
    assert state.load(tmp_path / "nothing").ports == {}
