"""The serving runtime with published models, run by the trainer environment's Python.

``python asked_of_runtime.py FOLDER`` takes each folder there for a version's artifacts, with rows.json beside them, and
prints as JSON what the runtime's application answers to a V2 request for all its outputs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from sklearn_runtime import artifact, inference, metrics, web


def application(folder: Path) -> web.Application:
    served = artifact.load(folder, folder.name, None, None)
    counted = metrics.Metrics(served, CollectorRegistry())
    return web.Application(inference.Inference(served, counted), counted, web.MAX_BODY_BYTES)


def rows_of(folder: Path) -> list[list[float]]:
    return list(json.loads((folder / "rows.json").read_bytes()))


async def asked(folder: Path) -> dict[str, Any]:
    app, rows = application(folder), rows_of(folder)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pod") as client:
        described = (await client.get(f"/v2/models/{folder.name}")).raise_for_status().json()
        body = {
            "inputs": [{"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}],
            "outputs": [{"name": output["name"]} for output in described["outputs"]],
        }
        answer = (await client.post(f"/v2/models/{folder.name}/infer", json=body)).raise_for_status().json()
    return {output["name"]: {"shape": output["shape"], "data": output["data"]} for output in answer["outputs"]}


def main(folders: Path) -> None:
    print(json.dumps({folder.name: asyncio.run(asked(folder)) for folder in sorted(folders.iterdir())}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
