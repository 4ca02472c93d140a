# `make help` lists the targets. Everything runs in .venv and keeps its state in .local.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
.DEFAULT_GOAL := help
.PHONY: help install demo demo-data up down status test check faults bench bench-growth bench-backlog bench-pages fuzz format lock clean

help: ## Lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Creates .venv and installs the locked dependencies

$(STAMP): requirements/all.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 …"; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# uv installs in seconds; pip reads the same locked file where uv has no build for the machine.
	@if $(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt; then \
	  VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/all.txt && \
	  VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e . ; \
	else \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements/all.txt && \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(STAMP)

demo: $(STAMP) ## Runs the whole way of a webhook once, on a stack of its own, and prints what became of each
	@$(BIN)/ctwa demo

demo-data: $(STAMP) ## Fills the running local stack's workspace "demo" with a made-up business (DAYS=60)
	@$(BIN)/ctwa demo-data --days $${DAYS:-60} --again

up: $(STAMP) ## Starts the local stack and keeps it up (Ctrl-C stops it)
	@$(BIN)/ctwa up

down: $(STAMP) ## Stops the local stack
	@$(BIN)/ctwa down

status: $(STAMP) ## Says how the running stack is
	@$(BIN)/ctwa status

test: $(STAMP) ## Runs the tests: unit, fuzz and integration side by side, then the whole stack and faults
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || echo "No Chromium here (apt-get install chromium): tests that look at pages are skipped."
	@$(BIN)/python -m pytest -q tests/unit tests/fuzz tests/integration -n auto --maxprocesses 4 --dist loadfile
	@$(BIN)/python -m pytest -q tests/faults tests/e2e -n 2 --dist loadfile

faults: $(STAMP) ## Kills, freezes and cuts everything, and counts what is lost (half an hour)
	@$(BIN)/python -m tests.faults $(FAULTS)

bench: $(STAMP) ## Measures speed, cost and memory, and writes docs/performance.md (20 minutes; BENCH=--quick: three, only prints)
	@$(BIN)/python -m tests.bench $(BENCH)

bench-growth: $(STAMP) ## Measures what statements cost over millions of rows (BENCH="--rows 1000000 20000000"; 4 kB each of disk)
	@$(BIN)/python -m tests.bench --only growth $(BENCH)

bench-backlog: $(STAMP) ## Measures how 200,000 webhooks and deliveries drain (BENCH="--rows 20000" for fewer)
	@$(BIN)/python -m tests.bench --only backlog $(BENCH)

bench-pages: $(STAMP) ## Measures how long each page of the console takes (BENCH="--rows 200000"; of 2,000,000 people unless said, 10 GB)
	@$(BIN)/python -m tests.bench --only pages $(BENCH)

fuzz: $(STAMP) ## Looks for requests that no adapter can cope with, longer than the tests do (FUZZ_EXAMPLES=2000 each)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-2000} $(BIN)/python -m pytest tests/fuzz -q --timeout 0

check: $(STAMP) ## Runs the linters, the type checker and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## Formats the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(STAMP) ## Renews the locked dependencies
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --all-extras pyproject.toml --output-file requirements/all.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --constraint requirements/all.txt pyproject.toml --output-file requirements/runtime.txt

clean: ## Removes .venv and all local state
	@test ! -x $(BIN)/ctwa || $(BIN)/ctwa down --quiet || true
	@rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
