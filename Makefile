# Everything runs in .venv, which ./orch-cli makes from the hashed locks.
PY := .venv/bin/python
PACKAGES := orchestrator workflows activities workers cli tests bench examples
# Tests that only reckon and tests that mostly wait for servers run side by side; chaos has the machine to itself.
GROUPS := $(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py))
WAITING := tests/workflow tests/e2e tests/cli
CHAOS := tests/chaos
CLUSTER := tests/cluster
RECKONING := $(filter-out $(WAITING) $(CHAOS) $(CLUSTER),$(GROUPS))
PYTEST := $(PY) -m pytest -p no:cacheprovider

.PHONY: help setup check test reckoning waiting chaos test-cluster conformance deploy-check bench fmt lock

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## The environment with the tools of development
	@ORCH_LAUNCHER=dev ./orch-cli

check: setup ## Format, lint, types, import rules
	$(PY) -m ruff format --check $(PACKAGES)
	$(PY) -m ruff check $(PACKAGES)
	$(PY) -m mypy $(PACKAGES)
	.venv/bin/lint-imports --no-logo

test: check ## All checks and tests, with a sample of the chaos tests
	$(MAKE) --jobs=2 reckoning waiting
	$(PYTEST) $(CHAOS)

reckoning:
	nice -n 10 $(PYTEST) $(RECKONING)

waiting:
	$(PYTEST) $(WAITING)

chaos: setup ## The whole chaos suite and its table (SEEDS=10: ten times); properties on new random examples; all long tests
	$(PY) -m tests.chaos.table --seeds $(SEEDS)
	PROPERTY_RUNS=20 $(PYTEST) tests/properties
	$(PYTEST) --chaos -m long tests

SEEDS := 1

test-cluster: setup ## The same runs on a real Temporal server with PostgreSQL (needs Go, PostgreSQL; half an hour)
	$(PY) -m tests.cluster.build
	$(PYTEST) --cluster $(CLUSTER) tests/e2e tests/workflow tests/fleet $(CHAOS)

conformance: setup ## What each vendor can do, vendor by case, as seen on the wire
	$(PY) -m tests.conformance.table

deploy-check: setup ## The tools of others on Dockerfile, compose file, chart and alerts; installs them first
	$(PY) -m tests.deploy.tools
	$(PYTEST) tests/deploy

bench: setup ## Benchmarks
	$(PY) -m bench

fmt: setup ## Formats and mends what can be mended
	$(PY) -m ruff format $(PACKAGES)
	$(PY) -m ruff check --fix $(PACKAGES)

lock: ## Locks the dependencies anew (needs uv)
	uv pip compile pyproject.toml --group build $(COMPILE) -o requirements.lock
	uv pip compile pyproject.toml --group build --group dev -c requirements.lock $(COMPILE) -o requirements-dev.lock

COMPILE := --quiet --generate-hashes --universal --no-header --no-emit-index-url --no-annotate --python-version 3.11
