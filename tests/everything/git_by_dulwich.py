"""Run by the trainer's Python: a git server until stdin ends; its one line of output has its host and its commits."""

from __future__ import annotations

import json
import sys
import threading
import wsgiref.simple_server
from pathlib import Path
from typing import Any

from dulwich import porcelain, server, web
from dulwich.repo import Repo

AUTHOR = b"A <a@example.org>"


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    """Says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def commit(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    porcelain.add(str(folder), [str(folder / name) for name in files])
    return bytes(porcelain.commit(str(folder), message=b"x", author=AUTHOR, committer=AUTHOR)).decode()


def main() -> None:
    """Files of two commits arrive as JSON on the first line of stdin."""
    folder = Path(sys.argv[1], "repo")
    porcelain.init(str(folder)).close()
    commits = [commit(folder, files) for files in json.loads(sys.stdin.readline())]
    with Repo(str(folder)) as repo:
        application = web.make_wsgi_chain(server.DictBackend({"/repo": repo}))
        with wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=Quiet) as listening:
            threading.Thread(target=listening.serve_forever, daemon=True).start()
            print(json.dumps({"host": f"127.0.0.1:{listening.server_port}", "commits": commits}), flush=True)
            sys.stdin.read()
            listening.shutdown()


main()
