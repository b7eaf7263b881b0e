#!/bin/sh
# Writes requirements.lock (what ccproxy needs, and its build backend) and requirements-dev.lock (that, the
# dev group and the extra `postgres`, on the same pins) from pyproject.toml. Needs uv. Keeps existing pins that still fit; `--upgrade` as argument
# takes the newest versions, `--upgrade-package NAME` the newest of one. The files hold no address of an index.
set -eu

cd "$(dirname "$0")/.."
if ! command -v uv >/dev/null 2>&1; then
    echo "ccproxy: writing the lock files needs uv (\`pip install uv\`)" >&2
    exit 1
fi
python=$(sh tools/python.sh bare)

# The build backend is locked too, so that the editable install needs no network.
backend=$("$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")')

compile() {
    output=$1
    shift
    printf '%s\n' "$backend" | uv pip compile pyproject.toml - "$@" --quiet --universal --python-version 3.13 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --output-file "$output"
}

compile requirements.lock "$@"
compile requirements-dev.lock --group dev --extra postgres --constraints requirements.lock "$@"
