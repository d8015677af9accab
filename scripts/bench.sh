#!/usr/bin/env bash
# The benchmarks, with what they compare with: the official server, a private PostgreSQL, wrk.
set -euo pipefail
cd "$(dirname "$0")/.."

install_wrk() {
  command -v wrk >/dev/null && return
  command -v apt-get >/dev/null || return
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
  ((EUID == 0)) || apt=(sudo -n "${apt[@]}")
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends wrk; } >/dev/null 2>&1 </dev/null
}

install_wrk || echo "Skipped: the load, because wrk cannot be installed" >&2
if python=$(scripts/official.sh); then
  export PARSEC_OFFICIAL_PYTHON=$python
else
  echo "Skipped: the official server, so that there are no ratios to it" >&2
fi
exec scripts/postgresql.sh .venv/bin/python -m benches "$@"
