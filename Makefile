# The verbs of this checkout. `make` alone lists them.
PYTHON ?= python3
JOBS ?= 2
PY := .venv/bin/python
CODE := $(wildcard src tests bench docs/generate.py)
export PYTHON
# A run of the tests starts the package hundreds of times; each start would compile it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup up test test-long check bench docs

help:
	@awk -F ': *[^#]*## *' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/run.stamp ## make .venv with everything the hub needs (quick the second time)

up: setup ## start the hub with the demo region on http://127.0.0.1:8420
	@exec .venv/bin/bayanihan up --demo

test: .venv/test.stamp ## run the tests, without the long ones
	@$(PY) -m pytest -n $(JOBS) --dist worksteal -m "not long"

test-long: .venv/test.stamp ## run the long tests: crashes, clocks, volumes
	@$(PY) -m pytest -m long

check: .venv/test.stamp ## lint, format and types; changes nothing
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check --quiet $(CODE)
	@$(PY) -m mypy $(CODE)

bench: .venv/test.stamp ## measure the loop beside the floor of this machine
	@$(PY) -m bench loop

docs: .venv/test.stamp ## write the generated pages of docs/reference anew
	@$(PY) docs/generate.py

.venv/run.stamp: requirements/run.txt requirements/install pyproject.toml
	@requirements/install run
	@touch $@

.venv/test.stamp: requirements/test.txt requirements/source.txt .venv/run.stamp
	@requirements/install test
	@touch $@
