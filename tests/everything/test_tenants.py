"""Two tenants and one operator: what the second one tries, and that of the first one's everything is as it was.

Each has a key of its own to the store (docs/howto/credentials.md), and the operator has one for all of it: whatever it
were made to do in the place of the first tenant would succeed. It is told what the schema, the operator, the task or
the store refuses; in the end the first one's objects, files and runs are compared byte by byte.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
import pytest

from everything import keys, rights, towns, worlds
from sklearn_sandbox import helm, objects, services

pytestmark = pytest.mark.sandbox

FIRST, SECOND = "first", "second"
NAME = "coffee"
ROWS = "acid,body,kind\n" + "".join(
    f"{row % 10},{row % 7},{'light' if row % 10 < 5 else 'dark'}\n" for row in range(60)
)
#: Below what is the first one's in the store.
PLACES = (f"{FIRST}/", f"data/{FIRST}/")
TABLE = {"source": {"uri": f"s3://{services.BUCKET}/data/{FIRST}/cups.csv"}, "target": "kind"}
KINDS = ("skm", "skmv", "isvc", "deployments", "secret", "configmaps", "serviceaccounts")


@dataclass
class Host:
    """A web server that remembers who was asked for what, and sends everybody on to ``target`` where there is one."""

    target: str = ""
    asked: list[str] = field(default_factory=list)
    name: str = ""


@contextlib.contextmanager
def listening(host: Host) -> Iterator[Host]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            content = b"" if host.target else ROWS.encode()
            self.send_response(302 if host.target else 200)
            if host.target:
                self.send_header("Location", f"http://{host.target}{self.path}")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.name = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Attack:
    """A model of the second tenant: how it ends, in whose words, and whether a pod was started for it."""

    document: dict[str, Any]
    condition: str
    status: str
    words: str
    started: bool = True


def attacks(loot: dict[str, Any], public: Host, private: Host) -> dict[str, Attack]:
    """``loot``: the artifact of the first one's version, whose name and digest are no secret."""

    def model(name: str, data: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
        return towns.manifest(name, data=data, **spec)

    def of(name: str, chosen: dict[str, Any]) -> dict[str, Any]:
        found = model(name)
        found["spec"]["model"] = chosen
        return found

    def script(name: str, host: Host) -> dict[str, Any]:
        git = {"url": f"http://{host.name}/repository", "revision": "main", "path": "train.py"}
        return of(name, {"script": {"source": {"git": git}}})

    # Else its deletion would wait for a Secret that opens the place.
    kept = {"deletionPolicy": "Retain"}
    below = {"uri": f"s3://{services.BUCKET}/{FIRST}/{NAME}"}
    web = {"source": {"uri": f"http://{private.name}/cups.csv"}, "target": "kind"}
    moved = {"source": {"uri": f"http://{public.name}/cups.csv"}, "target": "kind"}
    stolen = {"uri": f"{loot['uri']}model.joblib", "sha256": loot["sha256"]}
    small = {"source": {"configMap": {"name": "cups", "key": "cups.csv"}}, "target": "kind"}
    return {
        "reads-by-the-stores-key": Attack(model("a", TABLE), "Stalled", "True", "access denied"),
        "reads-by-a-secret-of-the-same-name": Attack(
            model("b", TABLE | {"credentialsSecret": "vault"}), "Stalled", "True", "access denied"
        ),
        "reads-by-a-secret-of-the-firsts": Attack(
            model("c", TABLE | {"credentialsSecret": "safe"}), "Stalled", "True", '"safe" not found'
        ),
        "reads-a-configmap-of-the-firsts": Attack(model("d", small), "Stalled", "True", '"cups" not found'),
        "serves-the-firsts-model": Attack(of("e", {"pretrained": stolen}), "Stalled", "True", "access denied"),
        # Not even why can be left there.
        "writes-to-the-firsts-folder": Attack(
            model("f", artifacts=below, training={"retries": {"limit": 0}}),
            *("Stalled", "True", "ended FAILED and left no message"),
        ),
        "is-read-there-by-its-own-key": Attack(
            model("g", artifacts=below | {"credentialsSecret": services.STORE_SECRET}, **kept),
            *("Reconciling", "True", "access denied"),
            started=False,
        ),
        "is-read-there-by-the-firsts-key": Attack(
            model("h", artifacts=below | {"credentialsSecret": "safe"}, **kept),
            *("Reconciling", "True", f"Secret {SECOND}/safe (artifacts.credentialsSecret) does not exist"),
            started=False,
        ),
        "runs-as-the-operator": Attack(
            model("i", training={"serviceAccountName": f"{rights.RELEASE}-sklearn-operator"}),
            *("Valid", "False", "is not among the service accounts that the operator's settings allow (trainer)"),
            started=False,
        ),
        "asks-a-host-that-is-not-allowed": Attack(
            model("j", web), "Valid", "False", "is not among those that the operator's settings allow", started=False
        ),
        "is-sent-on-to-that-host": Attack(model("k", moved), "Stalled", "True", "is not among those that the"),
        "takes-a-script-from-there": Attack(
            script("l", private), "Valid", "False", "is not among those that the operator's settings allow", False
        ),
        "is-sent-on-for-a-script": Attack(script("m", public), "Stalled", "True", "redirects are not followed"),
    }


ATTACKS = tuple(attacks({"uri": "", "sha256": ""}, Host(), Host()))


@dataclass
class Tenants:
    first: towns.Town
    second: towns.Town
    attacks: dict[str, Attack]
    public: Host
    private: Host
    before: dict[str, Any]

    def plays_out(self, attack: Attack) -> dict[str, Any]:
        """The condition, once it is as bad as it gets."""
        name = attack.document["metadata"]["name"]

        def seen() -> dict[str, Any] | None:
            row = self.second.condition(name, attack.condition)
            wrong = row.get("status") != attack.status or attack.words not in row.get("message", "")
            return None if wrong else row

        return dict(self.second.expect(f"{attack.words} of {name}", seen, 120))

    def picture(self) -> dict[str, Any]:
        """Everything that is the first one's, as others keep it."""
        found: dict[str, Any] = {}
        for kind in KINDS:
            found[kind] = json.loads(self.first.kubectl("get", kind, "-o", "json", "--show-managed-fields"))["items"]
        pods = self.first.get("pods")
        found["pods"] = sorted((pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in pods)
        store = self.first.world.store()
        for place in PLACES:
            entries = [entry for batch in obstore.list(store, place) for entry in batch]
            found[place] = sorted((entry["path"], entry["e_tag"], entry["last_modified"]) for entry in entries)
        found["experiments"] = self.experiments(FIRST)
        return found

    def experiments(self, namespace: str) -> list[tuple[Any, list[Any]]]:
        """Of one tenant, each with its runs."""
        ask = self.first.world.kfp
        rows = ask(f"/apis/v2beta1/experiments?page_size=200&namespace={namespace}").get("experiments", [])
        path = "/apis/v2beta1/runs?page_size=200&experiment_id="
        return [(row, ask(f"{path}{row['experiment_id']}").get("runs", [])) for row in rows]


def prepared(world: worlds.World, folder: Path) -> tuple[towns.Town, towns.Town]:
    """Both towns, with one operator for them that is not started yet."""
    operator = worlds.Operator({}, folder / "operator.log")
    pair = [towns.Town(world, operator, name, folder / "kubeconfig") for name in (FIRST, SECOND)]
    values = {"namespaces": [FIRST, SECOND], "rbac": {"artifactSecrets": {"enabled": True}}}
    rendered = [one.manifest for one in helm.ensure().render(values, release=rights.RELEASE, namespace=FIRST)]
    roles = [one for one in rendered if one["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    items = [objects.namespace(FIRST), objects.namespace(SECOND), *roles]
    items += [secret(world, FIRST, *PLACES), secret(world, SECOND, f"{SECOND}/")]
    world.apply({"apiVersion": "v1", "kind": "List", "items": items})
    (folder / "kubeconfig").write_text(world.kubeconfig(FIRST, world.roles.account))
    return pair[0], pair[1]


def secret(world: worlds.World, namespace: str, *prefixes: str) -> dict[str, Any]:
    """The store's Secret of a tenant, with a key for its own prefixes."""
    found = objects.store_secret(world.sandbox, namespace)
    given = keys.give_out(world.sandbox, namespace, *prefixes)
    found["data"] |= {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
    return found


def copied(town: towns.Town, name: str) -> dict[str, Any]:
    """The same key in a Secret of another name."""
    found = json.loads(town.kubectl("get", "secret", services.STORE_SECRET, "-o", "json"))
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": found["data"]}


@pytest.fixture(scope="module")
def tenants(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("tenants")
    with contextlib.ExitStack() as stack:
        first, second = prepared(world, folder)
        private = stack.enter_context(listening(Host()))
        public = stack.enter_context(listening(Host(private.name)))
        vault, safe = (copied(first, name) for name in ("vault", "safe"))
        rows = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cups"}, "data": {"cups.csv": ROWS}}
        first.apply(rows, vault, safe)
        second.apply(copied(second, "vault"))
        world.put(f"data/{FIRST}/cups.csv", ROWS.encode())
        operator = first.operator
        operator.environment |= first.environment(
            SKLEARN_OPERATOR_NAMESPACES=f"{FIRST},{SECOND}",
            SKLEARN_OPERATOR_DATA_HOSTS=public.name,
            SKLEARN_OPERATOR_GIT_HOSTS=public.name,
            SKLEARN_OPERATOR_SERVICE_ACCOUNTS="trainer",
        )
        stack.callback(lambda: print(operator.log.read_text()[-20_000:]))
        stack.callback(operator.stop)
        operator.start()
        operator.wait_ready(90)
        stack.callback(first.clear)
        stack.callback(second.clear)
        first.apply(towns.manifest(NAME, data=TABLE | {"credentialsSecret": "vault"}, serving={}))
        first.settled(NAME, f"{NAME}-v1")
        version = first.expect("servedAt", lambda: served(first), 240)
        found = Tenants(first, second, attacks(version["artifact"], public, private), public, private, {})
        found.before = found.picture()
        second.apply(towns.manifest(NAME, params={"max_depth": 1}, serving={}))
        second.apply(*(attack.document for attack in found.attacks.values()))
        yield found


def served(town: towns.Town) -> dict[str, Any] | None:
    status = town.get("skmv", f"{NAME}-v1")["status"]
    return dict(status) if status.get("servedAt") else None


def test_a_model_of_the_same_name_is_another_one(tenants: Tenants) -> None:
    first, second = tenants.first, tenants.second
    second.settled(NAME, f"{NAME}-v1")
    assert first.predict(NAME, [[1, 1]]) == ["light"] and second.predict(NAME, [[5.1, 3.5, 1.4, 0.2]]) == [0]
    assert first.status(NAME)["artifactUri"].startswith(f"s3://{services.BUCKET}/{FIRST}/{NAME}/v1-")
    assert second.status(NAME)["artifactUri"].startswith(f"s3://{services.BUCKET}/{SECOND}/{NAME}/v1-")
    ((experiment, runs),), ((other, others),) = tenants.experiments(FIRST), tenants.experiments(SECOND)
    assert experiment["experiment_id"] != other["experiment_id"]
    assert [run["display_name"].partition(".")[0] for run in runs] == [FIRST]
    assert {run["display_name"].partition(".")[0] for run in others} == {SECOND}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_says_why(name: str, tenants: Tenants) -> None:
    attack = tenants.attacks[name]
    tenants.plays_out(attack)
    assert bool(tenants.second.runs(attack.document["metadata"]["name"])) == attack.started


@pytest.mark.parametrize(
    "spec",
    [
        {"data": TABLE | {"credentialsSecret": f"{FIRST}/vault"}},
        {"data": {"source": {"configMap": {"name": f"{FIRST}/cups", "key": "cups.csv"}}, "target": "kind"}},
        {"artifacts": {"credentialsSecret": f"{FIRST}/vault"}},
        {"training": {"serviceAccountName": f"{FIRST}/default"}},
        {"rollout": {"version": f"{FIRST}/{NAME}-v1"}},
    ],
    ids=lambda spec: "".join(spec),
)
def test_no_name_is_one_in_another_namespace(spec: dict[str, Any], tenants: Tenants) -> None:
    document = towns.manifest("n", **spec)
    answer = tenants.second.run("apply", "--dry-run=server", "-f", "-", text=json.dumps(document))
    assert answer.returncode == 1 and f'Invalid value: "{FIRST}/' in answer.stderr, answer


def test_of_the_firsts_everything_is_as_it_was(tenants: Tenants) -> None:
    for attack in tenants.attacks.values():
        tenants.plays_out(attack)
    assert tenants.private.asked == [] and tenants.public.asked
    tenants.second.settled(NAME, f"{NAME}-v1")
    tenants.second.clear()
    assert tenants.second.world.objects(f"{SECOND}/") == []
    assert [runs for _, runs in tenants.experiments(SECOND)] == [[]]
    assert all(tenants.before.values())
    assert tenants.picture() == tenants.before
    assert tenants.first.predict(NAME, [[1, 1]]) == ["light"]
