#!/usr/bin/env bash
# Installs the official server, a black box, in a venv of its own, and says where its Python is.
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
  "$python" -m venv --clear "$venv" >&2
  "$venv/bin/python" -m pip install -q --disable-pip-version-check "parsec-cloud==$release" >&2
  touch "$venv/.installed-$release"
fi
echo "$PWD/$venv/bin/python"
