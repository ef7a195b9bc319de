"""Load on one address by ``wrk``, a C program that sends the same bytes again and again and parses next to nothing.

A client in Python would take more time for a request than the servers take to answer it, and would hide what differs.
Invariant: only answers with a 2xx count; one that is not, or one socket error, and nothing was measured.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import place as places

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("%s", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency, requests)
  local wrong = summary.errors
  print(string.format('{"requests": %%d, "micros": %%d, "p50": %%d, "p99": %%d, "wrong": %%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of it; the times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float


def load(url: str, body: Path, connections: int, seconds: int) -> Load:
    """So many connections, each with one request after the other, for so long."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise places.NotMeasured("serving: wrk is not installed; on Debian and Ubuntu: apt-get install wrk")
    script = body.with_suffix(".lua")
    script.write_text(SCRIPT % body)
    command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    done = subprocess.run([*command, "--script", str(script), url], capture_output=True, text=True, check=False)
    if done.returncode:
        raise places.NotMeasured(f"serving: wrk: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["wrong"] or not found["requests"]:
        raise places.NotMeasured(f"serving: {url}: {found['wrong']} of {found['requests']} requests went wrong")
    return Load(found["requests"], found["micros"] / 1e6, found["p50"] / 1e3, found["p99"] / 1e3)
