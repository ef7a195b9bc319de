"""How large a table may become: a third of the task's memory limit.

The other two thirds are for the split, which copies, and for what an estimator makes of it. Invariant: a table that is
over the limit is refused while it is read, with the limit and the remedy; it never takes the node's memory first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sklearn_steps import contract, errors

_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_SHARE = 3


@dataclass(frozen=True)
class Budget:
    """``limit``: the task's memory in bytes. ``where``: the source, for messages."""

    limit: int
    where: str

    @property
    def table(self) -> int:
        return self.limit // _SHARE

    def check(self, size: int, rows: int, whole: bool = False) -> None:
        """``size``: bytes that ``rows`` rows take; ``whole``: they are all there are."""
        if size <= self.table:
            return
        how = f"its {rows:,} rows take" if whole else f"the first {rows:,} rows alone take"
        raise errors.UserError(
            "DataTooLarge",
            f"data.source {self.where}: {how} {_mib(size)} of memory, and a table may take {_mib(self.table)}, a third "
            f"of the task's memory limit ({_mib(self.limit)}); raise training.resources.limits.memory, name fewer "
            "columns in data.features.include, or use fewer rows",
        )


def budget(where: str, env: Mapping[str, str] = os.environ, cgroups: tuple[Path, ...] = _CGROUPS) -> Budget:
    """By the container's limit, else by the machine's memory."""
    stated = env.get(contract.MEMORY_LIMIT_ENV, "")
    limits = [int(stated)] if stated.isdecimal() and int(stated) else []
    limits += [limit for limit in map(_of_cgroup, cgroups) if limit]
    return Budget(min([*limits, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]), where)


def _of_cgroup(path: Path) -> int:
    """0 where there is no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
