"""One pod's life on this node: images, volumes, init containers, containers, and its end.

Invariant: the processes of a pod are owned by this object alone; once `bury` or `shut_down` returned none is left. What
the API is told is computed from the present every time, and told only when it differs from what was told last.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from sklearn_sandbox import files, images
from sklearn_sandbox.node import (
    api,
    container,
    downward,
    lookup,
    report,
    states,
    surroundings,
    tasks,
    variables,
    volumes,
)

log = logging.getLogger(__name__)

#: A missing volume source is looked for again after so long; present ones are read again after so long.
VOLUME_RETRY_SECONDS, VOLUME_REFRESH_SECONDS = 2.0, 60.0
PULL_BACKOFF_SECONDS = 10.0
#: How long an ending agent tries to tell the API how its pods ended.
LAST_WORDS_SECONDS = 2.0


class Pod:
    def __init__(self, pod: api.Json, around: surroundings.Surroundings) -> None:
        self._pod, self._around = pod, around
        self.uid: str = pod["metadata"]["uid"]
        before, spec, now = pod.get("status") or {}, pod["spec"], dt.datetime.now(dt.UTC)
        self._over = before.get("phase") in ("Succeeded", "Failed")
        shown = before.get("podIP", "")
        self.ip = shown if self._over else around.addresses.take(self.uid, shown)
        self._began = before.get("startTime") or states.stamp(now)
        self._folder = files.make_private(around.pod_folder(self.uid))
        self._volumes = volumes.Volumes(self._folder / "volumes", around.lookup, self.ip, around.capacity)
        policy = spec.get("restartPolicy", "Always")
        self._initial: dict[str, container.Container] = {}
        self._main: dict[str, container.Container] = {}
        told = {
            one["name"]: one for one in [*before.get("initContainerStatuses", []), *before.get("containerStatuses", [])]
        }
        for one in spec.get("initContainers") or []:
            own = one.get("restartPolicy") or ("Never" if policy == "Never" else "OnFailure")
            self._initial[one["name"]] = self._container(one, states.recovered(told.get(one["name"]), own, now), own)
        for one in spec["containers"]:
            self._main[one["name"]] = self._container(one, states.recovered(told.get(one["name"]), policy, now), policy)
        self._sidecars = frozenset(name for name, one in self._initial.items() if one.policy == "Always")
        self._prepared = self._stopped = self._hurry = False
        self._reason = self._message = ""
        self._report = report.Report(around.api)
        self._dirty, self._observed = asyncio.Event(), asyncio.Event()
        self._tasks, self._endings = tasks.Tasks(), tasks.Tasks()
        self._life: asyncio.Task[None] | None = None
        self._publisher: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._ending_since = 0.0

    @property
    def name(self) -> tuple[str, str]:
        return self._pod["metadata"]["namespace"], self._pod["metadata"]["name"]

    def find(self, name: str) -> container.Container | None:
        return self._main.get(name) or self._initial.get(name)

    def begin(self) -> None:
        if not self._over:
            self._publisher = self._tasks.start(self._keep_telling(), f"status of {self.name}")
            if "deletionTimestamp" not in self._pod["metadata"]:
                self._life = self._tasks.start(self._live(), f"life of {self.name}")
        self.observe(self._pod)

    def observe(self, pod: api.Json) -> None:
        """The API shows the pod like this now."""
        self._pod = pod
        for one in [*self._initial.values(), *self._main.values()]:
            one.pod = pod
        self._observed.set()
        self._report.compare(pod)
        self._dirty.set()
        if "deletionTimestamp" in pod["metadata"]:
            self._begin_end()

    async def bury(self) -> None:
        """The API has no such pod any more: whatever still runs ends now, and its folder goes."""
        self._hurry = True
        await self._begin_end()
        await self._tasks.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._around.addresses.release(self.uid)
        self._around.events.forget(self.uid)

    async def shut_down(self, longest: float) -> None:
        """The agent ends: so do the processes, and the API hears of it. The pod itself stays."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(longest, self._pod["spec"].get("terminationGracePeriodSeconds", 30))
        await self._stop_containers(lambda: deadline - loop.time())
        await self._tasks.stop()
        if not self._over:
            with contextlib.suppress(api.ApiError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await self._report.tell(self._picture())

    # Life

    async def _live(self) -> None:
        spec = self._pod["spec"]
        if seconds := spec.get("activeDeadlineSeconds"):
            self._tasks.start(self._expire(seconds), f"deadline of {self.name}")
        await self._until_images_known()
        await self._until_volumes_made()
        self._prepared = True
        self._dirty.set()
        if self._volumes.changing(self._pod):
            self._tasks.start(self._refresh_volumes(), f"volumes of {self.name}")
        if await self._initialised():
            await asyncio.gather(*(one.run() for one in self._main.values()))
            await asyncio.gather(*(self._initial[name].stop(lambda: 2.0) for name in self._sidecars))
        self._dirty.set()
        self._around.addresses.release(self.uid)  # this line is reached only when nothing will run again

    async def _initialised(self) -> bool:
        for name, one in self._initial.items():
            if name in self._sidecars:
                self._tasks.start(one.run(), f"sidecar {name} of {self.name}")
                await one.up.wait()
                continue
            await one.run()
            if one.state.ended is None or one.state.ended.code != 0:
                return False
        return True

    async def _until_images_known(self) -> None:
        reason = "ErrImagePull"
        while True:
            spec = self._pod["spec"]
            for one in [*(spec.get("initContainers") or []), *spec["containers"]]:
                (self._main.get(one["name"]) or self._initial[one["name"]]).respecify(one)
            every = [*self._initial.values(), *self._main.values()]
            unknown = [one for one in every if images.find(one.spec["image"], self._around.images) is None]
            if not unknown:
                waiting = "PodInitializing" if self._initial else "ContainerCreating"
                for one in every:
                    one.wait_for(waiting, "")
                return
            for one in unknown:
                text = images.unknown_message(one.spec["image"], self._around.images)
                one.wait_for(
                    reason,
                    text if reason == "ErrImagePull" else f'Back-off pulling image "{one.spec["image"]}": {text}',
                )
                self._around.events.warning(
                    self._pod, "Failed", f'Failed to pull image "{one.spec["image"]}": {text}', one.name
                )
            self._observed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PULL_BACKOFF_SECONDS if reason == "ErrImagePull" else None):
                    await self._observed.wait()
                    continue
            reason = "ImagePullBackOff"

    async def _make_volumes(self) -> None:
        await self._volumes.make(self._pod, dt.datetime.now(dt.UTC))
        if (account := self._volumes.account(self._pod)) is not None:
            text = variables.kubeconfig(self._around.api.server, account, self.name[0])
            files.write(self._folder / variables.KUBECONFIG, text, private=True)

    async def _until_volumes_made(self) -> None:
        while True:
            try:
                return await self._make_volumes()
            except (lookup.Missing, downward.Unsupported) as error:
                self._around.events.warning(self._pod, "FailedMount", str(error))
            except api.ApiError as error:
                self._around.events.warning(self._pod, "FailedMount", f"cannot read what the volumes refer to: {error}")
            await asyncio.sleep(VOLUME_RETRY_SECONDS)

    async def _refresh_volumes(self) -> None:
        while True:
            await asyncio.sleep(VOLUME_REFRESH_SECONDS)
            try:
                await self._make_volumes()
            except (lookup.Missing, downward.Unsupported, api.ApiError) as error:
                log.info("volumes of %s stay as they are: %s", self.name, error)

    async def _expire(self, seconds: float) -> None:
        begun = dt.datetime.fromisoformat(self._began)
        await asyncio.sleep(seconds - (dt.datetime.now(dt.UTC) - begun).total_seconds())
        self._reason, self._message = (
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
        )
        deadline = asyncio.get_running_loop().time() + self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        await self._stop_containers(lambda: deadline - asyncio.get_running_loop().time())
        self._stopped = True
        self._dirty.set()

    # End

    def _begin_end(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending_since = asyncio.get_running_loop().time()
            self._ending = self._endings.start(self._end(), f"end of {self.name}")
        return self._ending

    def _grace(self) -> float:
        if self._hurry:
            return 0.0
        allowed = self._pod["metadata"].get("deletionGracePeriodSeconds", 30)
        return float(self._ending_since + allowed - asyncio.get_running_loop().time())

    async def _end(self) -> None:
        """Stop, tell, and take the pod off the API."""
        every = [*self._initial.values(), *self._main.values()]
        if any(one.running for one in every):
            self._around.events.normal(self._pod, "Killing", "Stopping containers " + ", ".join(self._main))
            if self._grace() > 0:
                await self._around.until_dropped(self.ip)
        await self._stop_containers(self._grace)
        self._stopped = True
        await self._tasks.stop()
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        pauses = tasks.Pauses(log)
        while not self._hurry:
            try:
                if not self._over:
                    await self._report.tell(self._picture())
                await self._around.api.call("DELETE", report.path(self._pod), body)
            except (api.NotFound, api.Conflict):
                pass
            except api.ApiError as error:
                await pauses.after(f"{self.name} is stopped but not deleted: {error}")
                continue
            return

    async def _stop_containers(self, grace: Callable[[], float]) -> None:
        await asyncio.gather(
            *(
                one.stop(grace)
                for name, one in [*self._main.items(), *self._initial.items()]
                if name not in self._sidecars
            )
        )
        await asyncio.gather(*(self._initial[name].stop(grace) for name in self._sidecars))
        if self._life is not None:
            # Each container notes its own end before its `run` returns; what waits for images or volumes is cancelled.
            await asyncio.wait([self._life], timeout=1.0 if self._prepared else 0.0)
            self._life.cancel()

    # Telling

    async def _keep_telling(self) -> None:
        pauses = tasks.Pauses(log)
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._report.tell(self._picture())
                pauses.reset()
            except (api.NotFound, api.Conflict):
                log.debug("%s is gone", self.name)
            except api.ApiError as error:
                await pauses.after(f"status of {self.name} not written: {error}")
                self._dirty.set()

    def _picture(self) -> states.Picture:
        return states.Picture(
            pod=self._pod,
            ip=self.ip,
            started=self._began,
            initial={name: one.state for name, one in self._initial.items()},
            main={name: one.state for name, one in self._main.items()},
            sidecars=self._sidecars,
            prepared=self._prepared,
            stopped=self._stopped,
            reason=self._reason,
            message=self._message,
        )

    def _container(self, spec: Mapping[str, Any], state: states.State, policy: str) -> container.Container:
        return container.Container(self._pod, spec, self._around, self._volumes, self.ip, state, self._changed, policy)

    def _changed(self) -> None:
        self._dirty.set()
