"""The ``sklearn-operator`` command: wiring only. Invariant: a subcommand's imports are paid for by its own use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import sklearn_operator

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """From one SklearnModel manifest to a served scikit-learn model."""
    if version:
        typer.echo(sklearn_operator.__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.command()
def run() -> None:
    """Run the controller (in cluster, or with a kubeconfig)."""
    from sklearn_operator.cli import lean

    lean.load()
    from sklearn_operator.cli import run as command

    command.run()


@app.command()
def healthz() -> None:
    """Ask the controller of this machine whether it lives: exit code 0 or 1. For containers without Kubernetes."""
    from sklearn_operator.cli import healthz as command

    lives, said = command.ask()
    typer.echo(said)
    if not lives:
        raise typer.Exit(1)


@app.command()
def crds(
    output: Annotated[Path | None, typer.Option(help="Write one file per kind into this folder.")] = None,
) -> None:
    """Print the CustomResourceDefinitions."""
    from sklearn_operator.cli import crds as command

    if output is not None:
        command.write(output)
        return
    typer.echo("---\n".join(command.render().values()), nl=False)


@app.command()
def demo() -> None:
    """Bring the sandbox up, train and serve the digits sample, and show what to type next."""
    from sklearn_sandbox import demo as command

    command.main()


def _sandbox() -> typer.Typer:
    from sklearn_operator.cli import sandbox as command

    return command.app


def main() -> None:
    """Everything that a person types."""
    app.add_typer(_sandbox(), name="sandbox")
    app()
