"""A page for people: the runs, their tasks, logs and HTML artifacts.

Invariant: everything that a run wrote is escaped or sandboxed by the browser; nothing on the page changes anything.
"""

from __future__ import annotations

import html
from pathlib import Path

from aiohttp import web

from sklearn_sandbox.kfp import runs, store

_STYLE = "body{font:14px sans-serif;margin:2em}td,th{padding:.3em 1em;text-align:left;border-bottom:1px solid #ddd}"


class Page:
    def __init__(self, documents: store.Store, all_runs: runs.Runs) -> None:
        self._store = documents
        self._runs = all_runs

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.index), web.get("/files/{run}/{path:.*}", self.file)]

    async def index(self, request: web.Request) -> web.Response:
        newest = sorted(self._store.all(store.RUNS), key=lambda run: run["created_at"], reverse=True)
        rows = "".join(self._row(run) for run in newest[:200])
        head = "<tr><th>run<th>namespace<th>state<th>created<th>log and artifacts"
        text = f"<!doctype html><title>Pipeline runs</title><style>{_STYLE}</style><h1>Pipeline runs</h1>"
        return web.Response(text=f"{text}<table>{head}{rows}</table>", content_type="text/html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        folder = self._folder(request.match_info["run"])
        path = (folder / request.match_info["path"]).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        kind = "text/html" if _is_page(path) else "text/plain"
        headers = {"Content-Security-Policy": "sandbox", "Content-Type": f"{kind}; charset=utf-8"}
        return web.FileResponse(path, headers=headers)

    def _row(self, run: store.Document) -> str:
        folder = self._folder(run["run_id"])
        files = [folder / "run.log", *sorted(path for path in folder.glob("root/*/*/*") if _is_page(path))]
        links = " ".join(_link(run["run_id"], path.relative_to(folder)) for path in files if path.exists())
        cells = (run["display_name"], run["_namespace"], run["state"], run["created_at"])
        # The address that the operator gives for a run ends in this, as it does for the real page of a run.
        anchor = html.escape(f"/runs/details/{run['run_id']}")
        return f'<tr id="{anchor}">' + "".join(f"<td>{html.escape(cell)}" for cell in cells) + f"<td>{links}"

    def _folder(self, run_id: str) -> Path:
        if self._store.get(store.RUNS, run_id) is None:
            raise web.HTTPNotFound
        return self._runs.executor.folder(run_id)


def _is_page(path: Path) -> bool:
    """An artifact of type HTML has no suffix of its own."""
    if path.suffix == ".html":
        return True
    if path.suffix or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _link(run_id: str, path: Path) -> str:
    return f'<a href="/files/{run_id}/{html.escape(str(path))}">{html.escape(path.name)}</a>'
