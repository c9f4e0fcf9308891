#!/bin/sh
# Debian ships Python without the module that makes virtual environments; fetch it when we may, else say what to do.
set -eu
python=$1 venv=$2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    exec "$python" -m venv "$venv"
fi
echo "Python's module venv is missing. On Debian: sudo apt-get install python3-venv" >&2
exit 1
