"""``sklearn-operator sandbox ...``: the embedded environment, for people and scripts.

Invariant: the exit status tells a script what the table tells a person: 0 means that everything asked for works.
The sandbox is imported inside the commands: the controller shares this program and should not carry it.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from sklearn_sandbox import state

app = typer.Typer(no_args_is_help=True, help="A real Kubernetes and everything around it on this machine, no Docker.")

STYLES = {"running": "green", "starting": "yellow", "dead": "red", "stopped": "dim"}

Home = Annotated[Path | None, typer.Option("--state", help="The sandbox's folder [default: SKLEARN_SANDBOX_HOME]")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="This component alone, with what it needs; give it again for more."),
]
Without = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="All but this component; give it again for more.")
]
Restart = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Start this one anew, though it runs; give it again for more.")
]


@app.command()
def up(home: Home = None, only: Only = None, without: Without = None, restart: Restart = None) -> None:
    """Start what is missing, build what has to be built, and wait until all of it is ready. Safe to repeat."""
    from rich import console

    from sklearn_sandbox import lifecycle, progress

    with _saying_errors(), progress.reporting(console.Console(stderr=True)) as reporter:
        sandbox = lifecycle.up(_home(home), only or None, without or (), restart or (), reporter)
    _print_environment(sandbox)


@app.command()
def build(
    only: Only = None, tools: Annotated[bool, typer.Option("--tools", help="And what only the tests need.")] = False
) -> None:
    """Find or build what `up` would run, and start nothing: for a machine that is prepared before it is used."""
    from rich import console

    from sklearn_sandbox import assets, lifecycle, progress

    with _saying_errors(), progress.reporting(console.Console(stderr=True)) as reporter:
        binaries = {part.binary for part in lifecycle.select(only or None).values() if part.binary}
        binaries |= {program.name for program in assets.TOOLS} if tools else set()
        found = assets.ensure(binaries, reporter)
        if "kube-apiserver" in binaries:
            found["kubectl"] = assets.kubectl(reporter)
    for path in found.values():
        print(path)


@app.command()
def down(
    home: Home = None, purge: Annotated[bool, typer.Option("--purge", help="Drop its data and its keys too.")] = False
) -> None:
    """Stop every process. The data stays, unless --purge."""
    from rich import console

    from sklearn_sandbox import lifecycle, progress

    with _saying_errors(), progress.reporting(console.Console(stderr=True)) as reporter:
        lifecycle.down(_home(home), purge, reporter)


@app.command()
def status(home: Home = None) -> None:
    """Each component's state; for a dead one the end of its log. Exit status 0 when all that was asked for runs."""
    from rich import console, table

    from sklearn_sandbox import lifecycle

    found = lifecycle.status(_home(home))
    shown = table.Table(box=None, pad_edge=False)
    for heading in ("COMPONENT", "STATE", "PID", "PORT", "UPTIME"):
        shown.add_column(heading)
    for part in found:
        uptime = "" if part.uptime is None else str(dt.timedelta(seconds=int(part.uptime)))
        word = f"[{STYLES[part.state]}]{part.state}[/]"
        shown.add_row(part.name, word, str(part.pid or ""), str(part.port or ""), uptime)
    out = console.Console()
    out.print(shown)
    for part in found:
        if part.state in ("dead", "starting"):
            out.print(f"\n{part.name} is {part.state}; the end of {part.log}:", style="bold", soft_wrap=True)
            out.print(part.log_tail or "(empty)", markup=False, highlight=False, soft_wrap=True)
    wanted = [part for part in found if part.wanted]
    if any(part.state == "dead" for part in wanted):
        out.print("\nTo start again what is dead: sklearn-operator sandbox up", style="bold")
    raise typer.Exit(0 if wanted and all(part.state == "running" for part in wanted) else 1)


@app.command()
def env(home: Home = None) -> None:
    """Print what a shell needs to work with the sandbox: eval "$(sklearn-operator sandbox env)"."""
    from sklearn_sandbox import state

    sandbox = state.Sandbox(_home(home))
    if not sandbox.kubeconfig.exists():
        _give_up(f"there is no sandbox in {sandbox.home}; start it: sklearn-operator sandbox up")
    _print_environment(sandbox)


@app.command()
def kubeconfig(home: Home = None) -> None:
    """Print the path of the sandbox's kubeconfig: export KUBECONFIG=$(sklearn-operator sandbox kubeconfig)."""
    from sklearn_sandbox import state

    path = state.Sandbox(_home(home)).kubeconfig
    if not path.exists():
        _give_up(f"there is no sandbox in {path.parent}; start it: sklearn-operator sandbox up")
    print(path)


@app.command()
def values(home: Home = None) -> None:
    """Print the chart's values for this sandbox, for an operator in a pod: up --without operator, then helm install."""
    import yaml

    from sklearn_sandbox import services, state

    sandbox = state.load(_home(home))
    if not sandbox.kubeconfig.exists():
        _give_up(f"there is no sandbox in {sandbox.home}; start it: sklearn-operator sandbox up")
    print(yaml.safe_dump(services.chart_values(sandbox), sort_keys=False), end="")


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A component as `status` names it.")],
    home: Home = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--tail", min=0, help="How many lines from the end.")] = 200,
) -> None:
    """Print the log of one component."""
    from sklearn_sandbox import components, state

    if name not in components.catalogue():
        _give_up(f"no component {name}; there are {', '.join(components.catalogue())}")
    path = state.Sandbox(_home(home)).log(name)
    if not path.exists():
        _give_up(f"{name} has no log yet: {path}")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def _print_environment(sandbox: state.Sandbox) -> None:
    from sklearn_sandbox import paths

    print(f"export KUBECONFIG={sandbox.kubeconfig}")
    print(f'export PATH="{sandbox.home / "bin"}:{paths.operator_bin()}:$PATH"')


def _home(chosen: Path | None) -> Path:
    from sklearn_sandbox import paths

    return chosen.expanduser().resolve() if chosen is not None else paths.state_folder()


@contextmanager
def _saying_errors() -> Iterator[None]:
    from sklearn_sandbox import errors

    try:
        yield
    except errors.SandboxError as error:
        _give_up(str(error))
    except KeyboardInterrupt:
        _give_up("interrupted; repeat the command to go on from here, or: sklearn-operator sandbox down")


def _give_up(text: str) -> NoReturn:
    print(f"error: {text}", file=sys.stderr)
    raise typer.Exit(1)
