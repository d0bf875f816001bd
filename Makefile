# `make help` lists what there is. Every target does its own set-up.

VENV ?= .venv
# A Python of your choice: make demo PYTHON=/opt/python3.12/bin/python3
PYTHON ?=
# More arguments for `fleet demo`, pytest or the benchmarks.
ARGS ?=
FLEET_DEMO_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What an installation depends on; the code itself is used where it stands.
INPUTS := pyproject.toml setup.py package.json package-lock.json
# Tests that need neither supervisord, browser, database server nor installation.
FAST := not daemon and not e2e and not browser and not postgres

# Assets that were removed are made again, even if the venv is up to date.
ifeq ($(wildcard static/vendor/.built-from)$(FLEET_BUILD_WITHOUT_ASSETS),)
AGAIN := again
endif

# So is a venv whose Python has gone or been replaced.
ifeq ($(shell $(BIN)/python -m pip --version >/dev/null 2>&1 && echo works),)
ANEW := again
endif

.PHONY: help demo test check bench clean again
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-demo ## start a small real fleet and the console over it; Ctrl-C ends all
	@exec $(BIN)/fleet demo $(FLEET_DEMO_ARGS) $(ARGS)

test: $(VENV)/.installed-dev ## run all tests, with whatever they need
	@$(BIN)/python -m tests.older_supervisor || [ -z "$$CI" ]
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, layers and the fast tests, in a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n auto --dist loadfile -m "$(FAST)" $(ARGS)

bench: $(VENV)/.installed-dev ## run the benchmarks (bench/README.md)
	@$(BIN)/python -m bench $(ARGS)

clean: ## remove what the targets above made, the venv too
	@if [ -e $(VENV)/.made ]; then rm -rf $(VENV); fi
	rm -rf build dist *.egg-info static/vendor node_modules .artifacts
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find supervisor_easy tests bench migrations -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed-demo: $(VENV)/.made $(INPUTS) $(AGAIN)
	@echo "installing supervisor-easy and what its demo needs into $(VENV) ..."
	@$(PIP) install -q -e '.[demo]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made $(INPUTS) $(AGAIN)
	@echo "installing supervisor-easy and what its tests need into $(VENV) ..."
	@$(PIP) install -q -e '.[dev]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.made: $(ANEW)
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    path=$$(command -v "$$python") || continue; \
	    "$$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue; \
	    "$$path" -m venv $(VENV) || { \
	        [ -n "$$CI" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	        apt-get update -q && apt-get install -qy python3-venv && \
	        "$$path" -m venv $(VENV); \
	    } || { \
	        echo "error: $$path cannot make a virtual environment." >&2; \
	        echo "On Debian and Ubuntu: apt install python3-venv" >&2; \
	        exit 1; \
	    }; \
	    touch $@; exit 0; \
	done; \
	echo "error: supervisor-easy needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>&1)." >&2; \
	echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1
