# Needs Python 3.10 to 3.13 (PYTHON=... names another one), make and a package registry. Nothing else:
# everything is made inside this directory, in .venv/ and .demo/.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)
BIN := .venv/bin
HOME_DIR ?= .demo

# Two cores are shared by several worker processes: one thread in each is the fastest.
export OMP_NUM_THREADS ?= 1
# An activated environment or a foreign PYTHONPATH must not leak into .venv.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help
help: ## Show these targets.
	@echo "airflow-mltrack: make <target>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'
	@echo "Settings: PYTHON=python3.12  PORT=8080  DATA=table.csv TARGET=column [POSITIVE=value] [DROP=a,b]"

.PHONY: demo
demo: .venv-demo ## Run the credit sweep through a real Airflow, from data to Production.
	@exec $(BIN)/mltrack demo --home "$(HOME_DIR)" $(if $(PORT),--port "$(PORT)") \
		$(if $(DATA),--data "$(DATA)") $(if $(TARGET),--target "$(TARGET)") \
		$(if $(POSITIVE),--positive "$(POSITIVE)") $(if $(DROP),--drop "$(DROP)")

.PHONY: airflow
airflow: .venv-demo ## Start Airflow on the demo's home; Ctrl-C stops all of it.
	@exec $(BIN)/mltrack airflow --home "$(HOME_DIR)" $(if $(PORT),--port "$(PORT)")

.PHONY: test
test: lint ## Lint, type-check and run every test with the coverage gates.
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --cov --cov-report= $(TEST_ARGS)
	@$(BIN)/python -m coverage report --skip-covered --skip-empty
	@for layer in store artifacts model_package lifecycle; do \
		echo "Branch coverage of $$layer (at least 90):"; \
		$(BIN)/python -m coverage report --include "airflow_mltrack/$$layer/*" --fail-under 90 \
			--format total || exit 1; \
	done

TEST_WORKERS ?= 2
# Real data sets for the tests, where there are any; without them the tests that need them are skipped.
DATA_DIR := $(or $(MLTRACK_DATA_DIR),$(wildcard ../shared/data))
ifneq ($(DATA_DIR),)
test: export MLTRACK_DATA_DIR := $(abspath $(DATA_DIR))
endif

.PHONY: lint
lint: .venv-test ## Check format, lint rules, types and the layers.
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: fuzz
fuzz: .venv-test ## Send FUZZ_REQUESTS (60000) requests that are wrong to a server.
	@MLTRACK_TEST_FUZZ_REQUESTS=$(FUZZ_REQUESTS) $(BIN)/python -m pytest -s --show-capture=no tests/web/fuzz

FUZZ_REQUESTS ?= 60000

.PHONY: format
format: .venv-test ## Format the code and apply safe fixes.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: lock
lock: python-found ## Resolve requirements/*.txt anew.
	@"$(PYTHON)" requirements/lock.py

.PHONY: clean
clean: ## Remove .venv/, .demo/ and what tools left behind.
	@rm -rf .venv .demo dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis htmlcov
	@rm -f .coverage .coverage.*
	@find airflow_mltrack example_dags tests benchmarks requirements -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: python-found
python-found:
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 was found; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }

# Both look by content whether there is anything to do, so they always run and are quick.
.PHONY: .venv-demo .venv-test
.venv-demo: python-found
	@"$(PYTHON)" requirements/install.py demo
.venv-test: python-found
	@"$(PYTHON)" requirements/install.py test
