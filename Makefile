# Recipes run where there is nothing but make, bash and coreutils; `install` brings the rest.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help install demo test test-full check conformance lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Set up .venv (and what the system lacks); leaves .venv/bin/manim-kernel
	@PYTHON='$(PYTHON)' scripts/install.sh

demo: install ## Render notebooks/quickstart.ipynb, and say where the results are
	@.venv/bin/python scripts/demo.py

check: install ## Lint, format, types
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy --no-error-summary

test: check ## Checks and tests: under ten minutes on two cores
	@.venv/bin/pytest

test-full: check ## The same with the tests that take longer
	@.venv/bin/pytest -m ''

conformance: install ## Compare every example of Manim's documentation with Manim itself
	@.venv/bin/python -m tests.conformance.docstrings

lock: install ## Pin anew what pyproject.toml asks for (UPGRADE=1: the newest)
	@UPGRADE='$(UPGRADE)' scripts/lock.sh

clean: ## Remove the environments and all leftovers
	@rm -rf .venv .venv-light .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
