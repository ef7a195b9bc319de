"""Whose turn it is: smooth weighted round robin, as nginx does it.

Everybody is credited with his weight at each turn, the one with most credit goes and pays the whole sum. So the shares
are exact after every round of as many turns as the weights add up to, and in between never far off.

Invariant: pure. Who has no weight never has a turn; a change of the weights starts a new round.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


class Turns:
    def __init__(self) -> None:
        self._weights: dict[str, int] = {}
        self._credit: dict[str, int] = {}

    def next(self, weights: Mapping[str, int], without: Collection[str] = ()) -> str | None:
        """None when nobody is left. `without`: who can't go now; his turn goes to the others, his weight stays."""
        if weights != self._weights:
            self._weights, self._credit = dict(weights), dict.fromkeys(weights, 0)
        able = {name: weight for name, weight in weights.items() if weight > 0 and name not in without}
        if not able:
            return None
        for name, weight in able.items():
            self._credit[name] += weight
        chosen = max(able, key=lambda name: self._credit[name])
        self._credit[chosen] -= sum(able.values())
        return chosen
