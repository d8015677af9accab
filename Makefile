# Bare `make` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VECTORS ?= tests/vectors
TESTS ?= tests
# Tests that need a part of their own have a target of their own.
SUITE := --ignore=tests/interop --ignore=tests/conformance
# What is tried again on the other database; the scenarios on two processes that answer in turns.
ON_POSTGRESQL := tests/server/store tests/server/service tests/server/machines tests/server/test_processes.py \
	tests/server/command/test_workers.py \
	tests/survival/test_server_kill_points.py tests/survival/test_server_postgresql_crash.py \
	tests/scenarios/test_recovery_story.py tests/conformance/test_vectors.py

# Pure floors, whose coverage is complete; what is excepted says why beside the line.
PURE := crypto wire data protocol
COMMA := ,
SPACE := $(subst ,, )

# Three minutes on two cores, then as much again for the lies.
FUZZ_SECONDS ?= 6
FUZZ_LIES ?= 150

.DEFAULT_GOAL := help
.PHONY: help install demo test check fix conformance coverage interop test-postgresql bench fuzz soak clean

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

install: $(STAMP) ## .venv with the package, its extras and the test tools; quiet when up to date
	@:

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Error: Python 3.11 or newer is needed (PYTHON=/path/to/python make install)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[server,postgres,keyring,pki]' --group dev
	@touch $@

demo: $(STAMP) ## A server and the stories of the mission, with real processes (KEEP=1 leaves the server running)
	@$(BIN)/python scripts/demo.py $(if $(KEEP),--keep)

test: $(STAMP) ## Every test that needs nothing but Python
	@$(BIN)/python -m pytest -q -n 2 -r s $(SUITE) $(TESTS)
	@$(MAKE) --no-print-directory conformance

check: $(STAMP) ## Format, lint, strict types, import contracts
	@$(BIN)/ruff format --check --quiet . || { echo "Error: run make fix" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

fix: $(STAMP) ## Repair format and lint
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

conformance: $(STAMP) ## All vector files of VECTORS=DIR (default: our own copy), one test case per vector
	@$(BIN)/python -m pytest -q -n 2 -r s tests/conformance --vectors=$(VECTORS)

coverage: $(STAMP) ## The pure floors are tested by themselves to the last branch
	@$(BIN)/coverage run --branch --source=$(subst $(SPACE),$(COMMA),$(PURE:%=src/parsec/%)) \
		-m pytest -q $(PURE:%=tests/%)
	@$(BIN)/coverage report -m --skip-covered --fail-under=100

interop: $(STAMP) ## The stories against the official server 3.9.3, in a venv of its own
	@scripts/interop.sh

test-postgresql: $(STAMP) ## Storage, services and scenarios on a private PostgreSQL cluster
	@scripts/postgresql.sh $(BIN)/python -m pytest -q -n 2 -r s $(ON_POSTGRESQL) \
		-k "not test_vector or server-scenarios" --vectors=$(VECTORS)

bench: $(STAMP) ## The benchmarks, next to the official server (QUICK=1: under two minutes, ONLY="load startup")
	@scripts/bench.sh $(if $(QUICK),--quick) $(ONLY)

fuzz: $(STAMP) ## The bounded fuzzers (FUZZ_SECONDS=6 each, FUZZ_LIES=150 about each story)
	@$(BIN)/python -c 'import atheris' 2>/dev/null \
		|| $(BIN)/python -m pip install -q --disable-pip-version-check --only-binary=atheris \
			--group fuzz 2>/dev/null \
		|| echo "SKIPPED atheris: there is no wheel of it for this Python and machine, or no network" >&2
	@$(BIN)/python scripts/fuzz.py --seconds $(FUZZ_SECONDS) --lies $(FUZZ_LIES)

soak: $(STAMP) ## The bounded survival run: servers die under load (SOAK_SECONDS=180, SOAK_SEED=…)
	@$(BIN)/python scripts/soak.py

clean: ## Remove what the other targets made
	@rm -rf $(VENV) .venv-official .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
