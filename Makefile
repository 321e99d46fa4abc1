# Everything works on a machine with nothing but python3 (3.10 or newer, with venv and pip), a C compiler and make:
# the first call makes .venv, later ones only look whether it is up to date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help venv demo test style check docs clean

help:
	@echo "make demo    a throw-away site, its server, and fifty simulated clients"
	@echo "make test    the tests"
	@echo "make style   linter, format and types"
	@echo "make check   both"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make venv    the environment that all of them use, in $(VENV)"
	@echo "make clean   remove what the others have made"

venv: $(VENV)/installed

$(VENV)/installed: setup.py requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

demo: venv
	$(BIN)/geventcore demo

# Most tests wait for servers that start and stop, so several files of them are run at once.
test: venv
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

style: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: style test

docs: venv
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

clean:
	rm -rf $(VENV) docs/_build build *.egg-info .mypy_cache .ruff_cache .pytest_cache
