"""What a container's command line and variables become on this machine.

The volumes of a pod are folders; nothing is really mounted. So wherever a mount path stands at the beginning of a path
in an argument or a value, the folder's own path is put. Invariant: pure; no variable of the agent itself gets in here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
#: A mount path begins where a path may begin ("--dir=/mnt", "a:/mnt", "file:///mnt"), not inside another path or URL.
_BEFORE = r"(?:(?<![\w./~\-])|(?<=file://))"
_AFTER = r"(?=$|[/\s'\":;,=)&|<>\]}])"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$(NAME)`` as Kubernetes does it: unknown names stay as they are, ``$$`` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return variables.get(match.group(1), match.group())

    return _REFERENCE.sub(value, text)


def substitute(text: str, mounts: Mapping[str, Path]) -> str:
    """Mount paths to folders; the longest wins, and what was put in is not looked at again."""
    if not mounts:
        return text
    places = {path.rstrip("/"): folder for path, folder in mounts.items() if path.rstrip("/")}
    choices = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
    return re.sub(f"{_BEFORE}({choices}){_AFTER}", lambda match: str(places[match.group(1)]), text)


def combine(
    base: Mapping[str, str],
    bulk: Sequence[Mapping[str, str]],
    single: Sequence[tuple[str, str, bool]],
    mounts: Mapping[str, Path],
) -> dict[str, str]:
    """`base`, then what `envFrom` gives, then `env` (name, value, whether the manifest wrote it out) in its order.

    Only a written-out value may refer to other variables. Paths of mounts become folders at the very end.
    """
    found = dict(base)
    for source in bulk:
        found.update(source)
    for name, value, literal in single:
        found[name] = expand(value, found) if literal else value
    given = {name for source in bulk for name in source} | {name for name, _, _ in single}
    return {name: substitute(value, mounts) if name in given else value for name, value in found.items()}


def command_line(words: Sequence[str], variables: Mapping[str, str], mounts: Mapping[str, Path]) -> list[str]:
    return [substitute(expand(word, variables), mounts) for word in words]
