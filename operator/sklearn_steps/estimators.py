"""From ``{class, params}`` to an estimator, importing and calling nothing but public classes.

Invariant: a class is taken only from a public module below ``sklearn.``, where it is defined in that module's own
package and is an estimator, a kernel or a splitter; or it is an estimator of a package that the operator's settings
allow. Parameters stay values: a string never becomes a function. Every ``random_state`` that the manifest leaves unset
is the run's seed; nothing else of the user's parameters is touched.
"""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from sklearn_steps import contract, errors, recipe

CLOSED = frozenset({"tests", "utils", "externals", "experimental", "datasets", "callback"})
_EXPERIMENTAL = {"HalvingGridSearchCV": "enable_halving_search_cv", "HalvingRandomSearchCV": "enable_halving_search_cv"}
_EXPERIMENTAL["IterativeImputer"] = "enable_iterative_imputer"
_MAX_DEPTH = 12
_FIELD = "model.estimator"


def resolve(path: str, field: str = _FIELD, packages: Sequence[str] = ()) -> type:
    """The class of that public path; ``packages`` are others that it may be of."""
    module_name, _, name = path.rpartition(".")
    parts = path.split(".")
    if module_name and parts[0] in packages:
        return _elsewhere(path, field)
    if parts[0] != "sklearn" or not module_name:
        raise _refused(path, field, "only public classes of scikit-learn can be named, such as sklearn.svm.SVC")
    if any(part.startswith("_") or not part.isidentifier() or part in CLOSED for part in parts):
        raise _refused(path, field, "this part of scikit-learn holds no estimators")
    if name in _EXPERIMENTAL:
        importlib.import_module(f"sklearn.experimental.{_EXPERIMENTAL[name]}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        raise _refused(path, field, f"scikit-learn {_version()} has no module {module_name}") from None
    found = getattr(module, name, None)
    if found is None:
        known = [item for item, value in vars(module).items() if inspect.isclass(value) and usable(value, module_name)]
        raise _refused(path, field, f"{errors.nearest(name, known)}{module_name} has {errors.listed(sorted(known))}")
    if not inspect.isclass(found) or not usable(found, module_name):
        raise _refused(path, field, "it is not an estimator, a kernel or a splitter of that module")
    return found


def _elsewhere(path: str, field: str) -> type:
    """The estimator of another package, which is imported as a whole: who allows it trusts it."""
    from sklearn.base import BaseEstimator

    module_name, _, name = path.rpartition(".")
    package = path.partition(".")[0]
    if any(part.startswith("_") or not part.isidentifier() for part in path.split(".")):
        raise _refused(path, field, "this part of the package is not public")
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError as exc:
        text = f"the image of the task cannot import it ({errors.first_line(exc, 200)})"
        raise _refused(path, field, f"{text}; use a trainer image that has {package}") from exc
    if not inspect.isclass(found) or not issubclass(found, BaseEstimator):
        raise _refused(path, field, f"{module_name} has no estimator of that name")
    if found.__module__.partition(".")[0] != package:
        raise _refused(path, field, f"it is not a class of {package}'s own; name it by {found.__module__}")
    return found


def usable(cls: type, module_name: str) -> bool:
    """Whether a manifest may name this class by this module."""
    from sklearn.base import BaseEstimator

    inside = cls.__module__ == module_name or cls.__module__.startswith(f"{module_name}.")
    if not inside or inspect.isabstract(cls) or cls.__name__.startswith("_"):
        return False
    if cls.__name__.startswith("Base") or cls.__name__ == "Kernel" or cls.__module__ == "sklearn.base":
        return False
    return issubclass(cls, BaseEstimator) or is_kernel(cls) or is_splitter(cls)


def is_kernel(cls: type) -> bool:
    return cls.__module__ == "sklearn.gaussian_process.kernels" and hasattr(cls, "get_params")


def is_splitter(cls: type) -> bool:
    return cls.__module__ == "sklearn.model_selection._split" and hasattr(cls, "split")


def build(spec: recipe.EstimatorSpec, seed: int, field: str = _FIELD, packages: Sequence[str] = ()) -> Any:
    """The unfitted estimator, as the manifest says; ``field`` is where."""
    return _Builder(seed, packages).build(spec.class_, spec.params, field, 0)


def value(value: Any, field: str, seed: int, of: type, name: str, packages: Sequence[str] = ()) -> Any:
    """What a manifest says for parameter ``name`` of class ``of``, with nested estimators built."""
    return _Builder(seed, packages).value(value, field, 1, _wants_tuple(of, name))


class _Builder:
    def __init__(self, seed: int, packages: Sequence[str]) -> None:
        self._seed = seed
        self._packages = packages

    def build(self, path: str, params: dict[str, Any], field: str, depth: int) -> Any:
        cls = resolve(path, f"{field}.class", self._packages)
        signature = inspect.signature(cls)
        anything = any(item.kind is item.VAR_KEYWORD for item in signature.parameters.values())
        known = params if anything else signature.parameters
        unknown = [name for name in params if name not in known or name.startswith("_")]
        if unknown:
            advice = errors.nearest(unknown[0], list(signature.parameters))
            raise errors.UserError(
                "UnknownParameter",
                f"{field}.params.{unknown[0]}: {path} has no such parameter; {advice}"
                f"it takes {errors.listed(signature.parameters, 40)}",
            )
        values = {
            name: self.value(value, f"{field}.params.{name}", depth, _wants_tuple(cls, name))
            for name, value in params.items()
        }
        if "random_state" not in params and _draws(signature, values):
            values["random_state"] = self._seed
        try:
            made = cls(**values)
        except (TypeError, ValueError) as exc:
            raise errors.UserError("InvalidParameter", f"{field}: {path}: {errors.first_line(exc)}") from exc
        if anything and "random_state" not in params and made.get_params(deep=False).get("random_state", 0) is None:
            made.set_params(random_state=self._seed)
        return made

    def value(self, value: Any, field: str, depth: int, as_tuple: bool = False) -> Any:
        if depth > _MAX_DEPTH:
            raise errors.UserError("InvalidParameter", f"{field}: nested deeper than {_MAX_DEPTH}")
        if isinstance(value, dict):
            return self._mapping(value, field, depth)
        if isinstance(value, list):
            items = [self.value(item, f"{field}[{place}]", depth + 1) for place, item in enumerate(value)]
            # (name, estimator) and (name, transformer, columns) are tuples for scikit-learn, lists in JSON
            named = len(items) > 1 and isinstance(items[0], str) and not isinstance(items[1], (str, int, float))
            return tuple(items) if as_tuple or named else items
        return value

    def _mapping(self, value: dict[str, Any], field: str, depth: int) -> Any:
        if "class" not in value:
            return {name: self.value(item, f"{field}.{name}", depth + 1) for name, item in value.items()}
        if not isinstance(value["class"], str) or set(value) - {"class", "params"}:
            raise errors.UserError("InvalidParameter", f"{field}: a nested estimator is {{class: ..., params: ...}}")
        return self.build(value["class"], value.get("params") or {}, field, depth + 1)


def _draws(signature: inspect.Signature, values: dict[str, Any]) -> bool:
    """Whether it takes a seed: not where that is deprecated, and a splitter that does not shuffle refuses one."""
    state = signature.parameters.get("random_state")
    if state is None or state.default is not None:
        return False
    shuffle = signature.parameters.get("shuffle")
    if shuffle is None or "n_splits" not in signature.parameters:
        return True
    return bool(values.get("shuffle", shuffle.default))


def _wants_tuple(cls: type, name: str) -> bool:
    allowed = getattr(cls, "_parameter_constraints", {}).get(name)
    return isinstance(allowed, list) and tuple in allowed and list not in allowed


def type_of(estimator: Any) -> contract.EstimatorType | None:
    """What it says that it is, None for what is no model."""
    from sklearn.utils import get_tags

    kinds: dict[str | None, contract.EstimatorType] = {
        "classifier": "classifier",
        "regressor": "regressor",
        "clusterer": "clusterer",
        "density_estimator": "clusterer",  # mixtures: predict says the component
        "outlier_detector": "outlier_detector",
    }
    return kinds.get(get_tags(estimator).estimator_type)


def kind_of(estimator: Any, field: str = _FIELD) -> contract.EstimatorType:
    """What it is; a UserError for anything that cannot be judged and served. ``field`` is where it comes from."""
    name = type(estimator).__name__
    try:
        kind = type_of(estimator)
    except (AttributeError, TypeError, ValueError) as exc:  # a composed estimator asks its parts
        text = f"{field}.params: {name} is made of estimators, and one of them is missing or is not an estimator"
        raise errors.UserError("InvalidParameter", text) from exc
    if kind is None:
        text = f"{field}.class: {name} is neither a classifier nor a regressor, clusterer or outlier detector"
        raise errors.UserError("NotAModel", f"{text}; choose an estimator that predicts")
    if not _predicts(estimator):
        advice = "set novelty: true" if "novelty" in estimator.get_params() else "choose one that can, such as KMeans"
        text = f"{field}.class: {name} cannot predict rows that it was not fitted on, so it can be neither judged"
        raise errors.UserError("NotAModel", f"{text} nor served; {advice}")
    return kind


def _predicts(estimator: Any) -> bool:
    """Whether it will: a stack without a final estimator gets one when it is fitted, and cannot predict before."""
    from sklearn.dummy import DummyClassifier

    whole = copy.deepcopy(estimator)
    for part in [whole, *whole.get_params(deep=True).values()]:
        if hasattr(part, "final_estimator") and part.final_estimator is None:
            part.final_estimator = DummyClassifier()
    return hasattr(whole, "predict")


def takes_gaps(estimator: Any) -> bool:
    """Whether it says of itself that missing numbers are welcome."""
    from sklearn.utils import get_tags

    return bool(get_tags(estimator).input_tags.allow_nan)


def nested(estimator: Any) -> bool:
    """Whether it is made of other estimators, so that its own tags do not tell what it takes."""
    parameters = estimator.get_params(deep=False).values()
    return composed(estimator) or any(hasattr(value, "get_params") for value in parameters)


def composed(estimator: Any) -> bool:
    """Whether the user put preprocessing of their own around the estimator."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return any(type(part).__name__ in ("Pipeline", "ColumnTransformer", "FeatureUnion") for part in parts)


def _refused(path: str, field: str, why: str) -> errors.UserError:
    where = field if field.endswith(".class") else f"{field}.class"
    return errors.UserError("UnknownClass", f"{where} {errors.shown(path)}: {why}")


def _version() -> str:
    import sklearn

    return str(sklearn.__version__)
