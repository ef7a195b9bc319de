"""``python -m manual``: write the generated pages, build the site, record the session, try a page. Wiring only."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from manual import consoles, recording, reference


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m manual", description="The documentation.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("reference", help="write docs/reference/ anew")
    verbs.add_parser("site", help="build the site into site/, strictly")
    verbs.add_parser("recording", help="type the session into the running sandbox, and draw it")
    tried = verbs.add_parser("try", help="run the commands of a page here, in a folder of their own")
    tried.add_argument("page", type=Path)
    chosen = parser.parse_args()
    match chosen.verb:
        case "reference":
            reference.write()
            return 0
        case "recording":
            recording.record(recording.environment())
            return 0
        case "try":
            return run(chosen.page)
    return site()


def run(page: Path) -> int:
    """The cluster is kubectl's own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "deploy").symlink_to(reference.ROOT / "deploy")
        wrong = consoles.run(page.read_text(), Path(folder), os.environ)
    print(wrong or f"{page}: all is as shown")
    return 1 if wrong else 0


def site(*arguments: str) -> int:
    command = [sys.executable, "-m", "properdocs", "build", "--strict", *arguments]
    return subprocess.run(command, cwd=reference.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
