"""The two kinds of documents that the contract is made of: camelCase in JSON, frozen in Python.

Invariant: pydantic is the only library imported, as in ``contract``.
"""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic.alias_generators import to_camel

#: Of a message, in characters.
MESSAGE_LIMIT = 1024

FiniteFloat = Annotated[float, pydantic.Field(allow_inf_nan=False)]
ShortText = Annotated[str, pydantic.Field(max_length=MESSAGE_LIMIT)]
Sha256 = Annotated[str, pydantic.Field(pattern="^[0-9a-f]{64}$")]


class Document(pydantic.BaseModel):
    """Read leniently: a newer release may say more."""

    model_config = pydantic.ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, defer_build=True
    )


class Strict(Document):
    """An unknown field is an error."""

    model_config = pydantic.ConfigDict(extra="forbid")
