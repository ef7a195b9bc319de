"""A namespace of a test module's own with an operator that looks after nothing else.

Invariant: models of one town have names of their own, so all tests of a module share one operator.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import waiting
from everything import worlds
from sklearn_sandbox import objects, paths

TREE = "sklearn.tree.DecisionTreeClassifier"


def manifest(
    name: str,
    estimator: str = TREE,
    params: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A SklearnModel on iris, in one task, trained only, unless told otherwise."""
    chosen: dict[str, Any] = {"class": estimator} | ({"params": dict(params)} if params is not None else {})
    return {
        "apiVersion": "sklearn-operator.io/v1alpha1",
        "kind": "SklearnModel",
        "metadata": {"name": name},
        "spec": {
            "data": dict(data) if data is not None else {"source": {"builtin": "iris"}},
            "model": {"estimator": chosen},
            "pipeline": {"layout": "Fused"},
        }
        | spec,
    }


def sample(name: str) -> dict[str, Any]:
    """A manifest of deploy/samples."""
    text = (paths.project_root() / "deploy" / "samples" / f"{name}.yaml").read_text()
    return dict(yaml.safe_load(text))


@contextmanager
def founded(world: worlds.World, folder: Path, level: str = "restricted", **settings: str) -> Iterator[Town]:
    """A town named after ``folder``, with a running operator; ``settings`` are environment variables of it.

    ``level``: of Pod Security, which the API server judges tasks and servers by.
    """
    name = folder.name if folder.name.startswith("town") else f"town-{folder.name}"
    one = Town(world, worlds.Operator({}, folder / "operator.log"), name, folder / "kubeconfig", level)
    one.prepare()
    operator = one.operator
    operator.environment |= one.environment(**settings)
    operator.revive()
    yield one
    try:
        one.clear()
    finally:
        operator.stop()
        print(operator.log.read_text()[-20_000:])


@dataclass
class Town:
    """The world as seen from one namespace."""

    world: worlds.World
    operator: worlds.Operator
    namespace: str
    kubeconfig: Path
    level: str = "restricted"

    def prepare(self) -> None:
        """The namespace, its store, and an operator's account with the chart's Role and nothing else."""
        secret = objects.store_secret(self.world.sandbox, self.namespace)
        items = [objects.namespace(self.namespace, self.level), secret, *self.world.roles.objects(self.namespace)]
        self.world.apply({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubeconfig.write_text(self.world.kubeconfig(self.namespace, self.world.roles.account))

    def environment(self, **changes: str) -> dict[str, str]:
        """Of an operator that looks after this namespace."""
        own = {"SKLEARN_OPERATOR_NAMESPACES": self.namespace, "KUBECONFIG": str(self.kubeconfig)}
        return worlds.operator_environment(self.world, **(own | changes))

    def clear(self) -> None:
        """Away with all models, so that no server of theirs is left to whoever comes next."""
        self.kubectl("delete", "skm", "--all", "--timeout=60s")

    def run(self, *args: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """kubectl in this namespace, whatever it returns."""
        return self.world.cluster.kubectl(*args, "-n", self.namespace, input=text, check=False)

    def kubectl(self, *args: str, text: str | None = None) -> str:
        return self.world.kubectl(*args, "-n", self.namespace, input=text)

    def apply(self, *documents: Mapping[str, Any], flags: tuple[str, ...] = ()) -> str:
        return self.kubectl("apply", *flags, "-f", "-", text=yaml.safe_dump_all(documents))

    def get(self, kind: str, name: str | None = None) -> Any:
        return self.world.get(kind, name, self.namespace)

    def status(self, name: str) -> dict[str, Any]:
        return dict((self.get("skm", name) or {}).get("status") or {})

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """The condition, if it is about the present generation."""
        return self.world.condition(name, kind, self.namespace)

    def wait(self, name: str, kind: str = "Ready", status: str = "True", seconds: float = 300.0) -> dict[str, Any]:
        """The condition, once it has that status for the present generation."""

        def seen() -> dict[str, Any] | None:
            row = self.condition(name, kind)
            return row if row.get("status") == status else None

        return dict(self.expect(f"{kind}={status} of {name}", seen, seconds))

    def settled(self, name: str, version: str, seconds: float = 300.0) -> dict[str, Any]:
        """The status, once ``version`` serves (or, train-only, is the latest), and nothing is left to do."""

        def seen() -> dict[str, Any] | None:
            model = self.get("skm", name) or {}
            status = dict(model.get("status") or {})
            rows = {row["type"]: row for row in status.get("conditions") or []}
            now = model.get("metadata", {}).get("generation")
            done = [(kind, rows.get(kind, {}).get("status")) for kind in ("Ready", "Reconciling")]
            current = [row for row in rows.values() if row["observedGeneration"] == now]
            found = status.get("servingVersion", status.get("latestVersion"))
            settled = done == [("Ready", "True"), ("Reconciling", "False")] and len(current) == len(rows)
            return status if settled and found == version else None

        return dict(self.expect(f"{version} of {name} settled", seen, seconds))

    def expect(self, what: str, condition: Callable[[], Any], seconds: float) -> Any:
        try:
            return waiting.wait_for(what, condition, seconds)
        except AssertionError as error:
            found = self.kubectl("get", "skm,skmv,isvc,pods", "-o", "wide")
            conditions = json.dumps([item.get("status") for item in self.get("skm")], indent=1)
            raise AssertionError(f"{error}\n{found}\n{conditions}") from None

    def runs(self, name: str) -> list[dict[str, Any]]:
        """KFP's runs of one model."""
        prefix = f"{self.namespace}.{name}-v"
        return [run for run in self.world.runs(self.namespace) if run["display_name"].startswith(prefix)]

    def infer(self, name: str, body: Any) -> dict[str, Any]:
        """The answer to a V2 request; outputs by name under ``by_name``."""
        answer = self.world.http(f"{self.status(name)['address']}/v2/models/{name}/infer", "POST", body)
        return dict(answer) | {"by_name": {output["name"]: output["data"] for output in answer["outputs"]}}

    def predict(self, name: str, instances: list[Any]) -> list[Any]:
        """The predictions of a V1 request."""
        address = self.status(name)["address"]
        answer = self.world.http(f"{address}/v1/models/{name}:predict", "POST", {"instances": instances})
        return list(answer["predictions"])
