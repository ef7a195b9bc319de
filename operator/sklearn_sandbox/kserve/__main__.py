"""`python -m sklearn_sandbox.kserve --state DIR --port N`, with KUBECONFIG in the environment.

What an administrator of KServe would configure is in the environment too, see `settings`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from sklearn_sandbox.kserve import app, settings


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="sklearn_sandbox.kserve", description="a stand-in for KServe's controller")
    parser.add_argument("--state", type=Path, required=True, help="the sandbox's folder; certificates are kept there")
    parser.add_argument("--port", type=int, required=True, help="loopback port for webhooks, /healthz and faults (TLS)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        parser.error("KUBECONFIG is not set")
    try:
        chosen = settings.load(os.environ)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(app.run(options.state, options.port, kubeconfig, chosen))


if __name__ == "__main__":
    main()
