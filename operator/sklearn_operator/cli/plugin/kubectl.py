"""kubectl, as the user has it: the same context, namespace and rights.

Invariant: what kubectl says on stderr is what the user reads; nothing is retried and nothing is hidden.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any


class Failed(Exception):
    """kubectl, or what it was asked about, said no; the message is for the user."""


@dataclass(frozen=True)
class Kubectl:
    """``flags``: which cluster and namespace; they come before every command's own arguments."""

    flags: tuple[str, ...] = ()

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """What the command prints; raises Failed with its complaint."""
        command = ["kubectl", *self.flags, *arguments]
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise Failed("kubectl is not on PATH") from error
        if done.returncode != 0:
            raise Failed(done.stderr.strip() or f"{' '.join(command)} failed")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.text(*arguments, "-o", "json"))

    def existing(self, kind: str, name: str, *flags: str) -> dict[str, Any] | None:
        """The object, or None where there is none."""
        text = self.text("get", kind, name, "--ignore-not-found", "-o", "json", *flags)
        return dict(json.loads(text)) if text.strip() else None

    def within(self, namespace: str) -> Kubectl:
        """The same cluster in another namespace; of two flags kubectl takes the last."""
        return Kubectl((*self.flags, f"--namespace={namespace}"))

    def pass_through(self, *arguments: str) -> int:
        """Runs with the terminal as it is; its exit status."""
        return subprocess.run(["kubectl", *self.flags, *arguments], check=False).returncode

    def model(self, name: str) -> dict[str, Any]:
        return dict(self.json("get", "sklearnmodels.sklearn-operator.io", name))

    def versions(self, name: str) -> list[dict[str, Any]]:
        """By number."""
        kind, label = "sklearnmodelversions.sklearn-operator.io", f"sklearn-operator.io/model={name}"
        found = self.json("get", kind, "-l", label)["items"]
        return sorted(found, key=lambda item: int(item["spec"]["number"]))
