"""``python -m sklearn_sandbox.kfp --state DIR --port N``: the local Kubeflow Pipelines server.

Environment: SKLEARN_TRAINER_PYTHON, the python of the trainer environment; KUBECONFIG, where Secrets come from.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from sklearn_sandbox import paths, state
from sklearn_sandbox.kfp import app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sklearn_sandbox.kfp", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="state folder of the sandbox")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 takes a free one")
    parser.add_argument("--standalone", metavar="NAMESPACE", help="not multi-user: all runs execute in NAMESPACE")
    parser.add_argument("--no-spare", action="store_true", help="keep no waiting process at hand")
    parser.add_argument("--authenticate", action="store_true", help="ask the API server who asks, and whether they may")
    parser.add_argument("--tls-cert", type=Path, help="certificate to serve with")
    parser.add_argument("--tls-key", type=Path, help="its key")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = app.Options(
        state=given.state,
        trainer_python=paths.trainer_python(),
        kubeconfig=os.environ.get("KUBECONFIG"),
        standalone=given.standalone,
        spare=not given.no_spare,
        authenticate=given.authenticate,
        tls=(given.tls_cert, given.tls_key) if given.tls_cert else None,
    )
    asyncio.run(_serve(options, given.port))


async def _serve(options: app.Options, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with app.serving(options, state.LOOPBACK, port) as bound:
        print(f"listening on http{'s' if options.tls else ''}://{state.LOOPBACK}:{bound}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    main()
