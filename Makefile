# Everything works on a machine with nothing but python3 (3.10 or newer, with venv and pip), a C compiler and make:
# the first call makes .venv, later ones only look whether it is up to date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help venv demo test test-pythons test-wheel packages fuzz style check docs screenshots clean

help:
	@echo "make demo          a throw-away site, its server, and fifty simulated clients"
	@echo "make test          the tests"
	@echo "make test-pythons  the tests that start no server, with the oldest and the newest supported Python"
	@echo "make test-wheel    a wheel, installed in a clean environment and used"
	@echo "make packages      packages for Debian, RPM and containers, tried in a new Debian; as root, for some minutes"
	@echo "make fuzz          every parser with a coverage-guided fuzzer, for MINUTES in all"
	@echo "make style         linter, format and types"
	@echo "make check         style and test"
	@echo "make docs          the documentation, in docs/_build/html"
	@echo "make screenshots   the pictures of the web pages in docs/images, with a headless Chromium"
	@echo "make venv          the environment that all of them use, in $(VENV)"
	@echo "make clean         remove what the others have made"

venv: $(VENV)/installed

$(VENV)/installed: setup.py requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

demo: venv
	$(BIN)/geventcore demo

test: venv
	$(BIN)/python -m tests

style: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# On an installed wheel instead of this tree, and with the Pythons that .venv is not made of.
test-pythons: venv
	.ci/pythons

test-wheel: venv
	PYTHON=$(PYTHON) .ci/smoke

# Needs root, debootstrap, rpm and the network.
packages: venv
	contrib/distribution/deb/build dist
	$(BIN)/python -m contrib.distribution.try_deb dist/geventcore_*.deb
	contrib/distribution/rpm/build dist
	$(BIN)/python -m contrib.distribution.try_container

# What "make test" does for a moment with each parser, for long. New inputs and failures are kept in .cache/fuzz.
MINUTES ?= 15
fuzz: venv
	$(BIN)/python -m tests.fuzz $(MINUTES)

check: style test

docs: venv
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

screenshots: venv
	$(BIN)/python -m contrib.screenshots

clean:
	rm -rf $(VENV) .cache/installed .cache/wheel docs/_build build *.egg-info .mypy_cache .ruff_cache .pytest_cache
