# Every target builds .venv once by itself; it is rebuilt when pyproject.toml or constraints.txt change.
#   PYTHON       the Python 3.11 or newer to build it with
#   TORCH_INDEX  an extra package index for torch, for example PyTorch's index of CPU wheels

PYTHON      ?= python3
TORCH_INDEX ?=
VENV        := .venv
BIN         := $(VENV)/bin
READY       := $(VENV)/.installed
# each begins with its half of the tests, in order: what one has compiled or loaded, its next test finds
# (and no plugin but the one that starts two: Hypothesis' alone would read all that is imported)
TWO         := --disable-plugin-autoload -p xdist -n 2 --dist worksteal
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help app lab test slow browser lint format bench notebooks book screenshots soak

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "binviz needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(PIP_INSTALL) -e '.[dev]'
	@# JupyterLab asks its server for news otherwise
	$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
	@touch $@

app: $(READY) ## the dashboard, on this machine only
	$(BIN)/binviz app

lab: $(READY) ## JupyterLab with the tutorials
	$(BIN)/jupyter lab notebooks

test: $(READY) ## the tests, a few minutes
	$(BIN)/python -m pytest $(TWO) -m "not browser and not slow"

slow: $(READY) ## the tests that take long
	$(BIN)/python -m pytest $(TWO) -m slow

browser: $(READY) ## the dashboard's tests in Chromium
	$(BIN)/python -m pytest $(TWO) tests/browser -m browser

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff put things in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## measure kernels and models on this machine, and damage files
	$(BIN)/binviz bench
	$(BIN)/python -m binviz.bench.first_answer
	$(BIN)/python -m binviz.bench.agreement
	$(BIN)/python -m binviz.bench.fuzz

notebooks: $(READY) ## build and run the notebooks from notebooks/src
	$(BIN)/python notebooks/build.py

book: $(READY) ## the course, binarizers, recipes, claims and API as pages, in docs/_build/book
	$(BIN)/python docs/book.py

screenshots: $(READY) ## pictures of every page of the dashboard
	$(BIN)/python dashboard/screenshots.py

soak: $(READY) ## twenty visitors on the dashboard for minutes, then how long pages and widgets take in Chromium
	$(BIN)/python dashboard/soak.py
	$(BIN)/python dashboard/latency.py
