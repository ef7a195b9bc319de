"""``sklearn-operator run``: the controller. Invariant: a wrong setting ends with one clear line and exit code 2."""

from __future__ import annotations

import asyncio
import logging
import signal

import pydantic
import typer

from sklearn_operator.runtime import app as application
from sklearn_operator.runtime import settings as runtime_settings


def run() -> None:
    """Run the controller, in a cluster or with a kubeconfig. Settings are SKLEARN_OPERATOR_* environment variables."""
    try:
        settings = runtime_settings.OperatorSettings()
    except pydantic.ValidationError as error:
        typer.echo(f"sklearn-operator: wrong settings:\n{runtime_settings.describe(error)}", err=True)
        raise typer.Exit(2) from None
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("kopf").setLevel("WARNING")
    logging.getLogger("httpx").setLevel("WARNING")
    asyncio.run(_until_stopped(settings))


async def _until_stopped(settings: runtime_settings.OperatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await application.run(settings, stop)
