"""Further packages for one task: put by pip into a folder of the task's own, behind all that the image has.

Invariant: packages are added and none is changed. Whatever the image has stays, in version and in place, because the
model is judged and served with exactly that; a requirement that would need another version of it is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from sklearn_steps import contract, errors

_FIELD = "training.requirements"
_ADDRESS = re.compile(r"\w+://\S+")
#: What pip says where the index is out of reach; it then goes on to say that it found nothing.
_UNREACHABLE = ("Retrying (", "Temporary failure", "Connection refused", "timed out", "HTTP error 5")
_NOT_THERE = ("No matching distribution found", "Could not find a version that satisfies")
_CONFLICT = ("conflicting dependencies", "ResolutionImpossible")
_SECRETS = (contract.STORE_ENV_PREFIX, contract.DATA_ENV_PREFIX)


@contextlib.contextmanager
def installed(config: contract.RunConfig, env: Mapping[str, str] = os.environ) -> Iterator[Mapping[str, str]]:
    """Within, what ``training.requirements`` asks for can be imported: version by name of what the image lacks."""
    if not config.requirements:
        yield {}
        return
    there = _distributions(sys.path)
    missing = [text for text in config.requirements if not _satisfied(text, there, config)]
    with tempfile.TemporaryDirectory(prefix="requirements-") as scratch:
        folders = _install(missing, there, Path(scratch), env) if missing else []
        sys.path += folders
        importlib.invalidate_caches()
        before = os.environ.get("PYTHONPATH")
        # A script is a process of its own, and looks there.
        os.environ["PYTHONPATH"] = os.pathsep.join([*([before] if before else []), *folders])
        try:
            yield _distributions(folders)
        finally:
            sys.path[:] = [path for path in sys.path if path not in folders]
            os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def parsed(requirement: str) -> tuple[str, str]:
    """Name, as indexes compare it, and version of one pinned requirement."""
    name, _, version = requirement.partition("==")
    return canonical(name.partition("[")[0]), version


def pinned(names: Iterable[str]) -> list[str]:
    """``name==version`` of these distributions and of all that they need, as they are here."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    waiting = [(canonical(name), frozenset[str]()) for name in names]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of use to it, but not here
        found[name] = f"{distribution.metadata['Name']}=={distribution.version}"
        for text in distribution.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                item = (canonical(needed.name), frozenset(needed.extras))
                if item not in seen:
                    seen.add(item)
                    waiting.append(item)
    return [found[name] for name in sorted(found)]


def _distributions(folders: Sequence[str]) -> dict[str, str]:
    """Version by name of everything in these folders."""
    found = metadata.distributions(path=list(folders))
    return {canonical(item.metadata["Name"]): item.version for item in found if item.metadata["Name"]}


def canonical(name: str) -> str:
    """The name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _satisfied(requirement: str, there: Mapping[str, str], config: contract.RunConfig) -> bool:
    from packaging.version import InvalidVersion, Version

    name, wanted = parsed(requirement)
    try:
        version = Version(wanted)
        present = Version(there[name]) if name in there else None
    except InvalidVersion:
        text = f"{_FIELD} {errors.shown(requirement)}: {errors.shown(wanted)} is no version; write one such as 2.3.3"
        raise errors.UserError("RequirementInvalid", text) from None
    if present is not None and present != version:
        raise errors.UserError(
            "RequirementConflicts",
            f"{_FIELD} {requirement}: the image {config.image} has {name} {present}, and requirements add packages but "
            f"change none, because models are served with what the image has; write {name}=={present}, remove it, or "
            "ask for an image that has the other version",
        )
    return present is not None and "[" not in requirement


def _install(wanted: Sequence[str], there: Mapping[str, str], folder: Path, env: Mapping[str, str]) -> list[str]:
    """The folders with the packages; the index is the one that the image's own configuration of pip names."""
    constraints = folder / "image.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(there.items())))
    command = [sys.executable, "-I", "-m", "pip", "install", "--prefix", str(folder / "packages"), "--no-input"]
    command += ["--only-binary", ":all:", "--constraint", str(constraints), "--disable-pip-version-check"]
    command += ["--no-warn-script-location", "--progress-bar", "off", "--no-color", "--", *wanted]
    public = {"HOME": _home()} | {name: value for name, value in env.items() if not name.startswith(_SECRETS)}
    done = subprocess.run(command, env=public, capture_output=True, text=True, check=False)
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr, flush=True)
        raise _told(wanted, f"{done.stdout}\n{done.stderr}")
    return sorted({str(path.parent) for path in (folder / "packages").rglob("*.dist-info")})


def _home() -> str:
    """A user that no file knows may have none, and pip does not start without."""
    try:
        return str(Path.home())
    except RuntimeError:
        return tempfile.gettempdir()


def _told(wanted: Sequence[str], said: str) -> errors.StepError:
    """pip's words, without addresses: those may hold credentials."""
    lines = [_ADDRESS.sub("...", line).strip() for line in said.splitlines()]
    wrong = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    where = f"{_FIELD} {errors.listed(wanted, 6)}"
    first = (wrong or [line for line in lines if line][-1:] or ["pip said nothing"])[0][:300]
    if "No module named pip" in said:
        text = f"{where}: the image has no pip to install it with; use an image that has pip, or the package itself"
        return errors.UserError("RequirementsUnavailable", text)
    if any(words in said for words in _UNREACHABLE):
        text = f"{where}: the package index that the image's pip is configured for does not answer"
        return errors.TransientError("RequirementsUnavailable", f"{text} ({first})")
    if any(words in said for words in _CONFLICT):
        start = next((place for place, line in enumerate(lines) if line.startswith("The conflict is caused by")), -1)
        causes = [line for line in lines[start + 1 : start + 4] if line] if start >= 0 else []
        text = f"{where}: they fit neither each other nor the image, of which nothing is changed"
        return errors.UserError("RequirementConflicts", f"{text}: {'; '.join(causes) or first}")
    if any(words in said for words in _NOT_THERE):
        here = f"Python {platform.python_version()} on {platform.machine()}"
        text = f"{where}: the index has no wheel of it for {here}: {first}; choose a version that has one, or put the"
        return errors.UserError("RequirementMissing", f"{text} package into an image of your own")
    return errors.TransientError("RequirementsUnavailable", f"{where}: pip failed: {first}")
