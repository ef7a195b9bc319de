"""Which of the packages of ``training.requirements`` a model cannot be loaded without.

Invariant: a server has what the image has and nothing else. A model that needs more is refused before it is fitted,
where it is to be served, and where it is not, says so in its papers.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from sklearn_steps import contract, errors, requirements

_NAMED = (type, types.FunctionType, types.BuiltinFunctionType)


def check(config: contract.RunConfig, model: Any, added: Mapping[str, str]) -> list[str]:
    """``name==version`` of what the model is made of and was ``added`` here; a UserError where it is to be served."""
    needed = _of(model, added) if added else []
    if needed and config.served:
        text = f"training.requirements: the model cannot be loaded without {errors.listed(needed)}, and servers have"
        advice = "remove spec.serving, or ask for a trainer image that has it (SKLEARN_OPERATOR_TRAINER_IMAGE)"
        raise errors.UserError("NotServable", f"{text} only what the image has; {advice}")
    return needed


def note(needed: Sequence[str]) -> list[str]:
    """For the result."""
    return (
        [f"model.joblib needs {errors.listed(needed)}, which the image lacks: see requirements.txt"] if needed else []
    )


def _of(model: Any, added: Mapping[str, str]) -> list[str]:
    by_module = metadata.packages_distributions()
    used = {requirements.canonical(name) for module in modules(model) for name in by_module.get(module, ())}
    return sorted(f"{name}=={version}" for name, version in added.items() if name in used)


def modules(model: Any) -> set[str]:
    """The packages whose classes and functions a pickle of the model names."""
    sink = _Names(_Nowhere(), protocol=5, buffer_callback=lambda _: None)  # arrays are not even copied
    sink.dump(model)
    return sink.seen


class _Nowhere(io.RawIOBase):
    def write(self, content: Any) -> int:
        return len(content)


class _Names(pickle.Pickler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        module = obj.__module__ if isinstance(obj, _NAMED) else type(obj).__module__
        self.seen.add(str(module).partition(".")[0])
        return NotImplemented
