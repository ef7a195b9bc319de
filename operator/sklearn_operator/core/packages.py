"""Whether ``spec.training.requirements`` can be installed, as far as the manifest alone shows.

Invariant: requirements add packages to the image of the tasks and change none of it; what the image has besides
scikit-learn only the task knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import parameters

_PATH = "spec.training.requirements"
#: Versions as PEP 440 has them.
_VERSION = re.compile(
    r"v?(\d+!)?\d+(\.\d+)*([-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?\d*)?"
    r"(-\d+|[-_.]?(post|rev|r)[-_.]?\d*)?([-_.]?dev[-_.]?\d*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?",
    re.IGNORECASE | re.ASCII,
)


def problems(training: api.TrainingSpec, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    """Of each requirement by itself, and of two for one package."""
    seen: dict[str, int] = {}
    for place, text in enumerate(training.requirements):
        path = f"{_PATH}[{place}]"
        name, _, version = text.partition("==")
        package = re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
        if package in seen:
            yield Problem(path, text, f"is for the same package as {_PATH}[{seen[package]}]: keep one of the two")
        seen.setdefault(package, place)
        if not _VERSION.fullmatch(version):
            yield Problem(path, text, f"{api.show(version)} is no version; write one such as 2.3.3")
        elif package == "scikit-learn" and training.image is None and version != catalogue.sklearn:
            words = (
                f"the image of the tasks has scikit-learn {catalogue.sklearn}, and requirements change nothing that "
            )
            advice = "the image has; remove it, and name an image with that version in spec.training.image"
            yield Problem(path, text, words + advice)
