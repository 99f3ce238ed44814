# `make demo` and `make test` need only Debian's python3 (3.11 or newer) and make: they set up everything else in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := configs/digits.yaml
RUN := runs/digits

.PHONY: demo test lint install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml scripts/setup.sh
	sh scripts/setup.sh $(PYTHON) $(VENV)
	touch $@

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs
