"""Conditions as Knative's library keeps them, which KServe uses: Ready follows PredictorReady and IngressReady.

Invariant: a condition that is at the end of a look what it was before keeps its time; any other has the time `now`.
"""

from __future__ import annotations

from sklearn_sandbox.kserve.names import Json

READY, PREDICTOR, INGRESS = "Ready", "PredictorReady", "IngressReady"
STOPPED, CANARY = "Stopped", "CanaryPredictorReady"
_DEPENDENTS = (PREDICTOR, INGRESS)


class Conditions:
    """A list of conditions under change. `now` is an RFC 3339 time in whole seconds."""

    def __init__(self, existing: list[Json], now: str) -> None:
        self._found = {item["type"]: dict(item) for item in existing}
        self._before = dict(self._found)
        self._now = now

    def list(self) -> list[Json]:
        return [self._found[name] for name in sorted(self._found)]

    def get(self, name: str) -> Json | None:
        return self._found.get(name)

    def status(self, name: str) -> str | None:
        return (self._found.get(name) or {}).get("status")

    def start(self) -> None:
        """Ready and what it depends on exist from the first look on."""
        for name in (READY, *_DEPENDENTS):
            if name not in self._found:
                self._put(name, "Unknown")

    def clear(self, name: str) -> None:
        self._found.pop(name, None)

    def set(self, name: str, status: str, reason: str = "", message: str = "") -> None:
        self._put(name, status, reason, message)
        if status == "False" and name in _DEPENDENTS:
            self._put(READY, "False", reason, message)
        elif status == "True":
            self._recompute()
        elif status == "Unknown" and name in _DEPENDENTS:
            broken = any(self.status(other) == "False" for other in _DEPENDENTS)
            if not broken:
                self._put(READY, "Unknown", reason, message)
            elif self.status(READY) != "False":
                self._put(READY, "False", reason, message)

    def _recompute(self) -> None:
        unhappy = self._unhappy()
        if unhappy is None:
            self._put(READY, "True")
        else:
            self._put(READY, unhappy["status"], unhappy.get("reason", ""), unhappy.get("message", ""))

    def _unhappy(self) -> Json | None:
        known = [self._found[name] for name in _DEPENDENTS if name in self._found]
        known.sort(key=lambda item: str(item["lastTransitionTime"]), reverse=True)
        for status in ("False", "Unknown"):
            for item in known:
                if item["status"] == status:
                    return item
        return None if len(known) == len(_DEPENDENTS) else {"status": "Unknown"}

    def _put(self, name: str, status: str, reason: str = "", message: str = "") -> None:
        severity = "" if name in (READY, *_DEPENDENTS) else "Info"
        said = {"type": name, "status": status, "severity": severity, "reason": reason, "message": message}
        fresh = {key: value for key, value in said.items() if value}
        for known in (self._found.get(name), self._before.get(name)):
            if known is not None and {key: known[key] for key in known if key != "lastTransitionTime"} == fresh:
                self._found[name] = known
                return
        self._found[name] = {**fresh, "lastTransitionTime": self._now}
