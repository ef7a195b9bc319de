"""The sandbox's own certificate authority, and what it signs.

Invariant: a key once written is reused until its certificate is about to expire, so that a second `up` changes nothing
and every kubeconfig handed out stays valid. Keys are readable by their owner only.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sklearn_sandbox import files

LIFETIME = dt.timedelta(days=3650)
RENEW_BEFORE = dt.timedelta(days=30)
SERVICE = "kubernetes.default.svc"
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", SERVICE, f"{SERVICE}.cluster.local")
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True)
class Identity:
    """Who a certificate speaks for: a user name and its groups."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    def pair(self, name: str) -> Pair:
        return Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")


def ensure_authority(folder: Path, now: dt.datetime) -> Authority:
    """The authority in this folder, made at the first call; a renewed one drops everything the old one signed."""
    authority = Authority(folder)
    if not _fresh(authority.certificate, authority.key, now):
        files.make_private(folder)
        for old in folder.glob("*"):
            old.unlink()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sklearn-operator-sandbox")])
        builder = _builder(name, name, key.public_key(), now)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        _write(Pair(authority.certificate, authority.key), builder.sign(key, hashes.SHA256()), key)
    return authority


def ensure_server(
    authority: Authority, name: str, now: dt.datetime, addresses: tuple[str, ...] = SERVER_ADDRESSES
) -> Pair:
    """A certificate a loopback server shows (and may use as a client too, as etcd does between its own parts)."""
    alternatives = x509.SubjectAlternativeName(
        [*map(x509.DNSName, SERVER_NAMES), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]
    )
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return _ensure(authority, name, Identity(name), usages, alternatives, now)


def ensure_client(authority: Authority, name: str, identity: Identity, now: dt.datetime) -> Pair:
    return _ensure(authority, name, identity, [ExtendedKeyUsageOID.CLIENT_AUTH], None, now)


def ensure_signing_key(authority: Authority, name: str) -> Pair:
    """A key pair without a certificate, for service account tokens; `certificate` holds the public key."""
    pair = Pair(authority.folder / f"{name}.pub", authority.folder / f"{name}.key")
    if not (pair.certificate.exists() and pair.key.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        files.write(pair.key, _key_text(key), private=True)
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        files.write(pair.certificate, key.public_key().public_bytes(serialization.Encoding.PEM, public))
    return pair


def _ensure(
    authority: Authority,
    name: str,
    identity: Identity,
    usages: list[x509.ObjectIdentifier],
    alternatives: x509.SubjectAlternativeName | None,
    now: dt.datetime,
) -> Pair:
    pair = authority.pair(name)
    if _fresh(pair.certificate, pair.key, now):
        return pair
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{authority.key} is not the elliptic curve key this module writes")
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.groups]
    subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, identity.name)])
    builder = _builder(subject, issuer.subject, key.public_key(), now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    _write(pair, builder.sign(issuer_key, hashes.SHA256()), key)
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + LIFETIME)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _fresh(certificate: Path, key: Path, now: dt.datetime) -> bool:
    if not (certificate.exists() and key.exists()):
        return False
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc - now > RENEW_BEFORE


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    # The key first: a crash between the two leaves no certificate, and the next call starts over.
    files.write(pair.key, _key_text(key), private=True)
    files.write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())
