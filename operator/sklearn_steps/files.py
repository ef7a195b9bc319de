"""The files of a source, in a folder of the task's own: one object, all objects below a prefix, or one download.

Invariant: what is returned is complete and in a stated order (the keys' bytes), and its sha256 is of exactly these
bytes. No more is written than half of the room that the folder's disk has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sklearn_steps import contract, errors, objectstore, volumes, web

_FIELD = "data.source.uri"
_MOST_OBJECTS = 10_000


@dataclass(frozen=True)
class File:
    """``name``: with its suffix, for the format and for messages."""

    name: str
    path: Path


@dataclass(frozen=True)
class Files:
    """At least one; ``sha256`` of the one file, or of the lines that ``sha256sum`` prints for all of them."""

    items: tuple[File, ...]
    sha256: str


def of_text(text: str, name: str, folder: Path) -> Files:
    """The value of a ConfigMap's key."""
    content = text.encode()
    path = folder / "0"
    path.write_bytes(content)
    return Files((File(name, path),), hashlib.sha256(content).hexdigest())


def of_uri(uri: str, hosts: tuple[str, ...], folder: Path, env: Mapping[str, str] = os.environ) -> Files:
    """Everything that the address means."""
    room = shutil.disk_usage(folder).free // 2
    if uri.startswith(("http://", "https://")):
        path = folder / "0"
        digest = web.fetch(uri, hosts, path, room)
        return Files((File(uri.partition("?")[0], path),), digest)
    if uri.startswith("pvc://"):
        location: objectstore.Location = volumes.Volume.of(uri, _FIELD, env)
    else:
        location = objectstore.Location(uri, objectstore.Credentials.data(env), _FIELD)
    if uri.endswith("/"):
        return _prefix(location, folder, room)
    path = folder / "0"
    return Files((File(uri, path),), location.fetch(path, room))


def _prefix(location: objectstore.Location, folder: Path, room: int) -> Files:
    names = _wanted(location)
    location.check_size(sum(size for _, size in names), room)
    lines, items = [], []
    for number, (name, _) in enumerate(names):
        path = folder / str(number)
        lines.append(f"{location.child(name).fetch(path, room)}  {name}\n")
        items.append(File(name, path))
    return Files(tuple(items), hashlib.sha256("".join(lines).encode()).hexdigest())


def _wanted(location: objectstore.Location) -> list[tuple[str, int]]:
    """The data files: markers such as ``_SUCCESS``, hidden files and folders are none."""
    found = location.children()
    names = [(name, size) for name, size in found if name and not _ignored(name)]
    where = f"{_FIELD} {location.uri}"
    if not names:
        beside = f" ({len(found)} hidden files and markers are not counted)" if found else ""
        raise errors.UserError("ObjectMissing", f"{where}: there is no data file below this prefix{beside}")
    if len(names) > _MOST_OBJECTS:
        text = f"{where}: {len(names)} files, and a prefix may have {_MOST_OBJECTS}; write fewer and larger ones"
        raise errors.UserError("TooManyFiles", text)
    first = names[0][0]
    other = next((name for name, _ in names if _suffix(name) != _suffix(first)), None)
    if other is not None:
        text = f"{where}: {errors.shown(first)} and {errors.shown(other)} have different suffixes; all files below a"
        raise errors.UserError("SuffixesDiffer", f"{text} prefix must be of one format")
    return names


def _ignored(name: str) -> bool:
    return name.endswith("/") or any(part.startswith(("_", ".")) for part in name.split("/"))


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return contract.SUFFIXES.get(suffix, suffix)
