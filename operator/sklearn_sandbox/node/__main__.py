"""``python -m sklearn_sandbox.node --state DIR``: run the node agent until SIGTERM. KUBECONFIG names the API server.

Environment: SANDBOX_BACKOFF_BASE, the seconds before a container's second restart (10); SKLEARN_TRAINER_PYTHON, the
python of the trainer image. Limits (CPU, memory) are not enforced: a process gets what the machine has.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from sklearn_sandbox.node import agent


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sklearn_sandbox.node", description="the sandbox's node agent")
    parser.add_argument("--state", type=Path, required=True, help="the sandbox's folder")
    parser.add_argument("--port", type=int, default=0, help="of the kubelet's HTTPS endpoint; any free one by default")
    options = parser.parse_args(arguments)
    if not os.environ.get("KUBECONFIG"):
        parser.error("KUBECONFIG is not set")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    asyncio.run(_until_stopped(options.state.resolve(), options.port))


async def _until_stopped(home: Path, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await agent.run(home, port, os.environ, stop)


if __name__ == "__main__":
    main()
