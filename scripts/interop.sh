#!/usr/bin/env bash
# The stories against the official server, which is installed as a black box in a venv of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

release=3.9.3
venv=.venv-official

find_python() {
  for candidate in "${OFFICIAL_PYTHON:-}" python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3.12; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null && "$candidate" -c \
      'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Error: the official server needs Python 3.12 (OFFICIAL_PYTHON=/path/to/python3.12)" >&2
  exit 1
}

if [ ! -f "$venv/.installed-$release" ]; then
  python=$(find_python)
  "$python" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check "parsec-cloud==$release"
  touch "$venv/.installed-$release"
fi

PARSEC_OFFICIAL_PYTHON="$PWD/$venv/bin/python" .venv/bin/python -m pytest -q -n 2 -r s tests/interop "$@"
