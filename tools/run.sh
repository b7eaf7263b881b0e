#!/bin/sh
# Starts ccproxy from the environment of the checkout; where there is no configuration yet, writes one first.
# Arguments are those of `ccproxy start`.
set -eu

bin=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin

# Asks ccproxy where its configuration is, so that there is no second rule here.
has_config() {
    "$bin/python" -c 'import sys; from ccproxy.util import paths; sys.exit(not (paths.config_dir() / paths.CONFIG_NAME).exists())'
}

case " $* " in
    *" --config"*) ;;
    *) has_config || "$bin/ccproxy" init ;;
esac
exec "$bin/ccproxy" start "$@"
