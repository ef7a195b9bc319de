"""Run by the operator's Python: a MinIO until stdin ends; says on its one line of output how to reach it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sklearn_sandbox import embedded, services


def main() -> None:
    with embedded.cluster(Path(sys.argv[1]), only=("minio",)) as running:
        sandbox = running.sandbox
        answer = {
            "AWS_ACCESS_KEY_ID": sandbox.access_key,
            "AWS_SECRET_ACCESS_KEY": sandbox.secret_key,
            "AWS_ENDPOINT_URL": sandbox.store_endpoint,
            "AWS_REGION": services.REGION,
            "bucket": services.BUCKET,
        }
        print(json.dumps(answer), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
