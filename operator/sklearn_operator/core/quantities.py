"""Kubernetes quantities: compared, and as numbers for older servers. Invariant: the text is what travels on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import wording

Amounts = Mapping[str, str | int]

_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}


#: Exponents of more than two digits are no amounts of anything, and would be long numbers.
_QUANTITY = re.compile("([0-9]+(?:[.][0-9]*)?)(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i))?")


def parse(text: str | int | float) -> Decimal:
    """``500m`` -> 0.5, ``1Gi`` -> 1073741824. Raises ValueError for anything else."""
    raw = str(text)
    match = _QUANTITY.fullmatch(raw) if raw.isascii() else None
    if match is None:
        raise ValueError(f"{wording.brief(raw)!r} is not a Kubernetes quantity such as 500m, 2 or 1Gi")
    number, exponent, suffix = match.groups()
    return Decimal(f"{number}e{exponent or 0}") * _FACTORS[suffix or ""]


def problems(path: str, requests: Amounts, limits: Amounts) -> Iterator[Problem]:
    """What is wrong with the resources of a container."""
    sound: set[tuple[str, str]] = set()
    for kind, amounts in (("requests", requests), ("limits", limits)):
        for name, value in amounts.items():
            where = api.join(f"{path}.{kind}", name)
            try:
                amount = parse(value)
            except ValueError as error:
                yield Problem(where, api.show(value), str(error))
                continue
            sound.add((kind, name))
            if is_device(name) and amount != int(amount):
                yield Problem(where, api.show(value), "a device is not divided: ask for a whole number")
    for name, value in requests.items():
        where = api.join(f"{path}.requests", name)
        if {("requests", name), ("limits", name)} <= sound and parse(value) > parse(limits[name]):
            text = f"is more than the limit ({limits[name]}): lower it or raise {api.join(f'{path}.limits', name)}"
            yield Problem(where, api.show(value), text)
        elif is_device(name) and limits.get(name) != value:
            text = f"Kubernetes asks for the same number in {api.join(f'{path}.limits', name)}"
            yield Problem(where, api.show(value), text)


def is_device(name: str) -> bool:
    """Extended resources, such as nvidia.com/gpu."""
    return "/" in name
