#!/bin/sh
# Makes the environment `.venv`, or brings it up to date; silent, quick and without network when it already is.
#
#   tools/setup.sh run       what ccproxy needs (requirements.lock)
#   tools/setup.sh dev       that, and what checks and tests need (requirements-dev.lock)
#
# Packages come from the lock files, hash-checked; uv installs them where it is there, pip where it is not. ccproxy
# itself is installed editable, by the build backend from the lock, with no network. `.venv/identity` notes the place
# and the interpreter: when they no longer fit (moved, broken, interpreter gone) the environment is made anew.
# `.venv/installed-KIND` notes the very text of what was installed from: when that changes it is installed again.
set -eu

cd "$(dirname "$0")/.."
kind=${1:-run}
case $kind in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *)
        echo "usage: tools/setup.sh run|dev" >&2
        exit 2
        ;;
esac
venv_python=.venv/bin/python
unset PYTHONHOME PYTHONPATH UV_SYSTEM_PYTHON

# What the environment must fit whatever is installed in it: where it is and what runs it.
identity() {
    pwd -P
    "$venv_python" -I -c 'import sys; print(sys.version, sys._base_executable); sys.exit(sys.version_info < (3, 13))' 2>/dev/null
}

# Everything that the content of the environment is made from. A dev environment is a run environment too.
inputs() {
    cat .venv/identity pyproject.toml requirements.lock
    [ "$1" = run ] || cat requirements-dev.lock
}

is_ready() {
    [ -f ".venv/installed-$1" ] && inputs "$1" | cmp -s - ".venv/installed-$1"
}

have_uv() {
    [ "${CCPROXY_SETUP:-}" != pip ] && command -v uv >/dev/null 2>&1
}

make_environment() {
    rm -rf .venv
    if have_uv; then
        if ! interpreter=$(sh tools/python.sh bare 2>&1); then
            [ -z "${PYTHON:-}" ] || { echo "$interpreter" >&2 && exit 1; }
            uv python install 3.13 || { echo "$interpreter" >&2 && exit 1; }
            interpreter=3.13
        fi
        echo "ccproxy: making .venv with uv and $interpreter"
        uv venv --quiet --no-project --python "$interpreter" .venv
    else
        interpreter=$(sh tools/python.sh) || exit 1
        echo "ccproxy: making .venv with $interpreter"
        "$interpreter" -m venv .venv
    fi
    identity >.venv/identity
}

with_uv() {
    uv pip install --quiet --python "$venv_python" --require-hashes --requirements "$lock" &&
        uv pip install --quiet --python "$venv_python" --offline --no-deps --no-build-isolation --editable .
}

with_pip() {
    # PIP_USER in someone's configuration would make pip refuse an environment.
    export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
    { "$venv_python" -m pip --version >/dev/null 2>&1 || "$venv_python" -m ensurepip >/dev/null; } &&
        "$venv_python" -m pip install --quiet --require-hashes --requirement "$lock" &&
        "$venv_python" -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
}

install_locked() {
    rm -f .venv/installed-*
    if have_uv; then
        echo "ccproxy: installing $lock with uv"
        installer=with_uv
    else
        echo "ccproxy: installing $lock with pip"
        installer=with_pip
    fi
    $installer || {
        echo "ccproxy: $lock could not be installed, see above for why (the first time needs the network)" >&2
        exit 1
    }
    inputs "$kind" >".venv/installed-$kind"
}

if ! identity 2>/dev/null | cmp -s - .venv/identity; then
    make_environment
fi
if is_ready dev || is_ready "$kind"; then
    exit 0
fi
install_locked
