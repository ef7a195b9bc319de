"""http(s): only from allowed hosts, wherever a redirect or a name leads."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import steps_given as given

from sklearn_steps import errors, web

ROWS = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (n, n % 3, n % 2) for n in range(40))


class Handler(http.server.BaseHTTPRequestHandler):
    """What the path says."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        path = self.path.partition("?")[0]
        moved = {
            "/here": f"http://127.0.0.1:{port}/k.csv",
            "/relative": "k.csv",
            "/elsewhere": f"http://localhost:{port}/k.csv",
            "/metadata": "http://169.254.169.254/latest/",
            "/file": "file:///etc/passwd",
            "/loop": "/loop",
            "/nowhere": None,
        }
        if path in moved:
            self.send_response(302)
            if moved[path]:
                self.send_header("Location", str(moved[path]))
            self.end_headers()
            return
        status = int(path[1:]) if path[1:].isdigit() else 200
        self.send_response(status)
        if path == "/gzip":
            self.send_header("Content-Encoding", "gzip")
        if path != "/endless":
            self.send_header("Content-Length", str(len(ROWS) + (10 if path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(ROWS)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def fetched(path: str, port: int, folder: Path, limit: int = 1 << 20) -> bytes:
    target = folder / "found"
    digest = web.fetch(f"http://127.0.0.1:{port}{path}", {f"127.0.0.1:{port}"}, target, limit)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    return target.read_bytes()


@pytest.mark.parametrize("path", ["/k.csv", "/here", "/relative", "/endless", "/k.csv?signed=secret", "/a b/é.csv"])
def test_a_file_arrives_as_it_is(path: str, port: int, tmp_path: Path) -> None:
    assert fetched(path, port, tmp_path) == ROWS


@pytest.mark.parametrize(
    ("path", "reason", "words", "permanent"),
    [
        ("/elsewhere", "HostNotAllowed", "the host 'localhost' is not among those", True),
        ("/metadata", "HostNotAllowed", "the host '169.254.169.254' is not among those", True),
        ("/file", "HostNotAllowed", "file:///etc/passwd", True),
        ("/loop", "TooManyRedirects", "more than 5", True),
        ("/nowhere", "RedirectRefused", "redirects to nowhere", True),
        ("/404?key=secret", "ObjectMissing", "there is no such file", True),
        ("/403", "AccessDenied", "HTTP 403", True),
        ("/418", "DownloadRefused", "HTTP 418", True),
        ("/503", "Unavailable", "HTTP 503", False),
        ("/gzip", "UnknownEncoding", "'gzip'", True),
        ("/short", "Unavailable", "ended after", False),
    ],
)
def test_what_is_refused(path: str, reason: str, words: str, permanent: bool, port: int, tmp_path: Path) -> None:
    with pytest.raises(errors.StepError) as found:
        fetched(path, port, tmp_path)
    assert (found.value.reason, found.value.permanent) == (reason, permanent)
    assert words in found.value.message and "secret" not in found.value.message


@pytest.mark.parametrize("path", ["/k.csv", "/endless"])
def test_no_more_is_written_than_there_is_room_for(path: str, port: int, tmp_path: Path) -> None:
    with pytest.raises(errors.UserError) as found:
        fetched(path, port, tmp_path, limit=100)
    assert found.value.reason == "DataTooLarge"
    assert (tmp_path / "found").stat().st_size <= len(ROWS)


def test_a_host_that_is_not_listed_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError) as found:
        web.fetch("https://data.example.org/k.csv?X-Amz-Signature=s3cr3t", {"other.example.org"}, tmp_path / "x", 1)
    assert found.value.message == (
        "data.source.uri https://data.example.org/k.csv?…: the host 'data.example.org' is not among those that the "
        "operator's settings allow (other.example.org)"
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_inside_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(errors.UserError) as found:
        web.fetch("http://data.example.org/k.csv", {"data.example.org"}, tmp_path / "x", 1)
    assert found.value.reason == "HostNotAllowed" and address in found.value.message


def test_addresses_of_clusters_and_of_the_world_are_no_danger() -> None:
    assert all(web._harmless(address) for address in ("10.96.0.10", "192.168.1.1", "93.184.215.14", "2606:2800::1"))


def test_a_model_of_a_file_by_http(port: int, tmp_path: Path) -> None:
    source = {"uri": f"http://127.0.0.1:{port}/k.csv?signed=secret"}
    document = given.config(tmp_path, source=source, target="y") | {"dataHosts": [f"127.0.0.1:{port}"]}
    result = given.run(document)
    assert result["lineage"]["dataSha256"] == hashlib.sha256(ROWS).hexdigest()
    assert all("secret" not in path.read_text() for path in tmp_path.glob("*.html"))


def test_nobody_there_may_pass(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(errors.TransientError) as found:
            web.fetch(f"http://{place}/k.csv", {place}, tmp_path / "x", 1)
    assert found.value.reason == "Unavailable"
