"""Validation errors that carry our own words through pydantic to the user.

Invariant: the text of an advice is the sentence that the user reads, unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import PydanticCustomError

ADVICE = "advice"
BROKEN_RULES = "broken_rules"


def advice(words: str) -> PydanticCustomError:
    """An error about one value."""
    return PydanticCustomError(ADVICE, "{words}", {"words": words})


def broken_rules(broken: Sequence[tuple[str | None, str]]) -> PydanticCustomError:
    """Rules between the fields of one model that do not hold: (field, message)."""
    words = "; ".join(message for _, message in broken)
    return PydanticCustomError(BROKEN_RULES, "{words}", {"words": words, "broken": list(broken)})
