#!/usr/bin/env bash
# The stories against the official server, which is installed as a black box in a venv of its own; its
# compiled types against ours; and both against our server on PostgreSQL, in two worker processes.
set -euo pipefail
cd "$(dirname "$0")/.."

PARSEC_OFFICIAL_PYTHON=$(scripts/official.sh)
export PARSEC_OFFICIAL_PYTHON
scripts/postgresql.sh .venv/bin/python -m pytest -q -n 2 -r s tests/interop "$@"
