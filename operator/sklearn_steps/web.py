"""Files by http(s), from the hosts that the operator's settings allow and from nobody else.

Invariant: the address that was checked is the one that is connected to, at every redirect anew, so that neither a
redirect nor a name that resolves to the inside of the cluster leads to what nobody allowed. No query is ever repeated
in a message: it may be a signature.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn_steps import errors, hosts

_REDIRECTS = 5
_TIMEOUT = 60.0
_CHUNK = 1 << 20
_FIELD = "data.source.uri"
_MOVED = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
#: In the path and query of an address that is already spelled as one; everything else is escaped.
_SAFE = "/?%:@!$&'()*+,;=~-._"


def fetch(uri: str, allowed: Collection[str], path: Path, limit: int) -> str:
    """Write the file, and its sha256; ``limit`` in bytes."""
    for _ in range(_REDIRECTS + 1):
        _check(uri, allowed)
        with _answer(uri) as answer:
            if answer.status in _MOVED:
                uri = _next(uri, answer.getheader("Location"))
                continue
            _check_status(uri, answer)
            return _save(uri, answer, path, limit)
    raise errors.UserError("TooManyRedirects", f"{_FIELD} {shown(uri)}: more than {_REDIRECTS} redirects")


def shown(uri: str) -> str:
    """The address without what may be secret."""
    plain, mark, _ = uri.partition("?")
    return f"{plain}?…" if mark else plain


def _check(uri: str, allowed: Collection[str]) -> None:
    if not hosts.allowed(uri, allowed):
        host = hosts.named(uri)
        known = errors.listed(sorted(allowed)) or "none"
        text = f"{_FIELD} {shown(uri)}: the host {errors.shown(host)} is not among those that the operator's settings"
        raise errors.UserError("HostNotAllowed", f"{text} allow ({known})")


def _next(uri: str, location: str | None) -> str:
    target = urllib.parse.urljoin(uri, location or "")
    if not location or (uri.startswith("https:") and not target.startswith("https:")):
        text = f"{_FIELD} {shown(uri)}: redirects to {shown(target) if location else 'nowhere'}"
        raise errors.UserError("RedirectRefused", f"{text}; from https only https is followed")
    return target


@contextmanager
def _answer(uri: str) -> Iterator[http.client.HTTPResponse]:
    parts = urllib.parse.urlsplit(uri)
    connection = _Secure(parts) if parts.scheme == "https" else _Plain(parts)
    target = urllib.parse.quote(parts.path or "/", _SAFE) + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "sklearn-operator"})
        with connection.getresponse() as answer:
            yield answer
    except ssl.SSLCertVerificationError as exc:
        text = f"{_FIELD} {shown(uri)}: the server's certificate is not trusted: {exc.verify_message}"
        raise errors.UserError("CertificateNotTrusted", text) from None
    except (http.client.HTTPException, OSError) as exc:
        text = f"{_FIELD} {shown(uri)}: cannot be read: {type(exc).__name__}"
        if isinstance(exc, socket.gaierror):
            text = f"{_FIELD} {shown(uri)}: the name {parts.hostname} cannot be resolved"
        raise errors.TransientError("Unavailable", text) from None
    finally:
        connection.close()


def _check_status(uri: str, answer: http.client.HTTPResponse) -> None:
    status, where = answer.status, f"{_FIELD} {shown(uri)}"
    if status == 200:
        encoding = answer.getheader("Content-Encoding", "identity")
        if encoding != "identity":
            raise errors.UserError(
                "UnknownEncoding", f"{where}: sent as {errors.shown(encoding)}; it must be sent plain"
            )
        return
    if status in (404, 410):
        raise errors.UserError("ObjectMissing", f"{where}: there is no such file (HTTP {status})")
    if status in (401, 403):
        raise errors.UserError("AccessDenied", f"{where}: access denied (HTTP {status}); put the file into the store")
    if status in (408, 425, 429) or status >= 500:
        raise errors.TransientError("Unavailable", f"{where}: HTTP {status}")
    raise errors.UserError("DownloadRefused", f"{where}: HTTP {status} where 200 was expected")


def _save(uri: str, answer: http.client.HTTPResponse, path: Path, limit: int) -> str:
    digest, size = hashlib.sha256(), 0
    announced = answer.length or 0
    with path.open("wb") as file:
        while announced <= limit and size <= limit and (chunk := answer.read(_CHUNK)):
            digest.update(chunk)
            size += file.write(chunk)
    if max(announced, size) > limit:
        text = f"{_FIELD} {shown(uri)}: more than the {limit / 2**20:,.1f} MiB of files that the task has room for"
        raise errors.UserError("DataTooLarge", text)
    if size < announced:
        raise errors.TransientError("Unavailable", f"{_FIELD} {shown(uri)}: ended after {size} of {announced} bytes")
    return digest.hexdigest()


def addresses(host: str, port: int, field: str) -> list[str]:
    """Those that may be asked. Who allows localhost or an address by its number means it."""
    named = host != "localhost" and not _is_number(host)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    known = [str(item[4][0]) for item in found]
    allowed = [address for address in known if not named or _harmless(address)]
    if not allowed:
        text = f"{field}: the name {host} resolves to {errors.listed(known)}, a loopback or link-local address"
        raise errors.UserError("HostNotAllowed", f"{text}, which the operator's settings do not allow")
    return allowed


def _connected(host: str, port: int) -> socket.socket:
    allowed = addresses(host, port, _FIELD)
    for address in allowed[:-1]:
        try:
            return socket.create_connection((address, port), _TIMEOUT)
        except OSError:
            continue
    return socket.create_connection((allowed[-1], port), _TIMEOUT)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _harmless(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)


class _Plain(http.client.HTTPConnection):
    def __init__(self, parts: urllib.parse.SplitResult) -> None:
        super().__init__(str(parts.hostname), parts.port or _PORTS["http"])

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port)


class _Secure(http.client.HTTPSConnection):
    def __init__(self, parts: urllib.parse.SplitResult) -> None:
        super().__init__(str(parts.hostname), parts.port or _PORTS["https"])

    def connect(self) -> None:
        plain = _connected(self.host, self.port)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
