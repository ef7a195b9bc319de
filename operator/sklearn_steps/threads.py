"""As many threads as the task may use, not as many as the node has.

Invariant: called before numpy is imported, because the libraries read the environment once. A variable that is set
already is somebody's decision and stays.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from sklearn_steps import contract

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


def limit(env: MutableMapping[str, str] = os.environ, cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Set the limits; how many cores the task has."""
    cores = _stated(env.get(contract.CPU_LIMIT_ENV, "")) or min(_present(), _quota(cgroup))
    for name in _VARIABLES:
        env.setdefault(name, str(cores))
    return cores


def _present() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _stated(text: str) -> int:
    """Whole cores out of ``2``, ``0.5`` or ``500m``; 0 where nothing usable is said."""
    try:
        value = float(text[:-1]) / 1000 if text.endswith("m") else float(text or 0)
    except ValueError:
        return 0
    return max(1, math.floor(value)) if math.isfinite(value) and value > 0 else 0


def _quota(path: Path) -> int:
    """Whole cores of the cgroup's quota; many where there is none."""
    try:
        quota, period = path.read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 1 << 16


@contextlib.contextmanager
def limited(cores: int) -> Iterator[None]:
    """Within, libraries use so many threads; those that are loaded later do so for the rest of the process."""
    import threadpoolctl

    os.environ.update({name: str(cores) for name in _VARIABLES})
    with threadpoolctl.threadpool_limits(cores):
        yield
