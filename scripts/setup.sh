#!/bin/sh
# Create the virtual environment VENV with PYTHON and install tuckprune with its development tools in it.
# Usage: scripts/setup.sh PYTHON VENV [--lowest]   (--lowest: the lower bounds of pyproject.toml, and pytest for them)
set -eu
python=$1
venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: expected Python 3.11 or newer, found $("$python" --version 2>&1); run 'make PYTHON=/path/to/python3.11'" >&2
    exit 1
}

# Debian ships the venv module without ensurepip; its python3-venv package completes it.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv
    else
        echo "setup: $python cannot create virtual environments; run 'sudo apt-get install python3-venv' first" >&2
        exit 1
    fi
fi

"$python" -m venv "$venv"
echo "setup: installing tuckprune into $venv (TensorFlow is large: a few minutes on a slow line)"
"$venv/bin/pip" install --quiet --upgrade pip
if [ "${3:-}" = --lowest ]; then
    "$venv/bin/python" scripts/dev/lowest.py >"$venv/lowest.txt"
    "$venv/bin/pip" install --quiet --editable '.[tests]' --constraint "$venv/lowest.txt"
else
    "$venv/bin/pip" install --quiet --editable '.[dev]'
fi
