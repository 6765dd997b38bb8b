# Two commands are enough: `make run` and `make test`. Everything lives in .venv and .etl; `make clean` removes both.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
export PYTHONWARNINGS ?= ignore

.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: .venv/installed ## make .venv and install the project into it

run: install ## set up, start the warehouse and the sandbox, load, build, check, and print what was loaded
	@$(BIN)/etl demo

dev: install ## open the UI with its daemon, sensors and schedules
	@$(BIN)/etl dev

stop: install ## stop the embedded warehouse
	@$(BIN)/etl stop

test: install ## run all the tests
	@$(BIN)/pytest -n 2 --dist loadfile

lint: install ## ruff, mypy, sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 sql/models sql/tests

bench: install ## measure the loads next to their peers
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[mysqlclient]" \
		> .venv/mysqlclient.log 2>&1 || echo "mysqlclient cannot be compiled here, see .venv/mysqlclient.log: PyMySQL stands in."
	@$(BIN)/python -m benchmarks.case_file
	@$(BIN)/python -m benchmarks.service_pages
	@$(BIN)/python -m benchmarks.dimension_merge
	@$(BIN)/python -m benchmarks.database_copy

clean: ## remove .venv and .etl, with all data in it
	@if [ -x $(BIN)/etl ]; then $(BIN)/etl stop; fi
	rm -rf .venv .etl

.PHONY: help install run dev stop test lint bench clean
