"""One container of a pod: started, watched, started again as its pod's policy says, and stopped.

Invariant: once `stop` was called nothing is started any more, and when it returns nothing runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn_sandbox import files, images
from sklearn_sandbox.node import (
    api,
    downward,
    environment,
    hooks,
    lookup,
    probes,
    process,
    states,
    surroundings,
    termination,
    variables,
    volumes,
)

log = logging.getLogger(__name__)

#: A missing Secret is looked for again after so long.
RETRY_SECONDS = 3.0
LONGEST_BACKOFF = 300.0
#: A container that ran for so long counts as healthy: its back-off begins anew.
FORGIVEN_AFTER = 600.0
START_ERROR = 128


class Container:
    def __init__(
        self,
        pod: Mapping[str, Any],
        spec: Mapping[str, Any],
        around: surroundings.Surroundings,
        made: volumes.Volumes,
        ip: str,
        state: states.State,
        changed: Callable[[], None],
        policy: str,
    ) -> None:
        self.pod, self.spec, self.state, self.policy = pod, spec, state, policy
        self._around, self._volumes, self._ip, self._changed = around, made, ip, changed
        self._process: process.Process | None = None
        self._stopping = asyncio.Event()
        self._killing: asyncio.Task[None] | None = None
        self._hooked: process.Process | None = None
        self._env: dict[str, str] = {}
        self._mounts: Mapping[str, Path] = {}
        self._crashes = state.restarts
        self._image = images.find(spec["image"], around.images)
        #: Set once it was started (and its startup probe succeeded): what comes after a sidecar waits for it.
        self.up = asyncio.Event()
        folder = around.pod_folder(pod["metadata"]["uid"])
        self.log = folder / f"{self.name}.log"
        self.previous_log = folder / f"{self.name}.log.1"
        self._last_words = folder / "termination" / self.name
        self._private = folder / "containers" / self.name

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def run(self) -> None:
        """Until it is over for good, by its policy or by `stop`. One that was over before does not run again."""
        if self.state.ended is not None:
            return
        while not self._stopping.is_set():
            begun = asyncio.get_running_loop().time()
            code = await self._once()
            if code is None or self._stopping.is_set() or not states.restarts(self.policy, code):
                return
            if asyncio.get_running_loop().time() - begun > FORGIVEN_AFTER:
                self._crashes = 0
            await self._back_off()

    def respecify(self, spec: Mapping[str, Any]) -> None:
        """Before the first start: the pod's image may still be corrected."""
        self.spec, self._image = spec, images.find(spec["image"], self._around.images)

    def wait_for(self, reason: str, text: str) -> None:
        """Why it does not run yet. Nothing for one that is over."""
        if self.state.ended is None:
            self._set(waiting=(reason, text))

    async def stop(self, grace: Callable[[], float]) -> None:
        """`grace` tells the seconds left, anew each time it is asked: a second deletion may shorten it."""
        self._stopping.set()
        await self._end(grace)

    async def _once(self) -> int | None:
        """One life of the process; its exit code, None when stopped before it began."""
        started = await self._start()
        if started is None:
            return None if self._stopping.is_set() else START_ERROR
        health = asyncio.create_task(self._stay_healthy())
        try:
            await started.wait()
        finally:
            health.cancel()
            await asyncio.wait([health])
            if not health.cancelled() and (error := health.exception()) is not None:
                log.error("probes of %s failed", self.name, exc_info=error)
        code = started.exited.result()
        self._note_end(
            code,
            "Completed" if code == 0 else "Error",
            termination.message(self.spec, code, self._last_words, self.log),
        )
        return code

    async def _start(self) -> process.Process | None:
        while not self._stopping.is_set():
            try:
                env, mounts = await self._environment()
            except (lookup.Missing, downward.Unsupported) as error:
                self._refused("CreateContainerConfigError", str(error))
            except api.ApiError as error:
                self._refused("CreateContainerConfigError", f"cannot read what the container refers to: {error}")
            else:
                return None if self._stopping.is_set() else self._spawn(env, mounts)
            await self._pause(RETRY_SECONDS)
        return None

    async def _environment(self) -> tuple[dict[str, str], dict[str, Path]]:
        if self._image is None:
            raise downward.Unsupported(images.unknown_message(self.spec["image"], self._around.images))
        mounts = self._volumes.mounts(self.spec)
        bulk, single = await variables.resolve(
            self.spec, self.pod, self._around.lookup, self._ip, self._around.capacity
        )
        server, home = self._around.api.server, self._around.home
        base = variables.base(home, self.pod, self._ip, server, self._image, self._private)
        if variables.ACCOUNT_FOLDER in mounts:
            base["KUBECONFIG"] = str(self._around.pod_folder(self.pod["metadata"]["uid"]) / variables.KUBECONFIG)
        mounts[self.spec.get("terminationMessagePath", "/dev/termination-log")] = self._last_words
        return environment.combine(base, bulk, single, mounts), mounts

    def _spawn(self, env: dict[str, str], mounts: Mapping[str, Path]) -> process.Process | None:
        files.make_private(self._private / "tmp")
        files.make_private(self._last_words.parent)
        self._last_words.unlink(missing_ok=True)
        if self.log.exists():
            self.log.replace(self.previous_log)
        self._env, self._mounts = env, mounts
        now = states.stamp(dt.datetime.now(dt.UTC))
        identity = f"sandbox://{self.pod['metadata']['uid']}/{self.name}/{self.state.restarts}"
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            command, arguments = list(self.spec.get("command") or []), list(self.spec.get("args") or [])
            words = self._image.argv(command, arguments) if self._image is not None else []
            self._process = self._execute(environment.command_line(words, env, mounts), handle)
        except process.StartError as error:
            self._set(waiting=None, running=now, identity=identity)
            self._note_end(START_ERROR, "StartError", f"failed to start containerd task: {error}")
            self._around.events.warning(self.pod, "Failed", f"Error: {error}", self.name)
            return None
        finally:
            os.close(handle)
        self._set(waiting=None, running=now, ended=None, identity=identity, started=False, ready=False)
        self._around.events.normal(self.pod, "Started", f"Started container {self.name}", self.name)
        return self._process

    def _execute(self, words: Sequence[str], output: int) -> process.Process:
        if not words or self._image is None:
            raise process.StartError("no command specified")
        folder = self._folder()
        return process.Process(
            words, process.executable(words[0], self._env["PATH"], self._image.bin, folder), self._env, folder, output
        )

    def _execute_inside(self, words: Sequence[str], output: int) -> process.Process:
        """A command of a probe or hook, beside the running container."""
        return self._execute([environment.substitute(word, self._mounts) for word in words], output)

    def _folder(self) -> Path:
        """The working directory: the mounted folder it names, else one of its own."""
        wanted = environment.substitute(self.spec.get("workingDir") or "", self._volumes.mounts(self.spec))
        return Path(wanted) if wanted != self.spec.get("workingDir", "") and Path(wanted).is_dir() else self._private

    async def _stay_healthy(self) -> None:
        target = hooks.Target(self._ip, self.spec.get("ports") or [], self._execute_inside)

        async def attempt(probe: Mapping[str, Any]) -> None:
            await hooks.perform(probe, target, self._around.http, max(1, probe.get("timeoutSeconds", 1)))

        await probes.watch(self.spec, attempt, self)

    # What the probes tell (probes.Listener)

    def started(self) -> None:
        self._set(started=True)
        self.up.set()

    def ready(self, is_ready: bool) -> None:
        self._set(ready=is_ready)

    def unhealthy(self, kind: str, output: str) -> None:
        if not self._stopping.is_set():
            self._around.events.warning(self.pod, "Unhealthy", f"{kind} probe failed: {output}", self.name)

    def failed(self, kind: str, probe: Mapping[str, Any]) -> None:
        if self._stopping.is_set():
            return
        text = f"Container {self.name} failed {kind.lower()} probe, will be restarted"
        self._around.events.normal(self.pod, "Killing", text, self.name)
        grace = probe.get("terminationGracePeriodSeconds", self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        deadline = asyncio.get_running_loop().time() + grace
        self._killing = asyncio.create_task(self._end(lambda: deadline - asyncio.get_running_loop().time()))

    # Ends

    async def _end(self, grace: Callable[[], float]) -> None:
        started = self._process
        if started is None or not started.running:
            return
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook is not None and self._hooked is not started:
            self._hooked = started
            target = hooks.Target(self._ip, self.spec.get("ports") or [], self._execute_inside)
            try:
                await hooks.perform(hook, target, self._around.http, max(0.0, grace()))
            except hooks.Failed as error:
                self._around.events.warning(self.pod, "FailedPreStopHook", f"PreStopHook failed: {error}", self.name)
        started.terminate()
        while (left := grace()) > 0 and not await started.wait(min(left, 1.0)):
            continue
        started.kill()
        await started.wait()

    def _note_end(self, code: int, reason: str, text: str) -> None:
        now, begun = states.stamp(dt.datetime.now(dt.UTC)), self.state.running or ""
        ended = states.Ended(code, reason, text, begun, now, self.state.identity)
        self._set(running=None, ended=ended, started=False, ready=False)

    async def _back_off(self) -> None:
        """The first restart is immediate; then 10 s, 20 s, ... up to five minutes, from the end of the last life."""
        if self._crashes > 0:
            seconds = min(self._around.backoff * 2.0 ** (self._crashes - 1), LONGEST_BACKOFF)
            metadata = self.pod["metadata"]
            whose = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            text = f"back-off {seconds:g}s restarting failed container={self.name} pod={whose}"
            self._set(waiting=("CrashLoopBackOff", text), ended=None, last=self.state.ended)
            self._around.events.warning(
                self.pod, "BackOff", f"Back-off restarting failed container {self.name} in pod {whose}", self.name
            )
            await self._pause(seconds)
        self._crashes += 1
        if not self._stopping.is_set():
            last = self.state.ended or self.state.last
            self._set(waiting=("ContainerCreating", ""), ended=None, last=last, restarts=self.state.restarts + 1)

    def _refused(self, reason: str, text: str) -> None:
        if self.state.waiting != (reason, text):
            self._set(waiting=(reason, text))
        self._around.events.warning(self.pod, "Failed", f"Error: {text}", self.name)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _set(self, **changes: Any) -> None:
        state = dataclasses.replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self._changed()
