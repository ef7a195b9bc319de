"""Where the process begins. Invariant: ``run`` alone comes without the machinery of a command line.

A controller is started by a machine, always with the same word, and the next leader waits for it; whoever types
anything else gets help, completion and advice.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console script, and ``python -m sklearn_operator``."""
    if sys.argv[1:] == ["run"]:
        from sklearn_operator.cli import lean

        lean.load()
        from sklearn_operator.cli import run

        run.run()
        return
    from sklearn_operator.cli import main as commands

    commands.main()
