#!/bin/sh
# Builds the images of deploy/images.
#   sh scripts/images.sh          with the docker, podman or buildah of this machine; SBOMs go to build/images/
#   sh scripts/images.sh local    for the tests, without a registry, as root on Debian or Ubuntu: with Debian's buildah,
#                                 installed where it is missing, from a base made here. Last line: the store's folder
set -eu

cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
cache=${SKLEARN_OPERATOR_CACHE:-$HOME/.cache/sklearn-operator}/images
names='operator trainer'
# One time for everything in the images: the same sources give the same bytes.
epoch=315532800

say() {
    printf 'images: %s\n' "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

authorities() { # of a network that checks what goes through it: for downloads, never in the image
    for bundle in ${SSL_CERT_FILE:+"$SSL_CERT_FILE"} /etc/ssl/certs/ca-certificates.crt; do
        if [ -s "$bundle" ]; then
            printf '%s' "--secret=id=authorities,src=$bundle"
            return
        fi
    done
}

with_builder() {
    if docker info >/dev/null 2>&1; then
        builder='docker build'
        export DOCKER_BUILDKIT=1 SOURCE_DATE_EPOCH=$epoch
    elif podman info >/dev/null 2>&1; then
        builder="podman build --format docker --timestamp $epoch" # the OCI's format knows no HEALTHCHECK
    elif buildah info >/dev/null 2>&1; then
        builder="buildah build --format docker --timestamp $epoch"
    else
        fail 'none of docker, podman and buildah works here; install one. (make image-test brings its own, as root on Debian)'
    fi
    revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
    for name in $names; do
        image=ghcr.io/sklearn-operator/$name:$version
        say "$builder: $image"
        set -- --file "deploy/images/$name.Containerfile" --build-arg "VERSION=$version" $(authorities)
        $builder "$@" --target sbom --output "type=local,dest=build/images/$name" .
        $builder "$@" --build-arg "REVISION=$revision" --tag "$image" .
    done
}

install_tools() { # Debian's own, for which no registry is needed
    missing=''
    for tool in buildah mmdebstrap; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
        -o Dpkg::Options::=--force-unsafe-io $missing; } >"$cache/install.log" 2>&1 ||
        fail "cannot install$missing, see $cache/install.log"
}

make_base() { # the same Debian as the Containerfiles', by mmdebstrap
    suite=$(sed -n 's/^ARG BASE=.*debian:\([a-z]*\)-slim@.*/\1/p' deploy/images/operator.Containerfile)
    base=$cache/base-$suite.tar
    if [ ! -s "$base" ]; then
        say "making a base of Debian $suite"
        mmdebstrap --quiet --variant=apt --dpkgopt=force-unsafe-io "$suite" "$base.part" >&2
        mv "$base.part" "$base"
    fi
}

locally() {
    [ "$(id -u)" = 0 ] || fail 'a root file system is built by root; or use docker, podman or buildah: make images'
    command -v apt-get >/dev/null || fail 'this is no Debian; use docker, podman or buildah: make images'
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    install_tools
    make_base
    store=$cache/store
    mkdir -p "$store"
    buildah="buildah --root $store --runroot $store/run --storage-driver overlay"
    # Layers of other days are of no use; there is no telling them from those that are, but by beginning anew.
    crowded=$(ls "$store/overlay" 2>/dev/null | wc -l)
    others=$($buildah images --format '{{.Name}}' 2>/dev/null | grep -c -- -dependencies || true)
    if [ "$crowded" -gt 1000 ] || [ "$others" -gt 8 ]; then
        drop "$store"
    fi
    if ! known "localhost/base:$suite"; then
        container=$($buildah from scratch)
        $buildah add -q "$container" "$base" / >/dev/null
        $buildah commit -q "$container" "localhost/base:$suite" >/dev/null
        $buildah rm "$container" >/dev/null
    fi
    for name in $names; do
        key=$(dependencies_of "$name" | cksum)
        dependencies=localhost/$name-dependencies:${key%% *}
        known "$dependencies" || one_locally "$name" --target dependencies --tag "$dependencies"
        # In which a test makes the project's layer a second time.
        known "localhost/$name-build:${key%% *}" ||
            one_locally "$name" --target build --tag "localhost/$name-build:${key%% *}" --tag "localhost/$name-build"
        # Else the builder would hash all of it to see that it is the same.
        one_locally "$name" --build-context "dependencies=container-image://$dependencies" --tag "localhost/$name"
    done
    printf '%s\n' "$store"
}

dependencies_of() { # name: all that the layers below the project's own are made from
    echo "$base"
    cat "deploy/images/$1.Containerfile" pyproject.toml uv.lock
    for file in common.sh prepare.sh system.sh dependencies.sh sbom.py uv.txt; do
        cat "deploy/images/$file"
    done
}

drop() { # store; what was interrupted may have left mounts in it, and nobody waits for a hundred thousand files
    awk -v within="$1/" 'index($2, within) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    mv "$1" "$cache/.dropped-$$"
    mkdir "$1"
    nice rm -rf "$cache"/.dropped-* </dev/null >/dev/null 2>&1 9>&- &
}

known() { # image
    $buildah inspect --type image "$1" >/dev/null 2>&1
}

one_locally() { # name, options
    name=$1
    shift
    say "building $name"
    $buildah build --layers --isolation chroot --timestamp "$epoch" --file "deploy/images/$name.Containerfile" \
        --build-arg "BASE=localhost/base:$suite" --build-arg DEBIAN= --build-arg DEBIAN_SECURITY= \
        --build-arg "VERSION=$version" $(authorities) "$@" . >"$cache/$name.log" 2>&1 ||
        { tail -n 30 "$cache/$name.log" >&2 && fail "$name is not built, see $cache/$name.log"; }
}

case ${1:-build} in
build) with_builder ;;
local) locally ;;
*) fail 'usage: sh scripts/images.sh [build|local]' ;;
esac
