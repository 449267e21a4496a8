# Everything runs in .venv, which `make setup` makes and keeps in step with uv.lock.

.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)
PROJECTS := pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml deploy/*/pyproject.toml)
SERVICES := $(wildcard services/*)
BENCHES := sync catalog gate overload growth timers

# The first that can make an environment. From 3.15 on, two libraries have no wheels yet.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null \
	&& echo $$python && break; done)

.PHONY: help setup test prove prove-long soak demo bench bench-sync bench-catalog bench-gate bench-overload bench-growth bench-timers docs lint style types layers audit sbom format clean

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

setup: $(READY)  ## Make .venv with everything in it

# Compiled once here, not by each of the many processes that the tests start: some machines keep no bytecode.
$(READY): uv.lock $(PROJECTS) | $(BIN)/uv
	$(BIN)/uv sync --locked --quiet --compile-bytecode
	@touch $@

$(BIN)/uv:
	@test -n "$(PYTHON)" || { \
		echo "Assent needs Python 3.11, 3.12, 3.13 or 3.14 with its venv module, and found none."; \
		echo "On Debian and Ubuntu: apt install python3-venv. Elsewhere on the disk: make setup PYTHON=/path/to/python3"; \
		exit 1; } >&2
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

test: $(READY)  ## Run every test, on real Postgres and Apache Kafka
	$(BIN)/pytest -n 2 --dist loadfile

prove: $(READY)  ## Try to break the promises of docs/promises.md, each by its faults, in some minutes
	$(BIN)/python -m tests.prove --write docs/promises.md

prove-long: $(READY)  ## The same for an hour, with the dice thrown anew: FOR=600 for ten minutes
	$(BIN)/python -m tests.prove --long --for $(or $(FOR),3600) --write docs/promises.md

soak: $(READY)  ## Load it for twenty minutes, and let nothing grow: FOR=600 for ten
	$(BIN)/python -m tests.prove.soak --for $(or $(FOR),1200) --write docs/performance.md

demo: $(READY)  ## Tell the whole story on the terminal, from SageMaker to the gate
	$(BIN)/assent demo

bench-sync: $(READY)  ## Measure the connector beside bare aiobotocore, and write docs/performance.md
	$(BIN)/python -m tests.bench.sync --write docs/performance.md

bench-catalog: $(READY)  ## Measure the catalogue beside bare FastAPI, asyncpg and COPY, and write docs/performance.md
	$(BIN)/python -m tests.bench.catalog --write docs/performance.md

bench-gate: $(READY)  ## Measure the gate beside a bare route, and write docs/performance.md
	$(BIN)/python -m tests.bench.gate --write docs/performance.md

bench-overload: $(READY)  ## Ask three times as much as can be done, and write docs/performance.md
	$(BIN)/python -m tests.bench.overload --write docs/performance.md

bench-growth: $(READY)  ## Measure beside ten times as much data, sources and consumers, and write docs/performance.md
	$(BIN)/python -m tests.bench.growth --write docs/performance.md

bench-timers: $(READY)  ## Fire timers beside a million that wait, and write docs/performance.md
	$(BIN)/python -m tests.bench.timers --write docs/performance.md

# One after the other, so that none measures another; one that fails leaves its table as it was, and does not keep the
# rest from being measured.
bench: $(READY)  ## Run every bench, one after the other, and write docs/performance.md
	@failed=; for each in $(BENCHES); do \
		echo "--- $$each"; began=$$(date +%s); \
		$(BIN)/python -m tests.bench.$$each --write docs/performance.md || failed="$$failed $$each"; \
		echo "--- $$each took $$(( $$(date +%s) - began )) s"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

docs: $(READY)  ## Write the reference pages, the event schemas and the dashboards anew, from the code
	$(BIN)/python -m assent_common.events.json_schemas
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.client
	$(BIN)/python -m deploy.grafana.generate

lint: style types layers  ## Check style, types and layers

style: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# A service's tests are checked from its own folder: "sagemaker-connector" cannot be a part of a module's name.
types: $(READY)
	$(BIN)/mypy --strict conftest.py libs deploy docs tests $(SERVICES:%=%/src)
	@for service in $(SERVICES); do \
		if [ -d $$service/tests ]; then \
			echo "MYPYPATH=$$service $(BIN)/mypy --strict $$service/tests"; \
			MYPYPATH=$$service $(BIN)/mypy --strict $$service/tests || exit 1; \
		fi; \
	done

layers: $(READY)
	$(BIN)/lint-imports

# Asks osv.dev about every package of uv.lock. Without a way there it fails; .ci/audit says so and goes on.
AUDIT ?=
audit: $(READY)  ## Ask whether a known vulnerability is in a library that we lock
	$(BIN)/uv audit --locked --preview-features audit-command $(AUDIT)

SBOM ?= sbom.cdx.json
sbom: $(READY)  ## Write what Assent is made of, as CycloneDX, to sbom.cdx.json
	$(BIN)/uv export --quiet --locked --no-dev --all-packages --format cyclonedx1.5 --preview-features sbom-export \
		--output-file $(SBOM)

format: $(READY)  ## Put the code in shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## Remove what was made here
	rm -rf .venv .assent .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
