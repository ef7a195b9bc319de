"""Kubernetes quantities as numbers. Invariant: the text is what travels on; the number is only for older servers."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}


def parse(text: str | int | float) -> Decimal:
    """``500m`` -> 0.5, ``1Gi`` -> 1073741824. Raises ValueError for anything else."""
    raw = str(text).strip()
    number = raw.rstrip("numkMGTPiK")
    factor = _SUFFIXES.get(raw[len(number) :])
    try:
        if factor is None:
            raise InvalidOperation
        return Decimal(number) * factor
    except InvalidOperation:
        raise ValueError(f"{raw!r} is not a Kubernetes quantity such as 500m, 2 or 1Gi") from None
