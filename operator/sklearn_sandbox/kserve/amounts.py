"""Quantities as Go writes them: ``1000m`` comes back as ``1``, ``0.5Gi`` as ``512Mi``.

Invariant: the amount stays the same (k8s.io/apimachinery/pkg/api/resource, ``Quantity.CanonicalizeBytes``).
"""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile("([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([KMGTPE]i)|([numkMGTPE]))?")
_DECIMAL = {"E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def canonical(quantity: str | int | float) -> str:
    """The only spelling that survives a Go program."""
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None:
        return str(quantity)
    number, exponent, binary, decimal = match.groups()
    if exponent:
        return _with_exponent(Decimal(number + exponent))
    if binary:
        amount = Decimal(number) * 1024 ** (6 - _BINARY.index(binary))
        if amount == amount.to_integral_value() and abs(amount) >= 1024:
            return _binary(int(amount))
        return _decimal(amount)
    return _decimal(Decimal(number).scaleb(_DECIMAL[decimal or ""]))


def _binary(amount: int) -> str:
    for power, suffix in zip(range(6, 0, -1), _BINARY, strict=True):
        if amount % 1024**power == 0:
            return f"{amount // 1024**power}{suffix}"
    return str(amount)


def _decimal(amount: Decimal) -> str:
    if not amount:
        return "0"
    for suffix, power in _DECIMAL.items():
        scaled = amount.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{int(amount.scaleb(9).to_integral_value(rounding='ROUND_CEILING'))}n"


def _with_exponent(amount: Decimal) -> str:
    for power in range(18, -10, -3):
        scaled = amount.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}e{power}" if power else str(int(scaled))
    return str(amount)
