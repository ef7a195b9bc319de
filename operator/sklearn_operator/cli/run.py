"""``sklearn-operator run``: the controller.

Invariant: a wrong setting ends with one clear line and exit code 2, a part that failed for good with one and exit
code 1, so that whoever supervises the process starts it again. What may come by itself (CRDs, rights, a server) is
waited for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import prometheus_client
import pydantic

from sklearn_operator.backends import errors
from sklearn_operator.runtime import app as application
from sklearn_operator.runtime import lease, logs, preflight, watches
from sklearn_operator.runtime import settings as runtime_settings

_log = logging.getLogger("sklearn_operator")


def run() -> None:
    """Run the controller, in a cluster or with a kubeconfig. Settings are SKLEARN_OPERATOR_* environment variables.

    Ends with 0 when asked to, with 2 when a setting is wrong, and with 1 when it has to be started again.
    """
    try:
        settings = runtime_settings.OperatorSettings()
    except pydantic.ValidationError as error:
        print(f"sklearn-operator: wrong settings:\n{runtime_settings.describe(error)}", file=sys.stderr)
        sys.exit(2)
    wrong = [*preflight.problems(settings), *preflight.of_tracing(os.environ)]
    if wrong:
        print("sklearn-operator: wrong settings:\n" + "\n".join(wrong), file=sys.stderr)
        sys.exit(2)
    logs.configure(settings.log_level, settings.log_format)
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    for line in preflight.strangers(os.environ):
        _log.warning("%s", line)
    try:
        asyncio.run(_until_stopped(settings))
    except errors.Rejected as refusal:
        _log.critical("cannot start: %s", refusal)
        sys.exit(2)


async def _until_stopped(settings: runtime_settings.OperatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def claim_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

    claim_signals()
    try:
        await application.run(settings, stop, claim_signals)
    except (watches.Blind, lease.Lost) as failure:
        _log.critical("%s: ending, to be started again", failure)
        logging.shutdown()
        # What failed may refuse to be cancelled, and the end of the loop would wait for it without end.
        os._exit(1)
