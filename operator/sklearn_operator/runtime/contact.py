"""Whether the pipeline server is there: told once at the start, and whenever that changes.

Invariant: it only asks and tells. Nothing waits for it: what a pass needs it asks for itself, and models that need no
pipeline go on without.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sklearn_operator.backends import errors, ports

_log = logging.getLogger(__name__)
_WHAT = "Kubeflow Pipelines"
_NEXT, _NEXT_IN_TROUBLE = 15.0, 5.0


async def watch(backend: ports.PipelineBackend, has_token: bool, note: Callable[[str, str], bool]) -> None:
    """For ever. ``note``: what is waited for, and why."""
    known: ports.ServerInfo | None = None
    while True:
        try:
            found = await backend.healthy()
        except errors.BackendError as error:
            known = None
            if note(_WHAT, str(error)):
                _log.error("waiting for %s: %s", _WHAT, error)
        else:
            note(_WHAT, "")
            if found != known:
                mode = "multi-user" if found.multi_user else "standalone"
                _log.info("%s answers: version %s, %s", _WHAT, found.tag or "unknown", mode)
            if found.multi_user and not has_token and known is None:
                _log.warning("%s is multi-user, and SKLEARN_OPERATOR_KFP_TOKEN_FILE is not set", _WHAT)
            known = found
        await asyncio.sleep(_NEXT if known is not None else _NEXT_IN_TROUBLE)
