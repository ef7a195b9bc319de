"""Five minutes without an API server, and five without Kubeflow Pipelines and store: nothing grows meanwhile.

Two operators with many models each live through it side by side. Their metrics tell what waits; once it is over,
everything goes on by itself. It takes as long as it takes, so `make test` runs it beside other tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

import waiting
from decoupled import operators
from faults import proxy as faults
from sklearn_sandbox import embedded

MODELS = 60
AWAY = 300.0
#: From the beginning until nothing changes any more: a model's backoff has become its longest (0.5 + 1 + ... + 16 s,
#: then 30 s each), kopf's too (10 s), and what is remembered once has been remembered.
SETTLED = 120.0
#: What an operator may grow by from then on, in bytes. 60 models fail 360 times in that time: ten KiB that were kept of
#: each failure would be seen.
FLAT = 3 << 20
#: From the end of a fault to the end of what it held up.
HEALED = 60.0


@dataclass
class Lane:
    models: operators.Models
    operator: operators.Operator
    proxy: faults.Proxy

    def memory(self) -> int:
        assert self.operator.process is not None
        return int(psutil.Process(self.operator.process.pid).memory_info().rss)

    async def apply(self, *names: str) -> None:
        items = [operators.manifest(name, {"gamma": 0.001}) for name in names]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        await asyncio.to_thread(lambda: self.models.kubectl("apply", "-f", "-", input=text))

    async def fail(self, count: int) -> None:
        """Its metrics say so of exactly so many models."""
        name = "sklearn_operator_failing_models"
        await waiting.until(
            f"{count} failing", lambda: asyncio.to_thread(lambda: self.operator.metric(name) == count), HEALED
        )

    async def flat(self, began: float) -> None:
        """Lets the rest of the time pass; what it holds in the end is what it held when all had been tried for long."""
        await waiting.until("the longest pauses", lambda: _passed(began + SETTLED), SETTLED + 10, pause=0.5)
        before = self.memory()
        await waiting.until("the end of the fault", lambda: _passed(began + AWAY), AWAY + 10, pause=0.5)
        assert self.memory() - before < FLAT


@contextlib.asynccontextmanager
async def lane(cluster: embedded.Cluster, folder: Path) -> AsyncIterator[Lane]:
    """An operator behind a proxy of its own. Its models wait, for pipelines and store refuse every connection."""
    namespace = f"away-{uuid.uuid4().hex[:8]}"
    await asyncio.to_thread(folder.mkdir)
    await asyncio.to_thread(cluster.kubectl, "create", "namespace", namespace)
    identity = cluster.sandbox.authority.pair("operator")
    context = ssl.create_default_context(cafile=str(cluster.sandbox.authority.certificate))
    context.load_cert_chain(str(identity.certificate), str(identity.key))
    async with faults.running({"kubernetes": (cluster.server, context)}) as proxy:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(proxy.kubeconfig())
        operator = operators.Operator(kubeconfig, folder, namespace)
        operator.start()
        try:
            await asyncio.to_thread(waiting.wait_for, "the operator ready", operator.ready)
            yield Lane(operators.Models(cluster, namespace), operator, proxy)
        finally:
            await asyncio.to_thread(operator.stop)
            print(f"--- {folder.name}\n{operator.text()[-10_000:]}")
        assert "Traceback" not in operator.text()
    await asyncio.to_thread(cluster.kubectl, "delete", "skm", "--all", "-n", namespace, "--wait=false")


async def test_five_minutes_away_are_told_and_healed_and_take_no_memory(
    cluster: embedded.Cluster, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_api_server(cluster, tmp_path / "api"))
        group.create_task(_servers(cluster, tmp_path / "servers"))


async def _api_server(cluster: embedded.Cluster, folder: Path) -> None:
    async with lane(cluster, folder) as one:
        await one.apply(*(f"model-{number}" for number in range(MODELS)))
        await one.fail(MODELS)
        one.proxy.go_away("kubernetes")
        began = asyncio.get_running_loop().time()
        await one.apply("unseen")
        await one.flat(began)
        assert one.operator.probe("livez") == 200
        await one.fail(MODELS)
        assert "unseen-v1" not in await asyncio.to_thread(one.models.kubectl, "get", "skmv", "-o", "name")
        del one.proxy.refuse["kubernetes"]

        def made() -> bool:
            return "unseen-v1" in one.models.kubectl("get", "skmv", "-o", "name")

        await asyncio.to_thread(waiting.wait_for, "what nobody had seen", made, HEALED)
        await one.fail(MODELS + 1)


async def _servers(cluster: embedded.Cluster, folder: Path) -> None:
    async with lane(cluster, folder) as one:
        await one.apply(*(f"model-{number}" for number in range(MODELS)))
        began = asyncio.get_running_loop().time()
        await one.fail(MODELS)
        await one.flat(began)
        await one.fail(MODELS)
        row = await asyncio.to_thread(one.models.condition, "model-0", "Reconciling")
        assert (row["status"], row["reason"]) == ("True", "Retrying") and "cannot connect" in row["message"]


async def _passed(moment: float) -> bool:
    return asyncio.get_running_loop().time() >= moment
