"""The command line of ``kubectl sklearn``: wiring, and the words that a person reads.

Invariant: exit status 0 means done, 1 means that it was not, and why is on stderr. 2 is a plan that has changes, and
nothing else: not a wrong command line either.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_operator.cli.plugin import choices, rows
from sklearn_operator.cli.plugin.kubectl import Failed, Kubectl

app = typer.Typer(
    name="kubectl sklearn", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="The daily verbs of SklearnModels.",
)  # fmt: skip

Name = Annotated[str, typer.Argument(help="The SklearnModel.")]
Version = Annotated[str | None, typer.Argument(help="Its version, such as digits-v3.")]
#: Seconds between two looks of ``wait``: kubectl tells no program of a change.
_LOOK_AGAIN = 1.0
_RETRAIN, _APPROVE = "sklearn-operator.io/retrain", "sklearn-operator.io/approve"


@app.callback()
def root(
    context: typer.Context,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace [default: kubectl's].")] = None,
    kube_context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Path of a kubeconfig.")] = None,
) -> None:
    given = {"--namespace": namespace, "--context": kube_context, "--kubeconfig": kubeconfig}
    flags = [f"{flag}={value}" for flag, value in given.items() if value is not None]
    context.obj = Kubectl(tuple(flags))


class _Done(SystemExit):
    """A verb has come to its end, with that status."""


def _saying_why(verb: Callable[..., int | None]) -> Callable[..., None]:
    @functools.wraps(verb)
    def said(*arguments: Any, **options: Any) -> None:
        try:
            status = verb(*arguments, **options)
        except Failed as failure:
            print(f"error: {failure}", file=sys.stderr)
            raise _Done(1) from None
        raise _Done(status or 0)

    return said


def _content(file: str) -> str:
    """The text of the file, or of standard input."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file} cannot be read: {error}") from error


@app.command()
@_saying_why
def versions(context: typer.Context, name: Name) -> int:
    """The versions with metric, trigger and which of them serves."""
    label = f"sklearn-operator.io/model={name}"
    kind = "sklearnmodelversions.sklearn-operator.io"
    return int(context.obj.pass_through("get", kind, "-l", label, "--sort-by=.spec.number"))


@app.command()
@_saying_why
def retrain(context: typer.Context, name: Name) -> None:
    """Train once more, without a change."""
    value = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    print(context.obj.text("annotate", "skm", name, f"{_RETRAIN}={value}", "--overwrite"), end="")


@app.command()
@_saying_why
def approve(context: typer.Context, name: Name, version: Version = None) -> None:
    """Let the version that waits, or the named one, serve."""
    chosen = version or choices.to_approve(context.obj.model(name))
    context.obj.text("annotate", "skm", name, f"{_APPROVE}={chosen}", "--overwrite")
    print(f"{chosen} approved")


@app.command()
@_saying_why
def rollback(context: typer.Context, name: Name, version: Version = None) -> None:
    """Serve the version before, or the named one, without training. It stays until spec.rollout.version is removed."""
    chosen = version or choices.to_go_back_to(context.obj.model(name), context.obj.versions(name))
    patch = json.dumps({"spec": {"rollout": {"version": chosen}}})
    context.obj.text("patch", "skm", name, "--type=merge", "-p", patch)
    print(
        f"{name} is pinned to {chosen} (spec.rollout.version); where a repository holds the manifest, set it there too"
    )


@app.command()
@_saying_why
def logs(context: typer.Context, name: Name, version: Version = None) -> int:
    """The logs of the tasks that trained the newest version, or the named one."""
    chosen, run = choices.run_id(context.obj.versions(name), version)
    label = f"pipeline/runid={run['id']}"
    if not context.obj.json("get", "pods", "-l", label)["items"]:
        where = f"; its run is at {run['url']}" if run.get("url") else ""
        raise Failed(f"there are no task pods of {chosen}: not yet, not any more, or none at all{where}")
    return int(context.obj.pass_through("logs", "-l", label, "--all-containers", "--prefix", "--tail=-1"))


@app.command()
@_saying_why
def card(
    context: typer.Context,
    name: Name,
    version: Version = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file [default: VERSION.html].")] = None,
    secret: Annotated[str | None, typer.Option(help="The Secret that opens the store [default: its own].")] = None,
) -> None:
    """Fetch the model card of the serving version, else of the newest good one, or of the named one."""
    from sklearn_operator.cli.plugin import artifacts

    chosen, content = artifacts.card(context.obj, name, version, secret)
    path = output or Path(f"{chosen}.html")
    path.write_bytes(content)
    print(path)


@app.command()
@_saying_why
def predict(
    context: typer.Context,
    name: Name,
    file: Annotated[str, typer.Option("--file", "-f", help="Rows as CSV or JSON; - for standard input.")] = "-",
    whole: Annotated[bool, typer.Option("--json", help="Print the whole answer.")] = False,
) -> None:
    """Ask the served model about rows; one line per row."""
    from sklearn_operator.cli.plugin import asking

    protocol, body = rows.request(_content(file))
    answer = asking.ask(context.obj, name, protocol, body)
    print(json.dumps(answer) if whole else "\n".join(rows.shown(protocol, answer)))


@app.command()
@_saying_why
def wait(
    context: typer.Context,
    name: Name,
    timeout: Annotated[float, typer.Option(help="Seconds at most.")] = 600.0,
) -> int:
    """Wait until what the manifest asks for is done; ends at once, with 1, when it needs a person."""
    deadline, said = time.monotonic() + timeout, ""
    while time.monotonic() < deadline:
        model = context.obj.model(name)
        phase = str((model.get("status") or {}).get("phase") or "Pending")
        if phase != said:
            print(phase, flush=True)
            said = phase
        if (found := choices.verdict(model)) is not None:
            print(found[1], file=sys.stdout if found[0] else sys.stderr)
            return 0 if found[0] else 1
        time.sleep(_LOOK_AGAIN)
    raise Failed(f"{name} is not done after {timeout:.0f} s: {said}")


@app.command()
@_saying_why
def plan(
    context: typer.Context,
    file: Annotated[str, typer.Option("--file", "-f", help="Manifests; - for standard input.")],
    offline: Annotated[bool, typer.Option("--offline", help="Judge the manifest alone, without a cluster.")] = False,
) -> int:
    """What an apply would do: what runs and why, and what changes. Exit status 0: nothing, 2: changes, 1: an error."""
    from sklearn_operator.cli.plugin import planning

    status, lines = planning.report(_content(file), None if offline else context.obj)
    print("\n".join(lines))
    return status


def main() -> None:
    """Entry point of the console script."""
    try:
        app(prog_name="kubectl sklearn")
    except _Done:
        raise
    except SystemExit as refused:  # for a wrong command line the library ends with 2
        raise SystemExit(1 if refused.code else 0) from None
