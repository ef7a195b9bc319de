"""docs/reference/cli.md, from the command lines themselves.

Invariant: every command that ``--help`` knows is on the page, with every option.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from sklearn_operator.cli import main, sandbox
from sklearn_operator.cli.plugin import verbs

_INTRODUCTION = """# Command line

Two programs come with the operator: `sklearn-operator`, and the plugin that makes `kubectl sklearn` work when it is on
PATH. Exit status 0 means done, 1 that it was not (why is on stderr), 2 a wrong call; `kubectl sklearn plan` says with 2
that there are changes.
"""


def page() -> str:
    """The whole page."""
    operator = typer.Typer(no_args_is_help=True, add_completion=False)
    operator.registered_commands = list(main.app.registered_commands)
    operator.registered_callback = main.app.registered_callback
    operator.add_typer(sandbox.app, name="sandbox")
    parts = [_INTRODUCTION]
    parts += _commands(typer.main.get_command(verbs.app), "kubectl sklearn")
    parts += _commands(typer.main.get_command(operator), "sklearn-operator")
    return "\n".join([*parts, ""]).replace("\n\n\n", "\n\n")


def _commands(command: Any, name: str) -> Iterator[str]:
    level = "##" if name in ("kubectl sklearn", "sklearn-operator") else "###"
    yield f"{level} {name}\n"
    context = command.context_class(command, info_name=name)
    if command.help:
        yield " ".join(command.help.split()) + "\n"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{name} {pieces}\n```\n"
    yield from _options(command, context)
    for child, found in sorted(getattr(command, "commands", {}).items()):
        if not found.hidden:
            yield from _commands(found, f"{name} {child}")


def _options(command: Any, context: Any) -> Iterator[str]:
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    records = [(names, about) for names, about in records if not names.startswith("--help")]
    if records:
        yield "| option or argument | |"
        yield "|---|---|"
        for names, about in records:
            yield f"| `{names}` | {' '.join(about.split()).replace('|', chr(92) + '|')} |"
        yield ""
