"""What an image consists of, as CycloneDX: its Python environment by cyclonedx-bom, and its Debian packages.

    python sbom.py PYTHON STATUS_FOLDER PYPROJECT OUTPUT

Invariant: the same contents give the same bytes, and what is written is valid.
"""

from __future__ import annotations

import email
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(python: str, status: str, pyproject: str, output: str) -> int:
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", pyproject]
    command += ["--mc-type", "application", "--spec-version", "1.6", "--output-format", "JSON"]
    command += ["--output-reproducible", "--no-validate", python]
    document = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    document["components"] += [debian(path.read_text()) for path in sorted(Path(status).iterdir())]
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        print(f"not a valid SBOM: {wrong}", file=sys.stderr)
        return 1
    Path(output).write_text(text)
    return 0


def debian(control: str) -> dict[str, Any]:
    """The component that a control file describes."""
    fields = email.message_from_string(control)
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
