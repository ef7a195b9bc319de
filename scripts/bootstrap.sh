#!/bin/sh
# Makes both environments of the project, on a machine that has only Python >= 3.11 and a network:
#   .venv          the operator, the sandbox and the tools of development
#   .venv-trainer  what the task pods and the serving pods run
# Safe to repeat and to interrupt; says nothing and takes no time when nothing changed.
set -eu

UV_PIN=0.13.8

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SKLEARN_OPERATOR_CACHE:-$HOME/.cache/sklearn-operator}
uv=$cache/uv/bin/uv
stamp=$(cat "$root/uv.lock" "$root/pyproject.toml" "$root/scripts/bootstrap.sh" | cksum)

# Trust what the machine trusts, where it has a list of its own (uv brings another one along).
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -s "$bundle" ]; then
        export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS-true}"
    fi
done

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

usable() { # is this a Python the project runs on?
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python; do
        if usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found on PATH; install one, or name it: make PYTHON=/path/to/python3.12"
}

install_uv() { # into a folder of its own; it gets its name only when it is complete
    [ "$(cat "$cache/uv/pin" 2>/dev/null)" = "$UV_PIN" ] && [ -x "$uv" ] && return
    printf 'setup: installing uv %s into %s\n' "$UV_PIN" "$cache/uv"
    work=$cache/.uv-unfinished.$$
    rm -rf "$cache"/.uv-unfinished.*
    mkdir -p "$work"
    if "$python" -m venv "$work/venv" >"$work/log" 2>&1; then
        pip=$work/venv/bin/python
    elif "$python" -m pip --version >/dev/null 2>&1; then
        pip=$python # Debian without python3-venv; --target leaves the system's packages alone
    else
        cat "$work/log" >&2
        fail "$python has neither a working venv nor pip; on Debian and Ubuntu: apt-get install python3-venv"
    fi
    "$pip" -m pip install --quiet --disable-pip-version-check --target "$work/uv" "uv==$UV_PIN" ||
        fail "uv could not be installed; is the package index reachable?"
    printf '%s\n' "$UV_PIN" >"$work/uv/pin"
    rm -rf "$cache/uv"
    mv "$work/uv" "$cache/uv"
    rm -rf "$work"
}

fresh() { # is this environment already what the lock file says?
    [ -x "$root/$1/bin/python" ] && [ "$(cat "$root/$1/.stamp" 2>/dev/null)" = "$stamp" ]
}

sync() { # environment, then what goes into it
    environment=$1
    shift
    fresh "$environment" && return
    printf 'setup: %s\n' "$environment"
    # An environment that works keeps its Python: another one would mean to make it anew.
    usable "$root/$environment/bin/python" || set -- --python "$python" "$@"
    [ -t 2 ] || set -- --quiet "$@"
    rm -f "$root/$environment/.stamp"
    env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT="$root/$environment" \
        "$uv" sync --directory "$root" --locked --compile-bytecode "$@"
    printf '%s' "$stamp" >"$root/$environment/.stamp"
}

if fresh .venv && fresh .venv-trainer && [ -x "$uv" ]; then
    exit 0
fi
python=$(find_python)
install_uv
sync .venv --extra operator --extra tracing --group dev --group docs
sync .venv-trainer --extra trainer --group trainer-dev
