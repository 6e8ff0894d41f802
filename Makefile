# Any Python from 3.10 to 3.13; the environment is made in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo_output

.PHONY: demo test lint format bench wheel clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: .venv/installed
	$(BIN)/python sweeps/quickstart.py --output_dir $(DEMO)

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m "not slow" tests # a worker per core, a thread per worker

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed
	set -e; for file in $$(grep -l __main__ benchmarks/*.py); do $(BIN)/python $$file; done

clean:
	rm -rf .venv build dist *.egg-info $(DEMO)
