"""The node agent under a real control plane: what a pod, a rollout and a crash look like from outside."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from sklearn_sandbox import embedded, images, lifecycle, processes
from sklearn_sandbox.node import process, proxy, variables
from waiting import wait_for

pytestmark = pytest.mark.sandbox

T = TypeVar("T")

IMAGE = next(iter(name for name in images.catalogue() if "/operator:" in name))
PARTS = ("kube-scheduler", "kube-controller-manager", "node")
#: Answers with VERSION; after SIGTERM it answers for a while longer, asking kept connections to go.
SERVER = """
import http.server, os, signal, threading
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    draining = False
    def do_GET(self):
        body = os.environ["VERSION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if Answer.draining:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
server = Server((os.environ["SKLEARN_POD_HOST"], 8080), Answer)
def end(*args):
    Answer.draining = True
    threading.Timer(1.0, server.shutdown).start()
signal.signal(signal.SIGTERM, end)
print("serving", os.environ["VERSION"], flush=True)
server.serve_forever()
server.server_close()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_BACKOFF_BASE", "1")
        with embedded.cluster(tmp_path_factory.mktemp("node"), only=PARTS) as running:
            until(lambda: running.kubectl("get", "serviceaccount", "default", check=False).returncode == 0)
            yield running


def until(question: Callable[[], T | None]) -> T:
    return wait_for("what was asked for", question)


def apply(cluster: embedded.Cluster, *documents: dict[str, Any]) -> None:
    everything = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(everything))


def pod(name: str, *command: str, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    one = {"name": "main", "image": IMAGE, "command": list(command), **(container or {})}
    body = {"terminationGracePeriodSeconds": 5, "containers": [one], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


def status(cluster: embedded.Cluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-o", "json").stdout)["status"]
    return found


def first(cluster: embedded.Cluster, name: str) -> dict[str, Any]:
    """The state of a pod's first container, {} while there is none."""
    found: dict[str, Any] = next(iter(status(cluster, name).get("containerStatuses", [])), {})
    return found


def waiting(cluster: embedded.Cluster, name: str, *reasons: str) -> dict[str, Any] | None:
    found: dict[str, Any] = first(cluster, name).get("state", {}).get("waiting", {})
    return found if found.get("reason") in reasons else None


def events(cluster: embedded.Cluster, name: str) -> list[tuple[str, str]]:
    selector = f"--field-selector=involvedObject.name={name}"
    found = json.loads(cluster.kubectl("get", "events", selector, "-o", "json").stdout)["items"]
    return [(one["reason"], one["message"]) for one in found]


def local(cluster: embedded.Cluster, uid: str | None = None) -> list[int]:
    """The processes of pods (of one pod), as the machine knows them."""
    found = process.orphans(cluster.state)
    return sorted(one.pid for one in found if uid is None or one.environ()[variables.POD_MARKER] == uid)


def uid(cluster: embedded.Cluster, name: str) -> str:
    return cluster.kubectl("get", "pod", name, "-o", "jsonpath={.metadata.uid}").stdout


def web(name: str, version: str, replicas: int = 1) -> list[dict[str, Any]]:
    server = {
        "name": "web",
        "image": IMAGE,
        "command": ["python", "-c", SERVER],
        "env": [{"name": "VERSION", "value": version}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [server], "terminationGracePeriodSeconds": 10}}
    deployment = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
    ]


def address(cluster: embedded.Cluster, service: str) -> str:
    path = "{.metadata.annotations." + proxy.ANNOTATION.replace(".", r"\.") + "}"
    return until(lambda: cluster.kubectl("get", "service", service, "-o", f"jsonpath={path}").stdout)


def ask(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def rolled_out(cluster: embedded.Cluster, name: str) -> None:
    cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")


class Caller:
    """Asks again and again, on new connections or on one that is kept for as long as the server agrees."""

    def __init__(self, where: str, keep: bool) -> None:
        self._where, self._keep = where, keep
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: list[str] = []
        self.errors: list[str] = []

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._where, timeout=10)
        while not self._stop.wait(0.005):
            try:
                self.answers.append(ask(connection))
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            if not self._keep:
                connection.close()
        connection.close()


def test_a_deployment_becomes_available_and_answers_at_its_services_address(cluster: embedded.Cluster) -> None:
    apply(cluster, *web("hello", "one"))
    rolled_out(cluster, "hello")
    where = address(cluster, "hello")
    assert where.startswith("127.0.0.1:")
    connection = http.client.HTTPConnection(where, timeout=10)
    assert until(lambda: ask(connection)) == "one"
    connection.close()
    ips = cluster.kubectl("get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].status.podIP}").stdout
    assert ips.startswith("10.88.")


def test_a_rolling_update_loses_no_request(cluster: embedded.Cluster) -> None:
    apply(cluster, *web("rolling", "one", replicas=2))
    rolled_out(cluster, "rolling")
    where = address(cluster, "rolling")
    until(lambda: len(json.loads(_slices(cluster, "rolling"))["items"][0].get("endpoints") or []) == 2)
    with Caller(where, keep=False) as fresh, Caller(where, keep=True) as kept:
        until(lambda: fresh.answers and kept.answers)
        apply(cluster, *web("rolling", "two", replicas=2))
        rolled_out(cluster, "rolling")
        until(lambda: len(cluster.kubectl("get", "pods", "-l", "app=rolling", "-o", "name").stdout.split()) == 2)
        until(lambda: fresh.answers[-1] == kept.answers[-1] == "two")
    assert fresh.errors == []
    assert kept.errors == []
    assert {*fresh.answers, *kept.answers} == {"one", "two"}


def _slices(cluster: embedded.Cluster, service: str) -> str:
    return cluster.kubectl("get", "endpointslices", "-l", f"kubernetes.io/service-name={service}", "-o", "json").stdout


def test_a_crash_backs_off_and_keeps_the_last_words(cluster: embedded.Cluster) -> None:
    words = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    apply(cluster, pod("crash", "sh", "-c", "echo the model is broken; exit 3", container=words))
    found = until(lambda: waiting(cluster, "crash", "CrashLoopBackOff"))
    assert "restarting failed container=main" in found["message"]
    container = first(cluster, "crash")
    assert container["lastState"]["terminated"]["exitCode"] == 3
    assert container["lastState"]["terminated"]["reason"] == "Error"
    assert container["lastState"]["terminated"]["message"] == "the model is broken\n"
    assert container["restartCount"] >= 1  # the first restart comes at once
    assert status(cluster, "crash")["phase"] == "Running"
    assert cluster.kubectl("logs", "crash", "--previous").stdout == "the model is broken\n"
    until(lambda: first(cluster, "crash")["restartCount"] >= 2)
    assert "BackOff" in dict(events(cluster, "crash"))


def test_a_termination_message_is_read_from_its_file(cluster: embedded.Cluster) -> None:
    apply(cluster, pod("words", "sh", "-c", "echo -n all done > /dev/termination-log", restartPolicy="Never"))
    until(lambda: status(cluster, "words")["phase"] == "Succeeded")
    ended = first(cluster, "words")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (0, "Completed", "all done")


def test_a_failed_init_container_ends_a_pod_that_never_restarts(cluster: embedded.Cluster) -> None:
    steps = [{"name": "prepare", "image": IMAGE, "command": ["sh", "-c", "exit 4"]}]
    apply(cluster, pod("unprepared", "sleep", "100", initContainers=steps, restartPolicy="Never"))
    until(lambda: status(cluster, "unprepared")["phase"] == "Failed")
    found = status(cluster, "unprepared")
    assert found["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert found["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_a_missing_secret_is_named_and_its_arrival_is_enough(cluster: embedded.Cluster) -> None:
    reference = {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "later", "key": "word"}}}
    apply(cluster, pod("needy", "sh", "-c", "echo $WORD; sleep 100", container={"env": [reference]}))
    found = until(lambda: waiting(cluster, "needy", "CreateContainerConfigError"))
    assert found["message"] == 'secret "later" not found'
    assert ("Failed", 'Error: secret "later" not found') in until(lambda: events(cluster, "needy"))
    assert status(cluster, "needy")["phase"] == "Pending"
    cluster.kubectl("create", "secret", "generic", "later", "--from-literal=other=1")
    message = "couldn't find key word in Secret default/later"
    until(lambda: (waiting(cluster, "needy", "CreateContainerConfigError") or {}).get("message") == message)
    cluster.kubectl("patch", "secret", "later", "--patch", '{"stringData": {"word": "arrived"}}')
    until(lambda: cluster.kubectl("logs", "needy", check=False).stdout == "arrived\n")


def test_an_unknown_image_waits_and_says_which_there_are(cluster: embedded.Cluster) -> None:
    apply(cluster, pod("foreign", "sleep", "100", container={"image": "nginx:1.27"}))
    found = until(lambda: waiting(cluster, "foreign", "ErrImagePull", "ImagePullBackOff"))
    assert "nginx:1.27" in found["message"]
    assert IMAGE in found["message"]
    assert status(cluster, "foreign")["phase"] == "Pending"
    assert "Failed" in dict(until(lambda: events(cluster, "foreign")))
    cluster.kubectl("set", "image", "pod/foreign", f"main={IMAGE}")
    until(lambda: "running" in first(cluster, "foreign")["state"])


def test_what_does_not_exist_cannot_start(cluster: embedded.Cluster) -> None:
    apply(cluster, pod("typo", "no-such-program", restartPolicy="Never"))
    until(lambda: status(cluster, "typo")["phase"] == "Failed")
    ended = first(cluster, "typo")["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert 'exec: "no-such-program": executable file not found in $PATH' in ended["message"]


def test_deletion_runs_the_hook_stops_every_process_and_removes_the_folder(cluster: embedded.Cluster) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /mnt/shared/out"]}}}
    mounts = [{"name": "shared", "mountPath": "/mnt/shared"}]
    script = "trap 'cat /mnt/shared/out; exit 0' TERM; echo up; sleep 1000 & wait"
    extra = {"lifecycle": hook, "volumeMounts": mounts}
    apply(cluster, pod("doomed", "bash", "-c", script, container=extra, volumes=[{"name": "shared", "emptyDir": {}}]))
    until(lambda: cluster.kubectl("logs", "doomed", check=False).stdout == "up\n")
    identity = uid(cluster, "doomed")
    assert len(local(cluster, identity)) == 2
    follower = _follow(cluster, "doomed")
    assert follower.stdout is not None
    assert follower.stdout.readline() == "up\n"
    cluster.kubectl("delete", "pod", "doomed", "--timeout=30s")
    assert local(cluster, identity) == []
    assert follower.communicate(timeout=30)[0] == "hook\n"
    until(lambda: not (cluster.state / "pods" / identity).exists())


def _follow(cluster: embedded.Cluster, name: str) -> subprocess.Popen[str]:
    kubectl = [str(cluster.state / "bin" / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
    return subprocess.Popen([*kubectl, "logs", "-f", name], stdout=subprocess.PIPE, text=True)


def test_a_process_that_ignores_sigterm_is_killed_when_its_grace_is_over(cluster: embedded.Cluster) -> None:
    script = "trap '' TERM; echo up; while true; do sleep 1; done"
    apply(cluster, pod("stubborn", "bash", "-c", script, terminationGracePeriodSeconds=1))
    until(lambda: cluster.kubectl("logs", "stubborn", check=False).stdout == "up\n")
    identity = uid(cluster, "stubborn")
    cluster.kubectl("delete", "pod", "stubborn", "--timeout=30s")
    assert local(cluster, identity) == []


def test_a_forced_deletion_leaves_no_process(cluster: embedded.Cluster) -> None:
    apply(cluster, pod("forced", "bash", "-c", "trap '' TERM; echo up; while true; do sleep 1; done"))
    until(lambda: cluster.kubectl("logs", "forced", check=False).stdout == "up\n")
    identity = uid(cluster, "forced")
    cluster.kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
    until(lambda: local(cluster, identity) == [])


def test_a_lost_liveness_probe_restarts_the_container(cluster: embedded.Cluster) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/mnt/x/sick"]}, "periodSeconds": 1, "failureThreshold": 2}
    extra = {"livenessProbe": probe, "volumeMounts": [{"name": "x", "mountPath": "/mnt/x"}]}
    script = "[ -e /mnt/x/again ] || { touch /mnt/x/again /mnt/x/sick; sleep 100; }; rm /mnt/x/sick; sleep 100"
    apply(cluster, pod("sick", "sh", "-c", script, container=extra, volumes=[{"name": "x", "emptyDir": {}}]))
    until(lambda: first(cluster, "sick").get("restartCount") == 1 and first(cluster, "sick")["ready"])
    assert first(cluster, "sick")["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGTERM
    assert "Container main failed liveness probe, will be restarted" in dict(events(cluster, "sick"))["Killing"]


def test_a_startup_probe_holds_readiness_back(cluster: embedded.Cluster) -> None:
    mounts = {"volumeMounts": [{"name": "x", "mountPath": "/mnt/x"}]}
    probe = {"exec": {"command": ["test", "-e", "/mnt/x/go"]}, "periodSeconds": 1, "failureThreshold": 100}
    volumes = [{"name": "x", "emptyDir": {}}]
    apply(cluster, pod("slow", "sleep", "100", container={"startupProbe": probe, **mounts}, volumes=volumes))
    until(lambda: "running" in first(cluster, "slow").get("state", {}))
    assert not first(cluster, "slow")["started"]
    assert not first(cluster, "slow")["ready"]
    (cluster.state / "pods" / uid(cluster, "slow") / "volumes" / "x" / "go").touch()
    cluster.kubectl("wait", "--for=condition=Ready", "pod/slow", "--timeout=30s")


def test_volumes_hold_what_the_api_holds_and_the_token_speaks_for_the_account(cluster: embedded.Cluster) -> None:
    ask_api = """
import asyncio, os, pathlib
from kubernetes.aio import client, config
async def main():
    await config.load_kube_config()
    async with client.ApiClient() as api:
        review = client.V1SelfSubjectReview()
        print((await client.AuthenticationV1Api(api).create_self_subject_review(review)).status.user_info.username)
asyncio.run(main())
print(pathlib.Path(os.environ["SETTINGS"]).read_text())
print(pathlib.Path(os.environ["LABELS"]).read_text())
print(os.environ["FIRST"], os.environ["LIMIT"], os.environ.get("NONE"))
"""
    cluster.kubectl("create", "configmap", "settings", "--from-literal=a.txt=alpha", "--from-literal=FIRST=1")
    cluster.kubectl("create", "serviceaccount", "speaker")
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    extra = {
        "env": [
            {"name": "SETTINGS", "value": "/etc/settings/a.txt"},
            {"name": "LABELS", "value": "/etc/pod/labels"},
            {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
        ],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "resources": {"limits": {"memory": "64Mi"}},
        "volumeMounts": [
            {"name": "settings", "mountPath": "/etc/settings/a.txt", "subPath": "a.txt"},
            {"name": "own", "mountPath": "/etc/pod"},
        ],
    }
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "own", "downwardAPI": {"items": [labels]}},
    ]
    made = pod("curious", "python", "-c", ask_api, container=extra, volumes=volumes, restartPolicy="Never")
    made["metadata"]["labels"] = {"colour": "blue"}
    made["spec"]["serviceAccountName"] = "speaker"
    apply(cluster, made)
    until(lambda: status(cluster, "curious")["phase"] in ("Succeeded", "Failed"))
    said = cluster.kubectl("logs", "curious").stdout
    assert said == 'system:serviceaccount:default:speaker\nalpha\ncolour="blue"\n1 64 None\n'


def test_kubectl_logs_knows_tails_and_containers_that_never_ran(cluster: embedded.Cluster) -> None:
    apply(cluster, pod("talker", "sh", "-c", "seq 1 2000; sleep 100"))
    until(lambda: cluster.kubectl("logs", "talker", "--tail=1", check=False).stdout == "2000\n")
    assert cluster.kubectl("logs", "talker", "--tail=3").stdout == "1998\n1999\n2000\n"
    assert cluster.kubectl("logs", "talker").stdout.split() == [str(number) for number in range(1, 2001)]
    refused = cluster.kubectl("logs", "talker", "--previous", check=False).stderr
    assert "previous terminated container" in refused


def test_an_agent_that_is_killed_leaves_no_orphan_and_no_double(cluster: embedded.Cluster) -> None:
    apply(cluster, *web("steady", "one"), pod("once", "sleep", "1000", restartPolicy="Never"))
    rolled_out(cluster, "steady")
    until(lambda: status(cluster, "once")["phase"] == "Running")
    name = cluster.kubectl("get", "pods", "-l", "app=steady", "-o", "jsonpath={.items[0].metadata.name}").stdout
    where, identity, before = address(cluster, "steady"), uid(cluster, name), status(cluster, name)
    old = local(cluster)
    assert local(cluster, identity)
    record = processes.recorded(cluster.state, "node")
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: not processes.alive(record))
    assert local(cluster, identity)  # the orphans are there
    lifecycle.up(cluster.state, only=PARTS)
    until(lambda: first(cluster, name).get("restartCount") == 1 and first(cluster, name)["ready"])
    assert set(local(cluster)).isdisjoint(old)
    assert len(local(cluster, identity)) == 1
    assert status(cluster, name)["podIP"] == before["podIP"]
    assert first(cluster, name)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    connection = http.client.HTTPConnection(where, timeout=10)
    assert ask(connection) == "one"
    connection.close()
    assert status(cluster, "once")["phase"] == "Failed"


def test_an_agent_that_is_stopped_stops_its_pods_and_says_so(cluster: embedded.Cluster) -> None:
    apply(cluster, *web("resting", "one"))
    rolled_out(cluster, "resting")
    name = cluster.kubectl("get", "pods", "-l", "app=resting", "-o", "jsonpath={.items[0].metadata.name}").stdout
    processes.stop(cluster.state, "node", grace=20.0)
    assert local(cluster) == []
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    assert cluster.kubectl("get", "node", "sandbox", "-o", ready).stdout == "False"
    assert cluster.kubectl("get", "pod", name, "-o", ready).stdout == "False"
    lifecycle.up(cluster.state, only=PARTS)
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    assert first(cluster, name)["restartCount"] == 1
