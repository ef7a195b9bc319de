"""What an administrator of KServe chooses in its configuration, here as variables of the environment.

Invariant: read once, at the start; a value that is neither on nor off is an error and not a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GATEWAY_API, KNATIVE = "SANDBOX_KSERVE_GATEWAY_API", "SANDBOX_KSERVE_KNATIVE"


@dataclass(frozen=True)
class Settings:
    #: `ingress.enableGatewayApi`: an HTTPRoute for each InferenceService, and with it a real split of the traffic.
    gateway_api: bool = True
    #: Whether the cluster has Knative Serving; without, InferenceServices of that mode are rejected.
    knative: bool = True


def load(environ: Mapping[str, str]) -> Settings:
    return Settings(gateway_api=_switch(environ, GATEWAY_API), knative=_switch(environ, KNATIVE))


def _switch(environ: Mapping[str, str], name: str) -> bool:
    said = environ.get(name, "on").lower()
    if said not in ("on", "off"):
        raise ValueError(f"{name} must be on or off, not {said!r}")
    return said == "on"
