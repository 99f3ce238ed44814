# `make demo` and `make test` need only Debian's python3 (3.11 or newer) and make; they set up everything else in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := configs/digits.yaml
RUN := runs/digits
# Processes that share the tests; those that need the same run, cluster or server stay together.
JOBS ?= 2
PARALLEL = -n $(JOBS) --dist loadgroup
# Of the rooms that call a dependency, the files that call it: Pydantic and PyYAML; Pillow, scikit-learn, NumPy's files, fsspec;
# Keras's layers, fit and internals, and TensorFlow's graphs; h5py and both formats of Keras; TensorLy and SciPy; LiteRT;
# Typer and Rich; TensorBoard and MLflow; ONNX and tf2onnx; Plotly, jinja2, kaleido and a browser; optuna-dashboard; Optuna,
# cmaes and threadpoolctl; SQLAlchemy with its drivers, filelock; Ray and psutil. What our own code does with the answers
# is the same on newer ones, and `make test` tests it.
LOWEST := $(addprefix tests/,\
	configs zoo/data/files zoo/training/test_training.py \
	$(addprefix zoo/data/test_,folder.py folder_layouts.py load.py npz.py pipeline.py split.py) \
	compress/cloning/test_layer_copy.py compress/cloning/test_whole_layer.py compress/decomposition \
	compress/graph/rules compress/model_files \
	objectives/cost/test_litert.py objectives/network/test_network.py objectives/network/test_precision.py \
	search/cli/test_cli_refusals.py search/cli/test_progress.py search/driver/listeners \
	search/pipeline/test_shipment.py search/report/test_report.py search/report/test_report_browser.py \
	search/runs/test_dashboard.py search/samplers/test_hub_sampler.py search/samplers/test_samplers.py \
	search/study/test_server.py search/study/test_storage.py \
	search/workers/test_leftovers.py search/workers/test_pool.py)

.PHONY: demo docs notebook test test-faults test-launchers test-lowest test-slow test-wheel lint install clean

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
	$(BIN)/tuckprune compress $(RUN)/model.keras --params $(RUN)/parameters.json --config $(CONFIG)
	$(BIN)/tuckprune report $(RUN)

test: install
	$(BIN)/python -m pytest $(PARALLEL)

# Drivers, workers and nodes that are killed, for minutes: one process kills the run of docs/results/faults.json, which
# this writes, and the other one does everything else meanwhile.
test-faults: install
	TUCKPRUNE_FAULT_RESULTS=docs/results/faults.json $(BIN)/python -m pytest -m faults $(PARALLEL) tests/faults

# The scripts that start clusters and jobs, on clusters of this machine.
test-launchers: install
	$(BIN)/python -m pytest -m launchers $(PARALLEL) tests/scripts/test_launchers.py

# The package as it is published: built, which fetches the tools for it, installed elsewhere, and run there.
test-wheel: install
	$(BIN)/python -m pytest -m wheel $(PARALLEL) tests/scripts/test_wheel.py

# Those three in one: a third process works while others wait for nodes, time limits and downloads.
test-slow: JOBS := 3
test-slow: install
	$(BIN)/python -m pytest -m "faults or launchers or wheel" $(PARALLEL) tests/faults tests/scripts

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
