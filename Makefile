# Two commands are all that a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPENHANDS := .venv-openhands
INVARIANT := .venv-invariant
ARGS ?=
WORKERS ?= 4

IMAGE := .venv-image
IMAGE_EXTRAS := workers cel console oidc postgres llm
SBOM := dist/sbom.cdx.json
PROMTOOL ?= promtool

# What is installed is what requirements/ pins, by version and hash; docs/operations.md, "Dependencies".
LOCKED := install --quiet --require-hashes --requirement
OWN := install --quiet --no-deps --no-build-isolation

# Bytecode is kept, whatever the environment says: each process would compile all of ours at its start (0.4 s).
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-openhands test-invariant setup lint fmt bench eval compare compare-approvals screenshots fuzz chaos soak \
  lock lock-check lock-into audit sbom test-rules test-kustomize clean

run: setup ## start the tier on an embedded Redis and show the demo; ARGS=--once ends after it
	$(BIN)/guardtier up --demo $(ARGS)

test: setup lint ## everything that CI checks
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

test-openhands: setup $(OPENHANDS)/.ready ## the OpenHands adapter, with the real SDK, beside a real tier
	$(OPENHANDS)/bin/python -m pytest -c tests/openhands/pytest.ini --rootdir . tests/openhands $(ARGS)

$(OPENHANDS)/.ready: pyproject.toml tests/openhands/find-python requirements/build.txt requirements/openhands.txt
	python=$$(sh tests/openhands/find-python) && "$$python" -m venv --clear $(OPENHANDS)
	$(OPENHANDS)/bin/python -m pip $(LOCKED) requirements/build.txt
	$(OPENHANDS)/bin/python -m pip $(LOCKED) requirements/openhands.txt
	$(OPENHANDS)/bin/python -m pip $(OWN) --editable .
	touch $@

test-invariant: setup $(INVARIANT)/.ready ## the Invariant engine, the real package, in a pool of a real tier
	$(INVARIANT)/bin/python -m pytest -c tests/invariant/pytest.ini --rootdir . tests/invariant $(ARGS)

$(INVARIANT)/.ready: pyproject.toml requirements/build.txt requirements/invariant.txt
	$(PYTHON) -m venv --clear $(INVARIANT)
	$(INVARIANT)/bin/python -m pip $(LOCKED) requirements/build.txt
	$(INVARIANT)/bin/python -m pip $(LOCKED) requirements/invariant.txt
	$(INVARIANT)/bin/python -m pip $(OWN) --editable .
	touch $@

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements/build.txt requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip $(LOCKED) requirements/build.txt
	$(BIN)/python -m pip $(LOCKED) requirements/dev.txt
	$(BIN)/python -m pip $(OWN) --editable .
	touch $@

# A week of waiting: a release that carries something hostile has nearly always been withdrawn by then.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --custom-compile-command 'make lock' --exclude-newer 7days

OLDEST := --python-version 3.11 --only-binary :all:

lock: setup ## requirements/*.txt again, after a change of pyproject.toml; ARGS=--upgrade for newer versions
	$(MAKE) --no-print-directory lock-into INTO=requirements ARGS="$(ARGS)"

lock-check: setup ## whether requirements/ is what `make lock` would write
	rm -rf build/requirements && mkdir -p build && cp -r requirements build/requirements
	$(MAKE) --no-print-directory lock-into INTO=build/requirements ARGS=
	diff -r requirements build/requirements

lock-into:
	$(LOCK) $(ARGS) $(OLDEST) requirements/build.in --output-file $(INTO)/build.txt
	$(LOCK) $(ARGS) $(OLDEST) pyproject.toml --extra dev --constraint $(INTO)/build.txt \
	  --output-file $(INTO)/dev.txt
	$(LOCK) $(ARGS) $(OLDEST) pyproject.toml $(IMAGE_EXTRAS:%=--extra %) --constraint $(INTO)/dev.txt \
	  --output-file $(INTO)/image.txt
	$(LOCK) $(ARGS) --python-version 3.12 pyproject.toml --extra openhands requirements/openhands.in \
	  --output-file $(INTO)/openhands.txt
	$(LOCK) $(ARGS) --python-version 3.11 pyproject.toml --extra workers --extra embedded --extra invariant \
	  requirements/invariant.in --output-file $(INTO)/invariant.txt

audit: setup ## known weaknesses in what requirements/ pins; fails where the advisories can't be reached
	$(BIN)/python .ci/audit.py requirements/image.txt requirements/dev.txt

$(IMAGE)/report.json: requirements/image.txt $(VENV)/.ready
	$(PYTHON) -m venv --clear --without-pip $(IMAGE)
	$(BIN)/python -m pip --python $(IMAGE)/bin/python $(LOCKED) requirements/image.txt \
	  --only-binary :all: --report $@

sbom: setup $(IMAGE)/report.json ## CycloneDX: what the image installs, with licences and hashes
	mkdir -p dist
	$(BIN)/python .ci/sbom.py $(IMAGE)/bin/python $(IMAGE)/report.json $(SBOM)

test-rules: ## deploy/prometheus by Prometheus' own promtool: each alert fires where it should
	cd deploy/prometheus && $(PROMTOOL) check config --syntax-only prometheus.yml \
	  && $(PROMTOOL) check rules rules.yaml && $(PROMTOOL) test rules rules_test.yaml

test-kustomize: setup ## deploy/kubernetes as kubectl builds it, base and components together
	rm -rf build/kustomize && mkdir -p build/kustomize
	printf 'resources: [../../deploy/kubernetes/base]\ncomponents: [../../deploy/kubernetes/redis, ../../deploy/kubernetes/keda]\n' \
	  > build/kustomize/kustomization.yaml
	kubectl kustomize build/kustomize > build/kustomize.yaml
	$(BIN)/kubernetes-validate --strict --quiet --no-warn -k 1.32 build/kustomize.yaml

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

compare: setup ## the same rows for other guards, in turn with ours; ARGS="--rivals all" for all of them
	-$(MAKE) --no-print-directory $(OPENHANDS)/.ready
	PYTHONPATH=. $(BIN)/python -O tests/eval/compare.py $(OPENHANDS)/bin/python $(ARGS)

compare-approvals: setup ## what lies between a yes and its tool: LangGraph, the OpenAI Agents SDK, guardtier
	PYTHONPATH=. $(BIN)/python -O tests/eval/approvals.py $(ARGS)

screenshots: setup ## docs/images/: the console with the demo's data, by the system's chromium
	PYTHONPATH=tests $(BIN)/python -m e2e.screenshots

FUZZED := payload envelope request reply vote policy body
fuzz: setup ## search for inputs that crash or stall the ensemble, or what reads them; ARGS="-max_total_time=300"
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet 'atheris>=2.3,<4'
	$(BIN)/python tests/fuzz/fuzz_ensemble.py -max_total_time=180 -max_len=512 -len_control=0 $(ARGS)
	for what in $(FUZZED); do $(BIN)/python tests/fuzz/fuzz_input.py $$what -max_total_time=60 $(ARGS) || exit 1; done

chaos: setup ## every fault, with load running; prints a table (≤ 15 min); ARGS=--only NAME for one
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

soak: setup ## ten minutes at a steady rate: memory must be flat; ARGS="--minutes 60" for the hour
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

clean:
	rm -rf $(VENV) $(OPENHANDS) $(INVARIANT) $(IMAGE) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache bench/results
