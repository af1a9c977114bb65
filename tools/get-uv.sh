#!/bin/sh
# Puts uv into the folder $1 with whatever this machine's python3 has: venv, else pip; else says what to install.
set -eu
into=$1
log=$into/get-uv.log

need() {
    echo "uv is missing and cannot be fetched: $1" >&2
    [ -s "$log" ] && sed 's/^/  /' "$log" | tail -n 5 >&2
    exit 1
}

rm -rf "$into" && mkdir -p "$into"
command -v python3 >/dev/null 2>&1 || need "there is no python3. On Debian: apt-get install python3 python3-venv"
echo "bringing uv into $into" >&2
if python3 -m venv "$into" >"$log" 2>&1; then
    "$into/bin/python" -m pip install --quiet --disable-pip-version-check uv >"$log" 2>&1 \
        || need "pip could not install it (is the package index reachable?)"
elif python3 -m pip --version >>"$log" 2>&1; then
    # Debian's python3 without python3-venv may still have pip.
    python3 -m pip install --quiet --disable-pip-version-check --target "$into/lib" uv >>"$log" 2>&1 \
        || need "pip could not install it (is the package index reachable?)"
    mkdir -p "$into/bin" && ln -sf ../lib/bin/uv "$into/bin/uv"
else
    need "python3 has neither venv nor pip. On Debian: apt-get install python3-venv"
fi
"$into/bin/uv" --version >&2
