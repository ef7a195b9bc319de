"""``python -m manual``: write the generated pages, build the site, record the session. Wiring only."""

from __future__ import annotations

import argparse
import subprocess
import sys

from manual import reference


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m manual", description="The documentation.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("reference", help="write docs/reference/ anew")
    verbs.add_parser("site", help="build the site into site/, strictly")
    verb = parser.parse_args().verb
    if verb == "reference":
        reference.write()
        return 0
    return site()


def site(*arguments: str) -> int:
    command = [sys.executable, "-m", "properdocs", "build", "--strict", "--quiet", *arguments]
    return subprocess.run(command, cwd=reference.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
