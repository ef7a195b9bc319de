"""A commit of a git repository as a folder, over http(s) and from the hosts that the operator's settings allow.

Invariant: the address that was checked is the one that is connected to, nothing is followed elsewhere, and no file is
written outside of the folder. Links and submodules are left out.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
import urllib.parse
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import urllib3

from sklearn_steps import contract, errors, hosts, web

if TYPE_CHECKING:
    from dulwich.repo import Repo

_FIELD = "model.script.source.git"
_COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
_PREFIXES = (b"refs/tags/", b"refs/heads/")
_TIMEOUT = urllib3.Timeout(connect=10, read=120)
_KIND, _FILE = 0o170000, 0o100000
Refs = Mapping[bytes, bytes | None]


def fetch(asked: contract.GitFile, allowed: Collection[str], folder: Path) -> str:
    """Write the files of the revision into ``folder``; the commit that it is."""
    if not hosts.allowed(asked.url, allowed):
        known = errors.listed(sorted(allowed)) or "none"
        text = (
            f"{_FIELD}.url {web.shown(asked.url)}: the host {errors.shown(hosts.named(asked.url))} is not among those"
        )
        raise errors.UserError("HostNotAllowed", f"{text} that the operator's settings allow ({known})")
    from dulwich.repo import Repo

    with tempfile.TemporaryDirectory() as scratch, _translated(asked), _Manager(asked.url) as manager:
        with Repo.init_bare(scratch) as repo:
            store: Any = repo.object_store
            commit = _fetched(asked, manager, repo, store)
            _checkout(store, commit, folder)
    return commit.decode()


def _fetched(asked: contract.GitFile, manager: urllib3.PoolManager, repo: Repo, store: Any) -> bytes:
    """Only this one commit where the server gives it; where it wants to give branches and tags alone, all of those."""
    from dulwich import client as clients
    from dulwich.errors import GitProtocolError, HangupException

    client: Any = clients.HttpGitClient(asked.url, pool_manager=manager, quiet=True)
    revision = asked.revision.encode()
    if not _COMMIT.fullmatch(asked.revision):
        found: list[bytes] = []

        def named(refs: Refs, **_: Any) -> list[bytes]:
            found.append(_tip(refs, asked))
            return found[-1:]

        client.fetch("", repo, named, depth=1)
        return _commit(store, found[-1])
    try:
        client.fetch("", repo, lambda refs, **_: [revision], depth=1)
    except (GitProtocolError, HangupException):
        client.fetch("", repo, lambda refs, **_: sorted({tip for name, tip in refs.items() if _is_ref(name) and tip}))
    if revision not in store:
        raise _unknown(asked, "")
    return _commit(store, revision)


def _is_ref(name: bytes) -> bool:
    return name.startswith(_PREFIXES) and not name.endswith(b"^{}")


def _tip(refs: Refs, asked: contract.GitFile) -> bytes:
    """A tag before a branch of the same name, as git itself has it."""
    for prefix in _PREFIXES:
        found = refs.get(prefix + asked.revision.encode())
        if found:
            return found
    names = [name.split(b"/", 2)[2].decode(errors="replace") for name in refs if _is_ref(name)]
    raise _unknown(
        asked, f"; {errors.nearest(asked.revision, names)}there are {errors.listed(sorted(names)) or 'none'}"
    )


def _unknown(asked: contract.GitFile, more: str) -> errors.UserError:
    text = f"{_FIELD}.revision {errors.shown(asked.revision)}: {web.shown(asked.url)} has no such commit, tag or branch"
    return errors.UserError("RevisionMissing", f"{text}{more or '; a commit is named by all of its 40 digits'}")


def _commit(store: Any, name: bytes) -> bytes:
    """What an annotated tag points at in the end."""
    from dulwich.objects import Commit, Tag

    found: Any = store[name]
    while isinstance(found, Tag):
        found = store[found.object[1]]
    if not isinstance(found, Commit):
        raise errors.UserError("RevisionMissing", f"{_FIELD}.revision: {name.decode()} is no commit")
    return bytes(found.id)


def _checkout(store: Any, commit: bytes, folder: Path) -> None:
    from dulwich.object_store import iter_tree_contents

    room = shutil.disk_usage(folder).free // 2
    for entry in iter_tree_contents(store, store[commit].tree):
        if entry.mode & _KIND != _FILE:
            continue
        parts = entry.path.decode(errors="surrogateescape").split("/")
        if any(part in ("", ".", "..") or part.lower() == ".git" or "\0" in part for part in parts):
            raise errors.UserError("PathRefused", f"{_FIELD}: the repository has a file named {errors.shown(parts)}")
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = store[entry.sha].data
        room -= len(content)
        if room < 0:
            text = f"{_FIELD}: the files of the repository take more than half of the room that the task has"
            raise errors.UserError("RepositoryTooLarge", f"{text}; use a smaller repository, or a ConfigMap")
        target.write_bytes(content)


@contextlib.contextmanager
def _translated(asked: contract.GitFile) -> Iterator[None]:
    from dulwich import client as clients
    from dulwich.errors import GitProtocolError, HangupException, NotGitRepository

    where = f"{_FIELD}.url {web.shown(asked.url)}"
    try:
        yield
    except NotGitRepository as exc:
        raise errors.UserError("RepositoryMissing", f"{where}: there is no git repository") from exc
    except clients.HTTPUnauthorized as exc:
        text = f"{where}: it asks for credentials, and none are sent; use a repository that needs none"
        raise errors.UserError("AccessDenied", f"{text}, or put the script into a ConfigMap") from exc
    except socket.gaierror as exc:
        text = f"{where}: the name {hosts.named(asked.url)} cannot be resolved"
        raise errors.TransientError("Unavailable", text) from exc
    except (GitProtocolError, HangupException, urllib3.exceptions.HTTPError, OSError) as exc:
        text = f"{where}: cannot be fetched: {errors.first_line(exc, 200)}"
        raise errors.TransientError("Unavailable", text) from exc


class _Manager(urllib3.PoolManager):
    """Connects to checked addresses of one server alone, and follows nothing."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=_TIMEOUT, headers={"User-Agent": "git/sklearn-operator"})
        self._url = url
        self._answers: list[urllib3.BaseHTTPResponse] = []

    def __exit__(self, *_: Any) -> Literal[False]:
        """What was not read to its end keeps its connection; those end here, too."""
        for answer in self._answers:
            answer.close()
        self.clear()
        return False

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        parts = urllib.parse.urlsplit(url)
        host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        if (parts.scheme, parts.netloc) != urllib.parse.urlsplit(self._url)[:2]:
            raise errors.UserError("RedirectRefused", f"{_FIELD}.url: {web.shown(url)} is another server")
        address = web.addresses(host, port, f"{_FIELD}.url")[0]
        proof = {"server_hostname": host, "assert_hostname": host} if parts.scheme == "https" else {}
        pool = self.connection_from_host(address, port, parts.scheme, pool_kwargs={**self.connection_pool_kw, **proof})
        headers = {**(options.pop("headers", None) or {}), "Host": parts.netloc}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = pool.urlopen(method, target, headers=headers, redirect=False, assert_same_host=False, **options)
        self._answers.append(answer)
        if answer.get_redirect_location():
            found = web.shown(urllib.parse.urljoin(url, str(answer.get_redirect_location())).partition("/info/refs")[0])
            text = f"{_FIELD}.url {web.shown(self._url)}: it has moved to {found}; redirects are not followed"
            raise errors.UserError("RedirectRefused", f"{text}: write the address that holds")
        return answer
