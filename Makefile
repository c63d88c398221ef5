# The two commands of the README are `make demo` and `make test`; both install what they need into .venv.

PYTHON ?= python3
# The interpreter behind it, when that one is of a virtual environment: an activated .venv has no pip.
OUTSIDE = $(shell $(PYTHON) -c 'import sys; print(sys._base_executable)')
PIP = $(OUTSIDE) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check
BIN := .venv/bin
.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# python3-venv is not on every Debian: a venv without pip, filled by the pip outside, needs nothing more.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	@$(OUTSIDE) -m pip --version >/dev/null || { echo "pip is needed; on Debian: apt-get install python3-pip"; exit 1; }
	$(OUTSIDE) -m venv --without-pip .venv

.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

install: .venv/.run  ## install into .venv

demo: .venv/.run  ## a sample week, from stories to inbox, in ./demo
	$(BIN)/digest demo

test: .venv/.dev  ## all tests
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

check: .venv/.dev  ## ruff, mypy, import contracts, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.reference --check

# The parts that the product's promises rest on; every branch of them is meant to be tested.
CORE := digest/ranking/*,digest/edition/*,digest/schedule/*,digest/compose/*,digest/delivery/*,digest/replies/*,digest/smtp/*

coverage: .venv/.dev  ## branch coverage of the core, at least 95 %
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -qq --no-header -n auto -p no:cacheprovider tests/unit tests/contract tests/integration
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --include='$(CORE)' --fail-under=95 --skip-covered --show-missing

# What takes too long for each change. A failure prints its seed, or the example that Hypothesis found.
soak: .venv/.dev  ## 200 kills, long properties, ten minutes of fuzz, a million copies: an hour or so
	DIGEST_TEST_KILLS=200 $(BIN)/python -m pytest -n auto -q tests/e2e/test_crash.py
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q -n auto tests/unit tests/contract tests/integration
	$(BIN)/python -m tests.fuzz_smtp --seconds 600
	$(BIN)/python -m benchmarks million

docs: .venv/.dev  ## write the reference from the code
	$(BIN)/python -m docs.reference

pictures: .venv/.dev  ## take the pictures of the documentation (needs Chromium)
	$(BIN)/python -m docs.pictures

bench: .venv/.dev  ## measure: ratios within one run
	$(BIN)/python -m benchmarks

lock:  ## pin every dependency with its hashes (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group build --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean:  ## remove what was made here
	rm -rf .venv .cache demo dist build .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: help install demo test check soak docs pictures bench lock clean coverage
