"""The server put together.

Invariant: it listens only once every execution of an earlier life was taken up again.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sklearn_sandbox.kfp import authorization, children, cluster, executor, faults, page, places, problems, runs, store

PREFIX = "/apis/v2beta1"
_MAX_BODY = 64 << 20


@dataclass(frozen=True)
class Options:
    """``standalone``: the namespace in which all runs execute; None is the multi-user mode.

    ``authenticate``: whether users have to show a token, and to be allowed what they ask for; the sandbox's own server
    takes everybody for one who may everything. ``tls``: certificate and key of the server.
    """

    state: Path
    trainer_python: Path
    kubeconfig: str | None = None
    standalone: str | None = None
    spare: bool = True
    authenticate: bool = False
    tls: tuple[Path, Path] | None = None


@asynccontextmanager
async def serving(options: Options, host: str, port: int) -> AsyncIterator[int]:
    """Runs the server for the length of the block and tells its port."""
    folder = options.state / "kfp"
    documents = store.Store(folder / "state.db")
    multi_user = options.standalone is None
    where = places.Places(documents, multi_user=multi_user)
    every_run = runs.Runs(documents, where, multi_user=multi_user, namespace=options.standalone or "")
    async with cluster.connect(options.kubeconfig) as kubernetes:
        processes = children.Children(options.trainer_python, folder)
        engine = executor.Executor(documents, folder, processes, kubernetes, every_run.report, spare=options.spare)
        every_run.attach(engine)
        engine.resume()
        application = _application(documents, where, every_run, engine, multi_user)
        if options.authenticate:
            application.middlewares.append(authorization.Authorization(documents, kubernetes).middleware())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, ssl_context=_tls(options))
            await site.start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()
            await engine.close()
            documents.close()


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*options.tls)
    return context


def _application(
    documents: store.Store, where: places.Places, every_run: runs.Runs, engine: executor.Executor, multi_user: bool
) -> web.Application:
    trouble = faults.Faults()
    application = web.Application(middlewares=[_refusals, trouble.middleware()], client_max_size=_MAX_BODY)

    async def health(request: web.Request) -> web.Response:
        answer = {"commit_sha": "sandbox", "tag_name": "2.17.0", "multi_user": multi_user, "pipeline_store": "database"}
        return web.json_response(answer)

    async def executions(request: web.Request) -> web.Response:
        found = engine.of(request.query.get("run_id", ""))
        shown = [{name: one.get(name) for name in ("number", "pid", "state")} for one in found]
        return web.json_response({"count": len(found), "executions": shown})

    application.add_routes(
        [
            web.get(f"{PREFIX}/healthz", health),
            web.get("/sandbox/executions", executions),
            *trouble.routes(),
            *where.routes(PREFIX),
            *every_run.routes(PREFIX),
            *page.Page(documents, every_run).routes(),
        ]
    )
    return application


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except problems.Problem as problem:
        return web.json_response(problem.body(), status=problem.status)
    except web.HTTPNotFound:
        # An unknown path under /apis is grpc-gateway's to answer: the same code 5, and no details.
        return web.json_response({"code": problems.NOT_FOUND, "message": "Not Found"}, status=404)
