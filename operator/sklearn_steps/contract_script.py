"""The part of a run's configuration about models that are not declared: a script of the user's, or a file.

Invariant: read strictly, as all of the configuration is; pydantic is the only library imported.
"""

from __future__ import annotations

from typing import Annotated

import pydantic

from sklearn_steps import documents
from sklearn_steps.documents import Strict as _Strict

Scalar = str | bool | int | float


class ConfigMapScript(_Strict):
    """A ConfigMap's key; all its keys are files of the folder that SKLEARN_SCRIPT_FOLDER names."""

    name: str
    key: str


class GitFile(_Strict):
    """One file of a repository at a commit, tag or branch; ``path`` is inside the repository."""

    url: str
    revision: str
    path: str


class ScriptSource(_Strict):
    """Exactly one of the three."""

    config_map: ConfigMapScript | None = None
    inline: Annotated[str, pydantic.Field(min_length=1)] | None = None
    git: GitFile | None = None

    @pydantic.model_validator(mode="after")
    def _one(self) -> ScriptSource:
        if sum(part is not None for part in (self.config_map, self.inline, self.git)) != 1:
            raise ValueError("exactly one of configMap, inline and git is needed")
        return self


class Script(_Strict):
    """``args`` become flags, ``--name value``."""

    source: ScriptSource
    args: dict[str, Scalar] = pydantic.Field(default_factory=dict)


class Pretrained(_Strict):
    """A joblib file, and what its bytes have to be."""

    uri: str
    sha256: documents.Sha256
