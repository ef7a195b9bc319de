"""A pod's volumes as folders: made before its first container starts, and kept as fresh as the kubelet keeps them.

Invariant: a file appears and changes in one step and is readable by its owner only; a file that is no longer part of
its source disappears. What an emptyDir holds is never touched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn_sandbox import files
from sklearn_sandbox.node import downward, lookup, variables

Contents = dict[str, bytes]
#: The part of a token's life after which it is replaced, as with the kubelet.
TOKEN_WEAR = 0.8


class Volumes:
    """The volumes of one pod under `folder`."""

    def __init__(self, folder: Path, found: lookup.Lookup, ip: str, capacity: Mapping[str, str]) -> None:
        self._folder, self._lookup, self._ip, self._capacity = folder, found, ip, capacity
        self._tokens: dict[tuple[str, str], tuple[bytes, dt.datetime]] = {}

    def path(self, name: str) -> Path:
        return self._folder / name

    def mounts(self, container: Mapping[str, Any]) -> dict[str, Path]:
        """Mount path -> folder (or file, with a subPath) of one container."""
        found = {}
        for mount in container.get("volumeMounts") or []:
            found[mount["mountPath"]] = self.path(mount["name"]) / mount.get("subPath", "")
        return found

    async def make(self, pod: Mapping[str, Any], now: dt.datetime) -> None:
        """Bring all of them up to date. Raises lookup.Missing or downward.Unsupported, with the kubelet's words."""
        for volume in pod["spec"].get("volumes") or []:
            folder = files.make_private(self.path(volume["name"]))
            try:
                contents = await self._contents(volume, pod, now)
            except (lookup.Missing, downward.Unsupported) as error:
                text = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                raise type(error)(text) from error
            if contents is not None:
                write(folder, contents)
        for container in [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]:
            for mount in container.get("volumeMounts") or []:
                if mount.get("subPath"):
                    self._sub_path(mount)

    def account(self, pod: Mapping[str, Any]) -> Path | None:
        """The folder that some container finds its service account's credentials in."""
        every = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        found = (self.mounts(one).get(variables.ACCOUNT_FOLDER) for one in every)
        return next((folder for folder in found if folder is not None), None)

    def changing(self, pod: Mapping[str, Any]) -> bool:
        """Whether anything in them may change while the pod lives."""
        return any("emptyDir" not in volume for volume in pod["spec"].get("volumes") or [])

    def _sub_path(self, mount: Mapping[str, Any]) -> None:
        place = self.path(mount["name"]) / mount["subPath"]
        if not place.resolve().is_relative_to(self._folder.resolve()):
            raise downward.Unsupported(f"subPath {mount['subPath']} leads out of its volume")
        if not place.exists():
            files.make_private(place)

    async def _contents(self, volume: Mapping[str, Any], pod: Mapping[str, Any], now: dt.datetime) -> Contents | None:
        """None for a volume whose files belong to the pod."""
        if "emptyDir" in volume:
            return None
        if "projected" in volume:
            found: Contents = {}
            for source in volume["projected"].get("sources") or []:
                found |= await self._source(volume["name"], source, pod, now)
            return found
        if "secret" in volume:  # its name is spelled differently here than in a projection
            return await self._source(
                volume["name"], {"secret": volume["secret"] | {"name": volume["secret"]["secretName"]}}, pod, now
            )
        return await self._source(volume["name"], volume, pod, now)

    async def _source(
        self, volume: str, source: Mapping[str, Any], pod: Mapping[str, Any], now: dt.datetime
    ) -> Contents:
        namespace = pod["metadata"]["namespace"]
        if wanted := source.get("secret"):
            values = await self._lookup.secret(namespace, wanted["name"], bool(wanted.get("optional")))
            return chosen(values or {}, wanted, "secret")
        if wanted := source.get("configMap"):
            values = await self._lookup.config_map(namespace, wanted["name"], bool(wanted.get("optional")))
            return chosen(values or {}, wanted, "configmap")
        if (wanted := source.get("downwardAPI")) is not None:
            return {item["path"]: self._own(item, pod).encode() for item in wanted.get("items") or []}
        if wanted := source.get("serviceAccountToken"):
            return {wanted["path"]: await self._token(volume, wanted, pod, now)}
        kinds = ", ".join(kind for kind in source if kind != "name")
        raise downward.Unsupported(f"this sandbox has no volumes of kind {kinds}")

    def _own(self, item: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
        if reference := item.get("fieldRef"):
            return downward.field(reference["fieldPath"], pod, pod["spec"]["nodeName"], self._ip)
        return downward.resource(item["resourceFieldRef"], {}, pod, self._capacity)

    async def _token(self, volume: str, wanted: Mapping[str, Any], pod: Mapping[str, Any], now: dt.datetime) -> bytes:
        key = (volume, wanted["path"])
        token, renew = self._tokens.get(key, (b"", now))
        if now >= renew:
            seconds = int(wanted.get("expirationSeconds", 3600))
            token, end = await self._lookup.token(pod, wanted.get("audience"), seconds)
            renew = now + min(end - now, dt.timedelta(seconds=seconds)) * TOKEN_WEAR
            self._tokens[key] = (token, renew)
        return token


def chosen(values: Mapping[str, bytes], wanted: Mapping[str, Any], word: str) -> Contents:
    """All keys, or those of `items` under their paths."""
    items: Sequence[Mapping[str, str]] = wanted.get("items") or []
    if not items:
        return dict(values)
    found = {}
    for item in items:
        if item["key"] in values:
            found[item["path"]] = values[item["key"]]
        elif not wanted.get("optional"):
            raise lookup.Missing(
                f"references non-existent {'config' if word == 'configmap' else word} key: {item['key']}"
            )
    return found


def write(folder: Path, contents: Contents) -> None:
    for old in [path for path in folder.rglob("*") if path.is_file()]:
        if str(old.relative_to(folder)) not in contents:
            old.unlink()
    for name, content in contents.items():
        place = folder / name
        if not place.resolve().is_relative_to(folder.resolve()):
            raise downward.Unsupported(f"path {name} leads out of its volume")
        if not place.is_file() or place.read_bytes() != content:
            files.write(place, content, private=True)
