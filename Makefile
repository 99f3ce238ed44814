# `make demo` and `make test` need only Debian's python3 (3.11 or newer) and make; they set up everything else in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := configs/digits.yaml
RUN := runs/digits
# Processes that share the tests; those that need the same run, cluster or server stay together.
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadgroup
# What touches the dependencies: files, layers and internals of Keras, TensorLy and SciPy, Pydantic, Pillow, Optuna and
# its storages, Ray, export formats, trackers, Plotly and its browser, Rich and Typer.
LOWEST := $(addprefix tests/,\
	configs zoo \
	compress/cloning compress/decomposition compress/graph/rules compress/model_files \
	objectives/cost objectives/network \
	search/cli/test_cli_refusals.py search/cli/test_progress.py search/cli/test_ship_command.py \
	search/driver/listeners search/pipeline/test_shipment.py search/report search/runs \
	search/samplers search/strategies/test_staged_run.py search/study search/workers)

.PHONY: demo docs notebook test test-faults test-launchers test-lowest lint install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml scripts/setup.sh
	sh scripts/setup.sh $(PYTHON) $(VENV)
	touch $@

# Train the embedded default, search it, export the winner, compress with recommended and with searched values, compare.
demo: install
	$(BIN)/tuckprune train $(CONFIG)
	$(BIN)/tuckprune search $(CONFIG)
	$(BIN)/tuckprune export $(RUN)
	$(BIN)/tuckprune compress $(RUN)/model.keras --recommend --config $(CONFIG)
	$(BIN)/tuckprune compress $(RUN)/model.keras --params $(RUN)/pruning.txt --params $(RUN)/ranks.txt --config $(CONFIG)
	$(BIN)/tuckprune report $(RUN)

test: install
	$(BIN)/python -m pytest $(PARALLEL)

# Drivers, workers and nodes that are killed, for minutes: one process kills the run of docs/results/faults.json, which
# this writes, and the other one does everything else meanwhile.
test-faults: install
	TUCKPRUNE_FAULT_RESULTS=docs/results/faults.json $(BIN)/python -m pytest -m faults $(PARALLEL)

# The scripts that start clusters and jobs, on clusters of this machine.
test-launchers: install
	$(BIN)/python -m pytest -m launchers $(PARALLEL)

# The tests that touch dependencies, against exactly the lower bounds that pyproject.toml declares.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/python -m pytest $(PARALLEL) $(LOWEST)

.venv-lowest/installed: pyproject.toml scripts/setup.sh scripts/dev/lowest.py
	sh scripts/setup.sh $(PYTHON) .venv-lowest --lowest
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site, in site/; a broken link, a page in no menu or an option without a description is an error.
# Not --quiet: that hides the warnings from --strict, too.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The notebook anew, with the outputs of this machine.
notebook: install
	$(BIN)/python -m scripts.docs.run_notebook

clean:
	rm -rf $(VENV) .venv-lowest runs site
