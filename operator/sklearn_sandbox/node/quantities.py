"""Kubernetes quantities, as far as `resourceFieldRef` needs them. Invariant: exact, no floats."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_SUFFIXES = {
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate(["", "k", "M", "G", "T", "P", "E"])},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate(["K", "M", "G", "T", "P", "E"], start=1)},
}


def parse(text: str) -> Decimal:
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if suffix and text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * _SUFFIXES[suffix]
    return Decimal(text)  # plain, or with an exponent as in 1e3


def divided(text: str, divisor: str) -> str:
    """As the kubelet gives it to a container: whole units of the divisor, rounded up."""
    unit = parse(divisor or "1") or Decimal(1)
    return str((parse(text) / unit).to_integral_value(ROUND_CEILING))
