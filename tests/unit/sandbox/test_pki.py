"""The authority signs for who was named, is asked once, and starts over when it is about to expire."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from sklearn_sandbox import pki

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
OPERATOR = pki.Identity("system:serviceaccount:ns:name", ("system:authenticated", "system:serviceaccounts"))


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_client_certificate_names_user_and_groups(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path / "pki", NOW)
    pair = pki.ensure_client(authority, "operator", OPERATOR, NOW)
    certificate = read(pair.certificate)
    certificate.verify_directly_issued_by(read(authority.certificate))
    subject = certificate.subject
    assert [item.value for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [OPERATOR.name]
    groups = {item.value for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    assert groups == set(OPERATOR.groups)


def test_a_server_certificate_holds_for_loopback_and_the_service_names(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path, NOW)
    certificate = read(pki.ensure_server(authority, "server", NOW).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    assert {"localhost", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))


def test_keys_are_private_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    def everything() -> dict[str, bytes]:
        authority = pki.ensure_authority(tmp_path / "pki", NOW)
        pki.ensure_client(authority, "operator", OPERATOR, NOW)
        pki.ensure_signing_key(authority, "tokens")
        return {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}

    first = everything()
    assert everything() == first
    for path in (tmp_path / "pki").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_an_authority_about_to_expire_is_renewed_with_everything_it_signed(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path, NOW)
    old = pki.ensure_client(authority, "operator", OPERATOR, NOW).certificate.read_bytes()
    later = NOW + pki.LIFETIME - dt.timedelta(days=1)
    renewed = pki.ensure_authority(tmp_path, later)
    fresh = pki.ensure_client(renewed, "operator", OPERATOR, later).certificate
    assert fresh.read_bytes() != old
    read(fresh).verify_directly_issued_by(read(renewed.certificate))


def test_a_half_written_pair_is_made_anew(tmp_path: Path) -> None:
    authority = pki.ensure_authority(tmp_path, NOW)
    pair = pki.ensure_client(authority, "operator", OPERATOR, NOW)
    pair.certificate.unlink()
    assert pki.ensure_client(authority, "operator", OPERATOR, NOW).certificate.exists()
