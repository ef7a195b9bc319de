#!/bin/sh
# Puts the project itself into the image's environment and leaves in /project just what this adds: a layer of its own,
# the only one that a change of the code changes.
set -eu
. "$(dirname "$0")/common.sh"

cd /build/source
/build/tools/bin/python -m hatchling build -t wheel -d /build/wheels
/build/uv/bin/uv pip install -q --python "$environment/bin/python" --no-deps --no-index --find-links /build/wheels \
    sklearn-operator
# uv notes when it saw the wheel: the one file that would differ from build to build.
rm "$environment"/lib/python3.13/site-packages/sklearn_operator-*.dist-info/uv_cache.json
sed -i '/\/uv_cache.json,/d' "$environment"/lib/python3.13/site-packages/sklearn_operator-*.dist-info/RECORD
compile "$environment"/lib/python3.13/site-packages/sklearn_*
mkdir -p "/project$environment"
cd "$environment"
tar -c bin/kubectl-sklearn bin/sklearn-operator lib/python3.13/site-packages/sklearn_* |
    tar -x -C "/project$environment"
chmod -R u=rwX,go=rX /project
settle /project
