"""``make demo``: what a new user sees first. Sandbox, sample, training, serving, a prediction, and what to type next.

Invariant: everything shown is asked from the running system with the same means a user has (kubectl and HTTP).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich import console, status

from sklearn_sandbox import assets, errors, lifecycle, objects, paths, progress, state

PATIENCE = 180.0
SERVER_PATIENCE = 20.0
POLL = 0.2
NAME = "digits"


def main() -> None:
    out = console.Console(highlight=False)
    try:
        run(paths.state_folder(), out)
    except (errors.SandboxError, httpx.HTTPError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; `make demo` goes on from here, `make sandbox-down` stops the sandbox", file=sys.stderr)
        sys.exit(130)


def run(home: Path, out: console.Console) -> None:
    began = time.monotonic()
    with progress.reporting(out) as reporter:
        sandbox = lifecycle.up(home, reporter=reporter)
        kubectl = assets.kubectl(reporter)
    up_after = time.monotonic() - began

    def ask(*arguments: str) -> str:
        return objects.run(sandbox, kubectl, arguments)

    samples = paths.project_root() / "deploy" / "samples"
    out.print(f"\nThe sandbox is up ({up_after:.0f} s).\n")
    out.print(f"$ kubectl apply -f deploy/samples/{NAME}.yaml", style="bold")
    out.print(ask("apply", "-f", str(samples / f"{NAME}.yaml")).rstrip())
    model = wait_ready(lambda: json.loads(ask("get", "skm", NAME, "-o", "json")), out)
    out.print("\n$ kubectl get skm,skmv", style="bold")
    out.print(ask("get", "skm,skmv").rstrip(), soft_wrap=True)
    out.print(f"\nOn the test part, {model['servingVersion']} reaches:")
    for name, value in model.get("metrics", {}).items():
        out.print(f"  {name:<24} {value}")
    show_prediction(model["url"], samples / "requests" / "digit-8.json", out)
    out.print(advice(sandbox, model["url"]), soft_wrap=True, markup=False)
    out.print(f"\nDone in {time.monotonic() - began:.0f} s.")


def wait_ready(fetch: Callable[[], dict[str, Any]], out: console.Console) -> dict[str, Any]:
    """The status, once it is Ready for the current generation; says each phase as it comes."""
    began = time.monotonic()
    seen = ""
    with status.Status("waiting for the operator", console=out) as display:
        while time.monotonic() - began < PATIENCE:
            model = fetch()
            found: dict[str, Any] = model.get("status", {})
            conditions = {condition["type"]: condition for condition in found.get("conditions", [])}
            phase = str(found.get("phase", ""))
            ready = conditions.get("Ready", {})
            if phase and phase != seen:
                out.print(
                    f"  {time.monotonic() - began:5.1f} s  {phase:<12} {ready.get('message', '')}", soft_wrap=True
                )
                display.update(phase)
                seen = phase
            current = found.get("observedGeneration") == model["metadata"]["generation"]
            if current and ready.get("status") == "True" and conditions.get("Reconciling", {}).get("status") != "True":
                return found
            if current and conditions.get("Stalled", {}).get("status") == "True":
                said = ready.get("message") or conditions["Stalled"].get("message", "")
                raise errors.SandboxError(f"{NAME} is {phase}: {said}")
            time.sleep(POLL)
    raise errors.SandboxError(
        f"{NAME} was not Ready after {PATIENCE:.0f} s; see: kubectl describe skm {NAME}, "
        "sklearn-operator sandbox status, sklearn-operator sandbox logs operator"
    )


def show_prediction(url: str, request: Path, out: console.Console) -> None:
    body = json.loads(request.read_text())
    pixels = body["inputs"][0]["data"]
    out.print("\nA digit it has never seen (the last row of load_digits()):\n")
    out.print(draw(pixels))
    answer = infer(url, body)
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    out.print(f"\nThe served model says: [bold green]{outputs['predict'][0]}[/]")


def infer(url: str, body: dict[str, Any]) -> httpx.Response:
    """A sandbox that was just started again has a model that is Ready on paper before its server is back."""
    deadline = time.monotonic() + SERVER_PATIENCE
    while True:
        try:
            answer = httpx.post(f"{url}/v2/models/{NAME}/infer", json=body, timeout=30.0, trust_env=False)
            return answer.raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL)


def draw(pixels: list[int]) -> str:
    """Eight by eight grey values from 0 to 16, two characters each."""
    shades = " ░▒▓█"
    rows = [pixels[start : start + 8] for start in range(0, 64, 8)]
    return "\n".join("  " + "".join(shades[min(4, value // 4)] * 2 for value in row) for row in rows)


def advice(sandbox: state.Sandbox, url: str) -> str:
    sample = "deploy/samples"
    change = '{"spec":{"model":{"estimator":{"params":{"gamma":0.0005}}}}}'
    return f"""
What to type next (from this folder):

  export KUBECONFIG={sandbox.kubeconfig}
  export PATH="{sandbox.home / "bin"}:{paths.operator_bin()}:$PATH"

what there is, why it is so, and what a manifest may say:

  kubectl get skm,skmv,isvc,pods
  kubectl describe skm {NAME}
  kubectl explain skm.spec.model

a prediction, another model, and a change, which is trained while the old version goes on answering:

  curl -s {url}/v2/models/{NAME}/infer -H 'Content-Type: application/json' -d @{sample}/requests/digit-8.json
  kubectl apply -f {sample}/iris.yaml
  kubectl patch skm {NAME} --type merge -p '{change}'
  kubectl get skm {NAME} -w

deleting the model with all that belongs to it, and stopping the sandbox:

  kubectl delete skm {NAME}
  sklearn-operator sandbox status
  make sandbox-down"""


if __name__ == "__main__":
    main()
