"""What is different about the data since the previous version, in notes.

Invariant: a change of the data is told and never fails a training: whether it is good or bad, gates and people decide.
The previous schema is read as a document of unknown quality; one that cannot be read is told, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_steps import contract, errors, objectstore

_MOST = 12
#: Missing shares further apart than this are told.
_GAP = 0.1
_UPPER, _LOWER = "0.95", "0.05"


def since(
    previous: contract.PreviousVersion | None, profile: list[dict[str, Any]], env: Mapping[str, str] = os.environ
) -> list[str]:
    """Notes on how ``profile`` differs from the schema of the previous version."""
    if previous is None:
        return []
    before = _read(previous, env)
    if isinstance(before, str):
        return [f"data: not compared with {previous.name}: {before}"]
    found = list(_compared(before, {str(entry["name"]): entry for entry in profile}, previous.name))
    more = len(found) - _MOST
    return found[:_MOST] + ([f"data: {more} more changes since {previous.name}"] if more > 0 else [])


def _read(previous: contract.PreviousVersion, env: Mapping[str, str]) -> dict[str, Mapping[str, Any]] | str:
    """The entries by column, or why not."""
    folder = objectstore.Location(previous.artifact_uri, objectstore.Credentials.store(env), "the previous version")
    try:
        content = folder.read_child(contract.SCHEMA)
        if content is None:
            return f"it has no {contract.SCHEMA}"
        document = json.loads(content)
        entries = [*document["features"], *document["target"]]
        return {str(entry["name"]): entry for entry in entries}
    except errors.StepError as exc:
        return errors.first_line(exc, 200)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"its {contract.SCHEMA} is not readable"


def _compared(
    before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]], version: str
) -> Iterator[str]:
    gone, new = [name for name in before if name not in now], [name for name in now if name not in before]
    if gone:
        yield f"data: columns gone since {version}: {errors.listed(gone)}"
    if new:
        yield f"data: columns new since {version}: {errors.listed(new)}"
    for name, entry in now.items():
        if name in before:
            try:
                yield from (f"data: column {name}: {text}" for text in _column(before[name], entry, version))
            except (TypeError, ValueError, AttributeError):
                yield f"data: column {name}: not compared, {version} describes it in another way"


def _column(before: Mapping[str, Any], now: Mapping[str, Any], version: str) -> Iterator[str]:
    if before.get("kind") != now["kind"]:
        yield f"is a {now['kind']}, in {version} it was a {before.get('kind')}"
        return
    shares = float(before.get("missingShare", 0)), float(now["missingShare"])
    if abs(shares[0] - shares[1]) > _GAP or (shares[1] and not shares[0]):
        yield f"{shares[1]:.1%} of the values are missing, in {version} {shares[0]:.1%} were"
    if now["kind"] == "category":
        yield from _categories(before, now, version)
    elif now["kind"] == "number":
        yield from _range(before, now, version)


def _categories(before: Mapping[str, Any], now: Mapping[str, Any], version: str) -> Iterator[str]:
    known, there = before.get("counts"), now.get("counts")
    if known is None:
        return  # too many to be kept, so nobody knows which are new
    if there is None:
        yield f"has {now['distinct']} different texts, in {version} it had {len(known)}"
        return
    unseen = [f"{errors.shown(name)} ({count} rows)" for name, count in there.items() if name not in known]
    if unseen:
        yield f"texts that {version} did not have: {errors.listed(unseen)}"


def _range(before: Mapping[str, Any], now: Mapping[str, Any], version: str) -> Iterator[str]:
    """Far outside: by more than the whole width of the old range, or with more than a twentieth of the rows."""
    if before.get("min") is None or now.get("min") is None:
        return
    low, high = float(before["min"]), float(before["max"])
    far = high - low or abs(high) or 1.0
    upper, lower = float(now["quantiles"][_UPPER]), float(now["quantiles"][_LOWER])
    if now["max"] > high + far or upper > high:
        yield f"values up to {now['max']:g} (95 % are below {upper:g}), in {version} the highest was {high:g}"
    if now["min"] < low - far or lower < low:
        yield f"values down to {now['min']:g} (95 % are above {lower:g}), in {version} the lowest was {low:g}"
