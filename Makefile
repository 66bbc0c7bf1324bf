# Every target brings what it needs; git, make and python3 (3.11 or newer) are enough to begin with.
# As root on Debian or Ubuntu the sandbox runs real pods, elsewhere simulated ones.

PYTHON ?= python3
BIN := .venv/bin
CACHE := $(if $(filter /%,$(XDG_CACHE_HOME)),$(XDG_CACHE_HOME),$(HOME)/.cache)/penstock

.DEFAULT_GOAL := help
.PHONY: help setup check test test-full golden bench docs browser screenshots chart demo image reference sandbox clean distclean .venv

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: .venv  ## install what is missing: Python packages, the control plane (minutes, once), Debian packages
	@$(BIN)/python -m sandbox.setup

check: .venv  ## format, lint, types, import arrows and the fast tests: under a minute
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n auto -m "not cluster and not real and not slow and not full"

test: setup browser  ## the representative part of all tests, on a real control plane: a quarter of an hour
	$(BIN)/pytest -n auto -m "not cluster and not real and not full"
	$(BIN)/pytest -m "(cluster or real) and not full" --durations=15

test-full: setup browser  ## every test, with new examples for the property tests
	PENSTOCK_RANDOM=1 $(BIN)/pytest

golden: setup  ## record anew what the native Deployment controller does, for the model of the fast tests
	@$(BIN)/python -m tests.golden.record

bench: setup  ## what Penstock costs: requests, bytes and CPU for a rollout and for a minute of rest
	@$(BIN)/python -m bench $(if $(JSON),--json $(JSON))

docs: .venv  ## the documentation as a site, in dist/site
	@$(BIN)/zensical build --clean --strict

browser: .venv
	@$(BIN)/python -m sandbox.setup --browser

screenshots: browser  ## the pictures of the web page in docs/images, drawn anew
	@$(BIN)/python -m tests.page.screenshots

chart: .venv  ## the templates of deploy/chart, from deploy/base
	@$(BIN)/python -m tools.chart

image: .venv  ## the container image as an OCI archive in dist, with its bill of materials; REF=… another commit's
	@$(BIN)/python -m sandbox.image archive $(if $(REF),--ref $(REF))

demo: setup  ## the story: a good release, three bad ones, a controller killed half-way
	@$(BIN)/python -m sandbox.demo

reference: .venv  ## write docs/reference anew, from the code
	@$(BIN)/python -m tools.reference

sandbox: setup  ## start a cluster with Penstock in .sandbox
	@$(BIN)/python -m sandbox up

clean:  ## stop a running sandbox and remove what was made in this checkout
	@for running in $(wildcard .sandbox*/); do \
	    if [ ! -x $(BIN)/python ]; then echo "$$running may be running: make setup, then make clean" >&2; exit 1; fi; \
	    $(BIN)/python -m sandbox down --directory "$${running%/}" || exit 1; \
	done
	rm -rf .sandbox* .venv .tools dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove the builds of all checkouts too
	rm -rf "$(CACHE)"

# Asked here and not in the script, which an old interpreter could not even parse.
.venv:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("penstock: Python 3.11 or newer is needed, \
	$(PYTHON) is %d.%d; try make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@$(PYTHON) tools/bootstrap.py
