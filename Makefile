# Any Python from 3.10 to 3.13; the environment is made in .venv.
PYTHON ?= python3
OLDEST_PYTHON ?= python3.10
BIN := .venv/bin
OLDEST := .venv-oldest
WHEEL := build/wheel
DEMO := demo_output
TUTORIAL := tutorial_output

.PHONY: demo tutorial table1 table2 ablations test test-oldest lint format bench wheel clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: .venv/installed
	$(BIN)/python sweeps/quickstart.py --output_dir $(DEMO)

# The data of these lies in data/, the runs in sweep_output/; flags of sweep launch go into FLAGS.
table1 table2 ablations: .venv/installed
	$(BIN)/python -m domainbed.scripts.sweep launch --from sweeps/$@.txt --output_dir sweep_output/$@ $(FLAGS)

tutorial: .venv/installed
	$(BIN)/python sweeps/tutorial.py --output_dir $(TUTORIAL)

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto tests # a worker per core, a thread per worker

# The oldest Python, and of every dependency the lower bound that setup.cfg gives. Downloads 3 GB once.
$(OLDEST)/installed: setup.cfg pyproject.toml
	$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	grep -oE '[A-Za-z][A-Za-z-]*>=[0-9.]+' setup.cfg | sed 's/>=/==/' > $(OLDEST)/bounds.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/bounds.txt --editable ".[dev]"
	touch $@

test-oldest: $(OLDEST)/installed
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n auto tests

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed
	$(BIN)/python results/measure.py

# What users get: the wheel, in an environment of its own that borrows the dependencies of .venv, away from the checkout.
wheel: .venv/installed
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(BIN)/python -m venv --without-pip $(WHEEL)
	$(BIN)/python -m pip --quiet --python $(WHEEL)/bin/python install --no-deps dist/*.whl
	$(BIN)/python -c "import sys; print(*sys.path[1:], sep='\n')" > \
	    "$$($(WHEEL)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/dependencies.pth"
	cd / && "$(CURDIR)/$(WHEEL)/bin/python" -c "import sys, domainbed, domainbed_gga; \
	    assert all(package.__file__.startswith(sys.prefix) for package in (domainbed, domainbed_gga))"
	cd / && "$(CURDIR)/$(WHEEL)/bin/python" -m domainbed.scripts.train --list
	cd / && "$(CURDIR)/$(WHEEL)/bin/python" -c "from domainbed.reports.published import join; assert len(join('gga2025', []))"

clean:
	rm -rf .venv $(OLDEST) build dist *.egg-info $(DEMO) $(TUTORIAL)
