"""A model that was made elsewhere: fetched, proved to be the one that is meant, and taken as it is.

Invariant: nothing of it is unpickled before its sha256 is the one of the manifest, and the bytes that are published are
those.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from sklearn_steps import contract, errors, foreign, objectstore, parts, scoring, train

_FIELD = "model.pretrained"


def fetch(config: contract.RunConfig, folder: Path, env: Mapping[str, str]) -> None:
    """Put its file into ``folder``; a UserError if it is another one."""
    asked = _asked(config)
    location = objectstore.Location(asked.uri, _credentials(asked.uri, config, env), f"{_FIELD}.uri")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / parts.PRETRAINED
    _check(asked, location.fetch(path, shutil.disk_usage(folder).free // 2))


def taken(config: contract.RunConfig, part: parts.Part, folder: Path) -> train.Fitted:
    """The model, without any training."""
    asked, path = _asked(config), folder / parts.PRETRAINED
    with path.open("rb") as file:
        _check(asked, hashlib.file_digest(file, "sha256").hexdigest())
    model = foreign.load(path, _FIELD)
    kind = foreign.kind_of(model, _FIELD)
    y = train.target(config, part, kind)
    scoring.names(config, kind, y, model)
    about = foreign.about_of(model, part.about, _FIELD)
    training = train.described(config, model, kind, about, 0.0, foreign.class_of(model), model.get_params(deep=False))
    training.notes.append(f"not trained here: {asked.uri}, sha256 {asked.sha256}; what it was fitted on is not known")
    return train.Fitted(model, training, path)


def _asked(config: contract.RunConfig) -> contract.Pretrained:
    if config.pretrained is None:
        raise ValueError("the configuration has no pretrained model")
    return config.pretrained


def _credentials(uri: str, config: contract.RunConfig, env: Mapping[str, str]) -> objectstore.Credentials:
    """Those of the store in the store's own bucket, the data's in any other."""
    if _bucket(uri) == _bucket(config.artifact_uri):
        return objectstore.Credentials.store(env)
    return objectstore.Credentials.data(env)


def _bucket(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[0]


def _check(asked: contract.Pretrained, found: str) -> None:
    if found != asked.sha256:
        text = f"{_FIELD}.sha256 {asked.sha256}: {asked.uri} has {found}, so it is another file and was not loaded"
        raise errors.UserError("Sha256Mismatch", f"{text}; name the sha256 of the file that you mean")
