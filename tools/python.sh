#!/bin/sh
# Prints the path of a Python that can run ccproxy, or says in one line what is missing and exits 1.
#
#   tools/python.sh          one that can also make an environment by itself (has venv and ensurepip)
#   tools/python.sh bare     venv and ensurepip are not needed, because uv makes the environment
#
# Looks at $PYTHON, PATH, pyenv, Homebrew, MacPorts, python.org's framework, asdf, mise and what uv has. A candidate
# is run, never judged by its name: a shim may point nowhere, a `python3` may be any version. 3.13 and 3.14 come
# first because the locked packages have wheels for them.
set -u

bare=${1:-}
without_venv=""
too_old=""

# Prints the real path of the interpreter $1 if it is CPython >= 3.13 with the GIL; remembers why not.
probe() {
    found=$("$1" -I -c '
import importlib.util, sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
base = getattr(sys, "_base_executable", None) or sys.executable  # not the one of an environment that may go away
if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("other")
elif sys.version_info < (3, 13):
    print("old " + version)
elif importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
    print("bare " + base)
else:
    print("good " + base)
' 2>/dev/null) || return 1
    case $found in
        "good "*) result=${found#good } ;;
        "bare "*)
            result=${found#bare }
            if [ "$bare" != bare ]; then
                without_venv=${without_venv:-$result}
                return 1
            fi
            ;;
        "old "*)
            too_old="${too_old:+$too_old, }$1 is ${found#old }"
            return 1
            ;;
        *) return 1 ;;
    esac
    printf '%s\n' "$result"
    exit 0
}

if [ -n "${PYTHON:-}" ]; then
    probe "$PYTHON"
    echo "ccproxy: PYTHON=$PYTHON is not a CPython >= 3.13${without_venv:+ with the venv and ensurepip modules}" >&2
    exit 1
fi

# Every entry of PATH, not only the first: the first may be a shim that is switched off.
in_path() {
    old_ifs=$IFS
    IFS=:
    set -f
    for directory in $PATH; do
        IFS=$old_ifs
        set +f
        [ -x "${directory:-.}/$1" ] && probe "${directory:-.}/$1"
    done
    IFS=$old_ifs
    set +f
}

for minor in 13 14; do
    in_path "python3.$minor"
    for candidate in \
        "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3."$minor"*/bin/python3 \
        "${HOMEBREW_PREFIX:-/opt/homebrew}/bin/python3.$minor" \
        "${HOMEBREW_PREFIX:-/opt/homebrew}/opt/python@3.$minor/bin/python3.$minor" \
        "/usr/local/bin/python3.$minor" \
        "/usr/local/opt/python@3.$minor/bin/python3.$minor" \
        "/home/linuxbrew/.linuxbrew/bin/python3.$minor" \
        "/opt/local/bin/python3.$minor" \
        "/Library/Frameworks/Python.framework/Versions/3.$minor/bin/python3" \
        "${ASDF_DATA_DIR:-${HOME:-/nonexistent}/.asdf}"/installs/python/3."$minor"*/bin/python3 \
        "${HOME:-/nonexistent}"/.local/share/mise/installs/python/3."$minor"*/bin/python3 \
        "${HOME:-/nonexistent}"/.local/share/uv/python/cpython-3."$minor"*/bin/python3; do
        [ -x "$candidate" ] && probe "$candidate"
    done
done
in_path python3
in_path python
if command -v uv >/dev/null 2>&1; then
    managed=$(uv python find --no-python-downloads '>=3.13' 2>/dev/null) && probe "$managed"
fi

if [ -n "$without_venv" ]; then
    echo "ccproxy: $without_venv cannot make an environment (no ensurepip): run \`apt install python3-venv\` (or \`${without_venv##*/}-venv\`), or install uv" >&2
else
    echo "ccproxy: no Python >= 3.13 found${too_old:+ ($too_old)}: install one (\`apt install python3.13 python3.13-venv\`, \`brew install python@3.13\`, \`pyenv install 3.13\`) or uv, or set PYTHON=/path/to/python" >&2
fi
exit 1
