# Needs Python 3.11 or newer and make; everything else is fetched once into .venv (and Kafka into the Maven cache).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The packages are imported from here, installed or not.
export PYTHONPATH := $(CURDIR)

# The first Python that is new enough and can make an environment; PYTHON=… to choose another.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)

.PHONY: help demo test check fmt faults bench clean lock

help: ## Show this.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/base.stamp ## Everything end to end on generated events, checked (KEEP=1 leaves it running).
	$(BIN)/python -m streamer demo $(ARGS)

test: $(VENV)/dev.stamp ## All tests, on real Kafka and PostgreSQL.
	$(BIN)/python -m pytest --whole $(ARGS)

check: $(VENV)/dev.stamp ## Format, lint, types, layers, dependencies, lock files.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m tests.locks

fmt: $(VENV)/dev.stamp ## Format, and fix what can be fixed.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

faults: $(VENV)/dev.stamp ## Every fault on the whole chain (SEED=…, FAULT=5,poison, HOURS=2, CONTROLS=1).
	$(BIN)/python -m tests.faults $(ARGS)

bench: $(VENV)/base.stamp ## Ours beside its peers and plain loops: docs/performance.md (50 minutes; ARGS=--quick).
	$(BIN)/python -m bench $(ARGS)

clean: ## Stop the local servers, remove their data, the environment and all caches.
	@if [ -x $(BIN)/python ] && [ -d .streamer/local ]; then STREAMER_HOME= $(BIN)/python -m streamer local down --purge; fi
	rm -rf $(VENV) .streamer build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE := $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

lock: $(VENV)/dev.stamp ## Renew the lock files from requirements/*.in (ARGS=--upgrade for newer versions).
	$(COMPILE) $(ARGS) --output-file requirements/base.txt requirements/base.in
	$(COMPILE) $(ARGS) --constraint requirements/base.txt --output-file requirements/dev.txt requirements/base.in requirements/dev.in

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11 or newer that can make an environment (venv, ensurepip)"; \
		echo "  next: install it (Debian, Ubuntu: python3.11 and python3.11-venv), or name one: make PYTHON=/path/to/python"; \
		exit 78; fi >&2
	"$(PYTHON)" -m venv $(VENV)

# The environment holds what the lock files name, checked by hash, and a link to this folder.
$(VENV)/%.stamp: requirements/%.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement $<
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
