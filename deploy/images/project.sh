#!/bin/sh
# Puts the project itself into the image's environment, writes what the image consists of (SBOM), and leaves in /project
# just what this adds: a layer of its own, the only one that a change of the code changes.
set -eu
. "$(dirname "$0")/common.sh"

cd /build/source
/build/tools/bin/python -m hatchling build -t wheel -d /build/wheels
/build/uv/bin/uv pip install -q --python "$environment/bin/python" --no-deps --no-index --find-links /build/wheels \
    sklearn-operator
compile "$environment"/lib/python3.13/site-packages/sklearn_*
mkdir -p "/project$environment"
cd "$environment"
tar -c bin/kubectl-sklearn bin/sklearn-operator lib/python3.13/site-packages/sklearn_* | tar -x -C "/project$environment"
mkdir -p /project/usr/share/sbom
/build/tools/bin/python "$(dirname "$0")/sbom.py" "$environment/bin/python" /rootfs/var/lib/dpkg/status.d \
    /build/source/pyproject.toml /project/usr/share/sbom/sklearn-operator.cdx.json
chmod -R u=rwX,go=rX /project
settle /project
