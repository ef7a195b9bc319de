"""`python -m sklearn_sandbox.gateway --state DIR --port N`, with KUBECONFIG in the environment.

Environment: SANDBOX_KNATIVE_IDLE_SECONDS, after which a Knative revision of which none is required goes to zero (30).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from sklearn_sandbox.gateway import activator, app


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="sklearn_sandbox.gateway", description="splits the traffic of HTTPRoutes")
    parser.add_argument(
        "--state", type=Path, required=True, help="the sandbox's folder; the routes' ports are kept there"
    )
    parser.add_argument("--port", type=int, required=True, help="loopback port of /healthz")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if not os.environ.get("KUBECONFIG"):
        parser.error("KUBECONFIG is not set")
    idle = float(os.environ.get("SANDBOX_KNATIVE_IDLE_SECONDS", activator.IDLE_SECONDS))
    asyncio.run(_until_stopped(options.state.resolve(), options.port, idle))


async def _until_stopped(home: Path, port: int, idle: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.run(home, port, os.environ["KUBECONFIG"], idle, stop)


if __name__ == "__main__":
    main()
