"""Scripts from git: by commit, tag or branch, with their neighbours, from allowed hosts alone."""

from __future__ import annotations

import os
import socket
import threading
import wsgiref.simple_server
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import steps_given as given
import steps_scripts as scripted
from dulwich import objects, porcelain, server, web
from dulwich.repo import Repo

from sklearn_steps import contract, errors, gitfiles

AUTHOR = {"author": b"A <a@example.org>", "committer": b"A <a@example.org>"}


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def get_stderr(self) -> Any:
        return self.server.sink  # type: ignore[attr-defined]


@dataclass
class Served:
    host: str
    first: str
    second: str

    def file(self, revision: str, path: str = "src/train.py", repository: str = "repo") -> contract.GitFile:
        return contract.GitFile(url=f"http://{self.host}/{repository}", revision=revision, path=path)


def commit(folder: Path, files: dict[str, str], message: bytes) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    porcelain.add(str(folder), [str(folder / name) for name in files])
    return bytes(porcelain.commit(str(folder), message=message, **AUTHOR)).decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A repository with two commits, a tag and a branch, and one with a file that wants out."""
    root = tmp_path_factory.mktemp("git")
    folder = root / "repo"
    porcelain.init(str(folder)).close()
    head = scripted.HEAD + "from sklearn.svm import SVC\n"
    first = commit(folder, {"src/train.py": head + "from helper import C\nleave(SVC(C=C).fit(X, y))",
                            "src/helper.py": "C = 1.0\n"}, b"one")  # fmt: skip
    porcelain.tag_create(str(folder), b"v1", message=b"v1", annotated=True, author=AUTHOR["author"])
    second = commit(folder, {"src/helper.py": "C = 0.01\n"}, b"two")
    (folder / "link").symlink_to("/etc/passwd")
    porcelain.add(str(folder), [str(folder / "link")])
    porcelain.branch_create(str(folder), b"work/new")
    porcelain.init(str(root / "evil")).close()
    with Repo(str(folder)) as repo, Repo(str(root / "evil")) as evil:
        blob = objects.Blob.from_string(b"out")
        tree = objects.Tree()
        tree.add(b"..", 0o100644, blob.id)
        evil.object_store.add_objects([(blob, None), (tree, None)])
        porcelain_commit = objects.Commit()
        porcelain_commit.tree, porcelain_commit.message = tree.id, b"x"
        porcelain_commit.author = porcelain_commit.committer = AUTHOR["author"]
        porcelain_commit.author_time = porcelain_commit.commit_time = 0
        porcelain_commit.author_timezone = porcelain_commit.commit_timezone = 0
        evil.object_store.add_object(porcelain_commit)
        evil.refs[b"refs/heads/main"] = porcelain_commit.id
        application = web.make_wsgi_chain(server.DictBackend({"/repo": repo, "/evil": evil}))
        with wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=Quiet) as listening:
            with Path(os.devnull).open("w") as sink:
                listening.sink = sink  # type: ignore[attr-defined]
                thread = threading.Thread(target=listening.serve_forever)
                thread.start()
                yield Served(f"127.0.0.1:{listening.server_port}", first, second)
                listening.shutdown()
                thread.join()


def test_a_revision_is_a_commit(served: Served, tmp_path: Path) -> None:
    wanted = {"v1": served.first, "master": served.second, "work/new": served.second,
              served.first: served.first, served.second: served.second}  # fmt: skip
    for number, (revision, expected) in enumerate(wanted.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert gitfiles.fetch(served.file(revision), [served.host], folder) == expected
        text = (folder / "src" / "helper.py").read_text()
        assert text == ("C = 1.0\n" if expected == served.first else "C = 0.01\n")
        assert not (folder / "link").is_symlink()


@pytest.mark.parametrize(
    ("revision", "repository", "reason", "says"),
    [
        ("mastre", "repo", "RevisionMissing", "has no such commit, tag or branch; did you mean master?"),
        ("0" * 39 + "1", "repo", "RevisionMissing", "has no such commit, tag or branch"),
        ("main", "none", "RepositoryMissing", "there is no git repository"),
        ("main", "evil", "PathRefused", "the repository has a file named"),
    ],
)
def test_what_is_not_there(
    revision: str, repository: str, reason: str, says: str, served: Served, tmp_path: Path
) -> None:
    with pytest.raises(errors.UserError) as found:
        gitfiles.fetch(served.file(revision, repository=repository), [served.host], tmp_path)
    assert found.value.reason == reason and says in found.value.message


def test_only_hosts_that_are_allowed_are_asked(served: Served, tmp_path: Path) -> None:
    for allowed in ([], ["127.0.0.1"], ["github.com"]):
        with pytest.raises(errors.UserError, match="that the operator's settings allow"):
            gitfiles.fetch(served.file("v1"), allowed, tmp_path)


def test_a_name_that_leads_inside_is_refused(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 80))])
    asked = contract.GitFile(url="http://git.example.org/repo", revision="v1", path="x")
    with pytest.raises(errors.UserError, match="a loopback or link-local address"):
        gitfiles.fetch(asked, ["git.example.org"], tmp_path)


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    asked = contract.GitFile(url="http://localhost:1/repo", revision="v1", path="x")
    with pytest.raises(errors.TransientError, match="cannot be fetched"):
        gitfiles.fetch(asked, ["localhost:1"], tmp_path)


def test_the_commit_is_in_the_lineage(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = scripted.config(tmp_path, "")
    document["script"] = {"source": {"git": served.file("v1").model_dump()}}
    document["gitHosts"] = [served.host]
    result = given.run(document)
    assert result["lineage"]["gitCommit"] == served.first
    expected = given.run(given.config(tmp_path / "plain", "sklearn.svm.SVC"))
    assert result["metrics"] == expected["metrics"]
    document["script"]["source"]["git"]["path"] = "src/tarin.py"
    document["artifactUri"] = f"file://{tmp_path}/missing/"
    assert "did you mean" in given.failure(document, capsys)["message"]
