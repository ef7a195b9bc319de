#!/bin/sh
# Makes the Python environment of an image from uv.lock, everything checked by its hash, and writes what the image then
# consists of (SBOM). Beside it, in /build/tools, what project.sh needs.
#   sh dependencies.sh EXTRA...
set -eu
# Packages of the lock that have no wheel.
SOURCES=kfp-server-api
. "$(dirname "$0")/common.sh"

python3.13 -m venv /build/uv
/build/uv/bin/pip install -q --require-hashes --only-binary :all: -r "$(dirname "$0")/uv.txt"

sync() { # environment, options
    into=$1
    shift
    UV_PROJECT_ENVIRONMENT=$into /build/uv/bin/uv sync -q --directory /build/source --frozen \
        --no-install-project --python /usr/bin/python3.13 "$@"
}

# Wheels, so that nothing of what is downloaded runs while it is installed. What has none is left to the second call,
# which builds it with the setuptools that is then in the environment, and fetches no other tool for it.
extras=$(for extra in "$@"; do echo --extra "$extra"; done)
sync "$environment" $extras --no-build $(for name in $SOURCES; do echo --no-install-package "$name"; done)
sync "$environment" $extras --no-build-isolation
sync /build/tools --only-group images --no-build
rm -f "$environment"/bin/activate* "$environment"/bin/*.bat
compile "$environment/lib"
chmod -R u=rwX,go=rX "$environment"
mkdir -p /rootfs/usr/share/sbom
/build/tools/bin/python /build/images/sbom.py "$environment/bin/python" /rootfs/var/lib/dpkg/status.d \
    /build/source/pyproject.toml /rootfs/usr/share/sbom/sklearn-operator.cdx.json
settle /opt
settle /rootfs/usr/share
