"""``python -m sklearn_runtime``: prove the model, then serve it until SIGTERM.

The socket listens before anything slow begins: a readiness probe that comes meanwhile waits for its answer, instead of
being refused and coming back a second later. Nothing is answered before the model is proved.

Invariant: the last line on stderr of a failed start says what is wrong, because Kubernetes keeps just that line (the
termination message), and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn_runtime import errors

if TYPE_CHECKING:
    from sklearn_runtime import artifact

log = logging.getLogger("sklearn_runtime")


@dataclass(frozen=True)
class Settings:
    """Everything that the manifest may say to this process."""

    name: str
    directory: Path
    host: str
    http_port: int
    grpc_port: int
    enable_grpc: bool
    version: str | None
    sha256: str | None
    drain_seconds: float
    max_body_bytes: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal; the exit code."""
    start = time.perf_counter()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    settings = _settings(argv)
    try:
        with _listen(settings.host, settings.http_port) as listener:
            _serve(settings, listener, start)
    except errors.ArtifactError as exc:
        what = settings.version or settings.name
        print(f"sklearn_runtime cannot serve {what}: {' '.join(str(exc).split())}", file=sys.stderr, flush=True)
        return 1
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, or a clear refusal."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as exc:
        listener.close()
        raise errors.ArtifactError(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    return listener


def _serve(settings: Settings, listener: socket.socket, start: float) -> None:
    with _kept():
        from sklearn_steps import sklearn_import

        sklearn_import.load(table=False)
        import uvloop

        from sklearn_runtime import artifact, inference, metrics, server, web

        # said by scikit-learn for every request where plain arrays were proved to do (artifact._proved)
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        served = artifact.load(settings.directory, settings.name, settings.version, settings.sha256)
        counted = metrics.Metrics(served, metrics.new_registry())
        answers = inference.Inference(served, counted)
        application = web.Application(answers, counted, settings.max_body_bytes)
    process = server.Server(application, settings.drain_seconds, lambda: _started(served, listener, start))
    if settings.enable_grpc:
        from sklearn_runtime import kserve_grpc

        uvloop.run(server.serve_both(process, listener, kserve_grpc.build(answers, counted, settings.grpc_port)))
    else:
        uvloop.run(process.serve([listener]))


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """What is made in here stays as long as the process. Not to look through it for garbage saves a tenth of the start,
    and some request after it a pause of several times its own length."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _started(served: artifact.Served, listener: socket.socket, start: float) -> None:
    host, port = listener.getsockname()[:2]
    what = f"{served.name} version {served.version} ({served.estimator})"
    log.info(
        "%s gives its golden outputs; serving on %s:%d after %.2f s", what, host, port, time.perf_counter() - start
    )


def _settings(argv: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m sklearn_runtime", description="Serve one published model.")
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_dir", type=Path, required=True)
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=8081)
    parser.add_argument("--enable_grpc", type=_boolean, default=False, help="true | false (default)")
    given, rest = parser.parse_known_args(argv)
    if rest:
        log.warning("unknown arguments are ignored: %s", " ".join(rest))
    env = os.environ
    return Settings(
        name=given.model_name,
        directory=given.model_dir,
        host=env.get("SKLEARN_POD_HOST") or "0.0.0.0",
        http_port=given.http_port,
        grpc_port=given.grpc_port,
        enable_grpc=given.enable_grpc,
        version=env.get("SKLEARN_MODEL_VERSION") or None,
        sha256=env.get("SKLEARN_MODEL_SHA256") or None,
        drain_seconds=float(env.get("SKLEARN_DRAIN_SECONDS") or 5),
        max_body_bytes=int(env.get("SKLEARN_MAX_BODY_BYTES") or 32 * 1024 * 1024),
    )


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return values[text.lower()]


if __name__ == "__main__":
    sys.exit(main())
