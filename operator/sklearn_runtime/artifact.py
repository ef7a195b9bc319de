"""From a model directory to a model that has proved itself.

Invariant: nothing of ``model.joblib`` is unpickled before its sha256 is the one that was recorded, and the very bytes
that were checked are the ones that are loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import logging
import platform
import sys
import warnings
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import orjson

from sklearn_runtime import errors, golden, predictor, schema

FORMAT_VERSION = 1
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Served:
    """A model that may answer requests."""

    name: str
    version: str
    estimator: str
    sha256: str
    columns: schema.Schema
    model: predictor.Predictor
    outputs: Sequence[predictor.Output]


def load(directory: Path, name: str, version: str | None, sha256: str | None) -> Served:
    """Check, load and prove; ``ArtifactError`` names what differs."""
    if not directory.is_dir():
        raise errors.ArtifactError(f"{directory} is not a directory: the model was not downloaded")
    metadata = _document(directory / "metadata.json")
    if metadata.get("formatVersion") != FORMAT_VERSION:
        raise errors.ArtifactError(
            f"metadata.json has formatVersion {metadata.get('formatVersion')!r}, this runtime reads {FORMAT_VERSION}"
        )
    _check_packages(metadata.get("needs") or ())
    recorded = golden.parse(_document(directory / "golden.json"))
    estimator = _verified(directory / "model.joblib", metadata, sha256)
    model = predictor.Predictor(estimator, recorded.outputs)
    columns, outputs = _proved(schema.read(metadata, recorded.samples(), estimator), recorded, estimator, model)
    return Served(
        name=name,
        version=version or str(metadata.get("version", "")),
        estimator=str(metadata.get("estimator", type(estimator).__name__)),
        sha256=str(metadata["sha256"]),
        columns=columns,
        model=model,
        outputs=outputs,
    )


def _proved(
    columns: schema.Schema, recorded: golden.Golden, estimator: Any, model: predictor.Predictor
) -> tuple[schema.Schema, Sequence[predictor.Output]]:
    """The golden outputs, by plain arrays where those give the same: a table costs three times a small prediction."""
    arrays = dataclasses.replace(columns, frame=False)
    if columns.frame and arrays.matrix_dtype is not None and schema.by_position(estimator):
        try:
            return arrays, golden.replay(recorded, arrays, model)
        except errors.ArtifactError as exc:
            log.info("rows are given as a table, because with plain arrays %s", exc)
    return columns, golden.replay(recorded, columns, model)


def _document(path: Path) -> Mapping[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError as exc:
        raise errors.ArtifactError(f"{path.name} is missing in {path.parent}") from exc
    except (OSError, orjson.JSONDecodeError) as exc:
        raise errors.ArtifactError(f"{path.name} cannot be read: {exc}") from exc
    if not isinstance(content, dict):
        raise errors.ArtifactError(f"{path.name} is not a JSON object")
    return content


def _check_packages(needed: Sequence[str]) -> None:
    """Packages that the model was fitted with and that its image lacked."""
    missing = [text for text in needed if not _has(str(text).partition("==")[0])]
    if missing:
        raise errors.ArtifactError(
            f"the model cannot be loaded without {', '.join(map(str, missing))} of training.requirements, which this "
            "image lacks: remove spec.serving, or serve with an image that has it"
        )


def _has(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _verified(path: Path, metadata: Mapping[str, Any], expected: str | None) -> Any:
    try:
        with path.open("rb") as file:
            _check_bytes(file, metadata, expected)
            file.seek(0)
            return _unpickled(file, metadata.get("versions") or {})
    except FileNotFoundError as exc:
        raise errors.ArtifactError(f"{path.name} is missing in {path.parent}") from exc
    except OSError as exc:
        raise errors.ArtifactError(f"{path.name} cannot be read: {exc}") from exc


def _check_bytes(file: BufferedReader, metadata: Mapping[str, Any], expected: str | None) -> None:
    actual = hashlib.file_digest(file, "sha256").hexdigest()
    size, recorded = file.tell(), metadata.get("size")
    if recorded is not None and size != recorded:
        raise errors.ArtifactError(f"model.joblib has {size} bytes, metadata.json says {recorded}")
    if actual != metadata.get("sha256"):
        raise errors.ArtifactError(f"sha256 of model.joblib is {actual}, metadata.json says {metadata.get('sha256')}")
    if expected and actual != expected:
        raise errors.ArtifactError(f"sha256 of model.joblib is {actual}, SKLEARN_MODEL_SHA256 asks for {expected}")


def _unpickled(file: BufferedReader, recorded: Mapping[str, Any]) -> Any:
    import joblib

    differences = _differences(recorded)
    if differences:
        log.warning("versions differ from training: %s", differences)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Trying to unpickle estimator")  # said above, once
            return joblib.load(file)
    except Exception as exc:  # unpickling runs foreign code, which may raise anything
        reason = f"model.joblib cannot be loaded: {type(exc).__name__}: {errors.shown(str(exc))}"
        raise errors.ArtifactError(f"{reason} ({differences or 'same versions as at training'})") from exc


def _differences(recorded: Mapping[str, Any]) -> str:
    """Which of the libraries that a pickle depends on are not those of training, in minor version or more."""
    here = {"python": platform.python_version()}
    for library in ("sklearn", "numpy"):
        here[library] = str(getattr(sys.modules.get(library), "__version__", ""))
    return "; ".join(
        f"{library} {recorded[library]} at training, {version} here"
        for library, version in here.items()
        if version and recorded.get(library) and _minor(version) != _minor(str(recorded[library]))
    )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
