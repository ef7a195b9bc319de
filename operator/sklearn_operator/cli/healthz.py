"""``sklearn-operator healthz``: asks the controller of this machine whether it lives.

For whoever runs the image without Kubernetes, whose probes ask by themselves; there is no shell and no curl in it.

Invariant: reads the two settings that say where, and nothing else, so it is cheap and no other setting makes it fail.
"""

from __future__ import annotations

import http.client
import os

#: What a process that listens everywhere is reached at.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_SECONDS = 5.0


def ask() -> tuple[bool, str]:
    """Whether it lives, and what it said, or why it said nothing."""
    host = os.environ.get("SKLEARN_OPERATOR_HEALTH_HOST", "")
    port = os.environ.get("SKLEARN_OPERATOR_HEALTH_PORT") or "8080"
    try:
        connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host), int(port), timeout=_SECONDS)
        try:
            connection.request("GET", "/livez")
            answer = connection.getresponse()
            return answer.status == 200, answer.read().decode(errors="replace").strip()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"no answer from port {port}: {error}"
