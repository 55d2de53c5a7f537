# Two commands are all that a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPENHANDS := .venv-openhands
INVARIANT := .venv-invariant
ARGS ?=
WORKERS ?= 2

.PHONY: run test test-openhands test-invariant setup lint fmt bench eval screenshots fuzz clean

run: setup ## start the tier on an embedded Redis and show the demo; ARGS=--once ends after it
	$(BIN)/guardtier up --demo $(ARGS)

test: setup lint ## everything that CI checks
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-openhands: setup $(OPENHANDS)/.ready ## the OpenHands adapter, with the real SDK, beside a real tier
	$(OPENHANDS)/bin/python -m pytest -c tests/openhands/pytest.ini --rootdir . tests/openhands $(ARGS)

$(OPENHANDS)/.ready: pyproject.toml tests/openhands/find-python
	python=$$(sh tests/openhands/find-python) && "$$python" -m venv --clear $(OPENHANDS)
	$(OPENHANDS)/bin/python -m pip install --quiet --upgrade pip
	$(OPENHANDS)/bin/python -m pip install --quiet --editable '.[openhands]' 'pytest>=8.3,<10'
	touch $@

test-invariant: setup $(INVARIANT)/.ready ## the Invariant engine, the real package, in a pool of a real tier
	$(INVARIANT)/bin/python -m pytest -c tests/invariant/pytest.ini --rootdir . tests/invariant $(ARGS)

$(INVARIANT)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(INVARIANT)
	$(INVARIANT)/bin/python -m pip install --quiet --upgrade pip
	$(INVARIANT)/bin/python -m pip install --quiet --editable '.[workers,embedded,invariant]' \
	  'pytest>=8.3,<10' 'pytest-asyncio>=1.0,<2' 'psutil>=6,<8'
	touch $@

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## the figures of README.md, measured here; writes bench/results/
	$(BIN)/python -m bench $(ARGS)

eval: setup ## rate the recorded and hostile actions of EVAL_DATA; ARGS=--misses lists what went wrong
	$(BIN)/python tests/eval/evaluate.py $(ARGS)
	$(BIN)/python tests/eval/conversations.py

screenshots: setup ## docs/images/: the console with the demo's data, by the system's chromium
	PYTHONPATH=tests $(BIN)/python -m e2e.screenshots

fuzz: setup ## search for inputs that crash or stall the ensemble; ARGS="-max_total_time=300"
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet 'atheris>=2.3,<4'
	$(BIN)/python tests/fuzz/fuzz_ensemble.py -max_total_time=180 -max_len=512 -len_control=0 $(ARGS)

clean:
	rm -rf $(VENV) $(OPENHANDS) $(INVARIANT) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache bench/results
