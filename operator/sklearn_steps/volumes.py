"""Files of a PersistentVolumeClaim that is mounted for this task (``pvc://claim/path``).

Invariant: nothing outside of the volume is read, whatever its links say, and nothing in it is written: Kubeflow
Pipelines has no read-only mounts, so that is this module's to keep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sklearn_steps import contract, errors, objectstore

#: Whoever owns a file is who lets it be read.
_NOBODY = objectstore.Credentials("", {"AWS_ENDPOINT_URL": "the volume"})


class Volume(objectstore.Location):
    """A file or a folder of it."""

    def __init__(self, uri: str, field: str, mounted: Path) -> None:
        super().__init__(uri, _NOBODY, field, objectstore.folder(mounted))
        self._mounted = mounted.resolve()
        if not (self._mounted / self.key).resolve().is_relative_to(self._mounted):
            raise errors.UserError("PathOutside", f"{field} {uri}: the path leads out of the volume; name a file in it")

    @classmethod
    def of(cls, uri: str, field: str, env: Mapping[str, str]) -> Volume:
        """The claim is mounted where the environment says."""
        mounted = env.get(contract.DATA_VOLUME_ENV, "")
        if not mounted or not Path(mounted).is_dir():
            text = f"{field} {uri}: no volume is mounted at {mounted or contract.DATA_VOLUME}; is the task of the"
            raise errors.UserError("VolumeMissing", f"{text} operator's own pipeline, and of its release?")
        return cls(uri, field, Path(mounted))

    def child(self, name: str) -> Volume:
        return Volume(self.uri + name, self.field, self._mounted)

    def children(self) -> list[tuple[str, int]]:
        """As in a bucket. Folders that nobody may read (``lost+found``) and hidden ones are passed over."""
        found: list[tuple[str, int]] = []
        base = self._mounted / self.key
        for folder, folders, files in os.walk(base):
            folders[:] = [name for name in folders if not name.startswith(("_", "."))]
            for name in folders:
                if Path(folder, name).is_symlink():
                    text = f"{self.field} {self.uri}: {errors.shown(name)} is a link to a folder, which is not followed"
                    raise errors.UserError("LinkedFolder", f"{text}; name the folder itself")
            for name in files:
                path = Path(folder, name)
                found.append((path.relative_to(base).as_posix(), path.stat().st_size if path.exists() else 0))
        return sorted(found, key=lambda item: item[0].encode())
