# Everything runs from a virtual environment that is made from hashed locks; `make` alone prints the targets.
PYTHON ?= python3
VENV ?= .venv
DATASET ?= loans
MODEL ?= hist_gradient_boosting
PREPROCESSOR ?= median_imputer_with_scaler
VERSION ?= challenger
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m loan_approval
# Through the environment, so that a shell takes them as they are: a reason may hold quotes.
export DATASET MODEL PREPROCESSOR VERSION FORCE CSV REFERENCE BEGIN END AGAINST ID OUTCOME REASON DAYS STOP INPUT OUTPUT
# uv compiles nothing: where this is set, as in many images, every kernel and server would compile what it imports again.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

##@ start
help: ## print the commands of the first day
	@awk -F ':.*## [*] ' '/^[a-z-]+:.*## [*] / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo 'make help-all      print all commands'

help-all: ## print all commands, in groups
	@awk -F ':.*## ([*] )?' '/^##@ / {print "\n" substr($$0, 5) ":"} /^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(READY): locks/dev.txt locks/uv.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("expected Python 3.11 or newer, got " + sys.version)'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt
	$(VENV)/bin/python -m uv pip sync --quiet --python $(VENV)/bin/python --require-hashes locks/dev.txt
	$(VENV)/bin/python -m uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation -e .
	! git rev-parse --git-dir > /dev/null 2>&1 || git config filter.nbstripout.clean "if test -x $(VENV)/bin/python; then $(VENV)/bin/python -m nbstripout --keep-id --extra-keys '$(STRIPPED)'; else cat; fi"
	touch $@
# What JupyterLab writes into a notebook that it opens. git runs the filter in the top folder of each worktree, which may
# have no environment.
STRIPPED := $(foreach key,codemirror_mode file_extension mimetype nbconvert_exporter pygments_lexer version,metadata.language_info.$(key))

setup: $(READY) ## * make the virtual environment (the others do it by themselves)

run: $(READY) ## * everything: explore, train, validate, promote, serve, ask (DATASET=boston for the real data)
	$(RUN) run --dataset "$$DATASET" --model-name "$$MODEL" --preprocessor-name "$$PREPROCESSOR"

lab: $(READY) ## JupyterLab, opened at notebooks/01_explore.ipynb (LAB_OPTIONS=…)
	@test -z "$(AS_ROOT)" || echo "make lab: JupyterLab runs as root: who has its token can do anything on this machine" >&2
	$(VENV)/bin/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/01_explore.ipynb $(AS_ROOT) $(LAB_OPTIONS)
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

##@ data
# All data sets unless one is named; a version only by name here, as other tools leave a VERSION in the environment.
data: $(READY) ## bring data to what dvc.lock says, or get the data of a model version (DATASET=… VERSION=3)
	$(RUN) data $(if $(filter-out file,$(origin DATASET)),--dataset "$$DATASET") $(if $(filter command,$(origin VERSION)),--version "$$VERSION")

explore: $(READY) ## * report what is in a data set (DATASET=…)
	$(RUN) explore --dataset "$$DATASET"

check-data: $(READY) ## check new data against what production was trained on; fails when they break it (CSV=new.csv REFERENCE=old.csv)
	$(RUN) check-data --dataset "$$DATASET" --csv "$$CSV" --reference "$$REFERENCE"

##@ model
train: $(READY) ## * train, export and register a challenger (MODEL=… PREPROCESSOR=… DATASET=… PARAMS="cost_wrong_approval=5 seed=8")
	$(RUN) train --dataset "$$DATASET" --model-name "$$MODEL" --preprocessor-name "$$PREPROCESSOR" $(PASSED)
PASSED = $(foreach parameter,$(PARAMS),--parameter $(parameter))

validate: $(READY) ## * judge a version; fails when its verdict is failed (VERSION=challenger, PARAMS=…)
	$(RUN) validate --dataset "$$DATASET" --version "$$VERSION" $(PASSED)

sweep: $(READY) ## run data/<DATASET>/sweep.toml on Dask and rank its recipes (DATASET=…, DASK_SCHEDULER_ADDRESS for a cluster)
	$(RUN) sweep --dataset "$$DATASET" $(SWEEP_OPTIONS)

promote: $(READY) ## * make a validated version answer (VERSION=challenger, FORCE="reason" against its verdict)
	$(RUN) promote --dataset "$$DATASET" --version "$$VERSION" $(if $(FORCE),--force "$$FORCE")

shadow: $(READY) ## have a validated version score what is answered, beside it (VERSION=challenger, STOP=1: no more)
	$(RUN) shadow --dataset "$$DATASET" --version "$$VERSION" $(if $(STOP),--stop)

rollback: $(READY) ## * step back to what answered before
	$(RUN) rollback --dataset "$$DATASET"

history: $(READY) ## * list what was in production, and who put it there
	$(RUN) history --dataset "$$DATASET"

reproduce: $(READY) ## make a version again from its commit, data and lock; fails unless the bytes are the same (VERSION=challenger)
	$(RUN) reproduce "$$VERSION" --dataset "$$DATASET"

##@ operate
monitor: $(READY) ## report how decisions drift from the training data; fails when severe (BEGIN=2026-11-01 END=… AGAINST=2025-11-01/2025-12-01)
	$(RUN) monitor --dataset "$$DATASET" $(if $(BEGIN),--begin "$$BEGIN") $(if $(END),--end "$$END") $(if $(AGAINST),--against "$$AGAINST")

demo-drift: $(READY) ## three simulated months through the real server: stable, a season, a broken unit
	$(RUN) demo-drift

replay: $(READY) ## make a logged decision again; fails unless it is the same (ID=… DATASET=…)
	$(RUN) replay "$${ID:?say which decision: make replay ID=...}" --dataset "$$DATASET"

review: $(READY) ## put on record what a person decided (ID=… OUTCOME=approve REASON="…")
	$(RUN) review "$${ID:?say which decision: make review ID=... OUTCOME=approve REASON=...}" --outcome "$${OUTCOME:?approve or decline}" --reason "$$REASON" --dataset "$$DATASET"

retain: $(READY) ## remove what the prediction log holds of days older than DAYS=…
	$(RUN) retain --days "$${DAYS:?say how many days are kept: make retain DAYS=365}" --dataset "$$DATASET"

erase: $(READY) ## remove an applicant from the prediction log; asks for the key
	$(RUN) erase --dataset "$$DATASET"

serve: $(READY) ## * serve what is in production (PORT=8000 DATASET=…)
	$(RUN) serve --dataset "$$DATASET"

score: $(READY) ## decide every application of a file, a folder or s3://… (INPUT=… OUTPUT=… SCORE_OPTIONS=… DATASET=…)
	$(RUN) score "$${INPUT:?say what to score: make score INPUT=... OUTPUT=...}" "$${OUTPUT:?say where to: make score INPUT=... OUTPUT=...}" --dataset "$$DATASET" $(SCORE_OPTIONS)

mlflow: $(READY) ## MLflow's UI on port 5000
	$(RUN) mlflow

image: $(READY) ## build the server's container image (MODEL_STORE=store/loan_approval_model bakes the model in), and list what is in it
	docker build -t $(IMAGE) --build-arg BASE_IMAGE=$(BASE_IMAGE) $(if $(MODEL_STORE),--build-arg MODEL=$(MODEL_STORE)) --build-arg REVISION=$$(git rev-parse HEAD) $(BUILD_OPTIONS) .
	mkdir -p reports/image
	$(VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o reports/image/sbom.cdx.json locks/serve.txt
IMAGE ?= loan-approval-api:latest
BASE_IMAGE ?= python:3.11-slim-bookworm

stack: ## MLflow on PostgreSQL and S3, two replicas behind nginx, Prometheus, in containers (needs docker compose)
	$(PYTHON) deploy/write_env.py
	docker compose -f deploy/compose.yaml up --build --detach --wait

##@ develop
# The serving side's tests run where its own requirements are and nothing else: that shows what it needs.
test: $(READY) $(VENV)-serve-test/.ready ## * all tests but the long ones
	$(VENV)/bin/python -m tests.model_files $(MODEL_FILES)
	TEST_MODEL_FILES=$(MODEL_FILES) $(VENV)-serve-test/bin/python -m pytest tests/serve $(TEST_OPTIONS)
	$(VENV)/bin/python -m pytest --ignore tests/serve $(TEST_OPTIONS)
MODEL_FILES = $(abspath $(VENV)-serve-test/model_files)
TEST_OPTIONS = -m "not hard" -n $(TEST_WORKERS) --dist loadfile
# One more than there are cores: a third of the time the tests wait for servers, kernels and deadlines.
TEST_WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

test-hard: $(READY) ## the long tests: noise rates, parity on many rows, the image where there is an engine
	$(VENV)/bin/python -m pytest -m hard -rs -n auto --dist loadfile --ignore tests/hard/test_holding.py
	$(VENV)/bin/python -m pytest -m hard -rs -s tests/hard/test_holding.py # measures: alone

soak: $(READY) ## mixed traffic and swaps for MINUTES=10; fails when memory, threads or descriptors grow
	$(VENV)/bin/python -m tests.soak --minutes $(or $(MINUTES),10)

bench: $(READY) $(VENV)-bench/.ready $(VENV)-bench-mlserver/.ready ## compare the server with others, side by side (BENCH_OPTIONS=--quick)
	sh tests/benchmarks/install_tools.sh
	$(VENV)/bin/python -m tests.benchmarks $(BENCH_OPTIONS)

bench-reasons: $(READY) ## what the reasons of a decision cost
	$(VENV)/bin/python -m tests.benchmarks.reasons

bench-starved: $(READY) ## what one calm caller feels beside 64 greedy ones (BENCH_OPTIONS="--rounds 3 --seconds 10")
	sh tests/benchmarks/install_tools.sh
	$(VENV)/bin/python -m tests.benchmarks.starvation $(BENCH_OPTIONS)

bench-log: $(READY) ## what the prediction log costs a request (BENCH_OPTIONS="--rounds 6 --seconds 3")
	sh tests/benchmarks/install_tools.sh
	$(VENV)/bin/python -m tests.benchmarks.prediction_log $(BENCH_OPTIONS)

bench-score: $(READY) ## batch scoring beside a bare loop (ROWS=1000000)
	$(VENV)/bin/python -m tests.benchmarks.batch --rows $(or $(ROWS),1000000)

# The peers' environments, each from a lock of its own.
$(VENV)-%/.ready: locks/%.txt $(READY)
	test -x $(VENV)-$*/bin/python || $(PYTHON) -m venv $(VENV)-$*
	$(VENV)/bin/python -m uv pip sync --quiet --python $(VENV)-$*/bin/python --require-hashes locks/$*.txt
	touch $@

bench-gates: $(READY) ## how often noise passes the gates of signal, and weak signal (SETS=200 MODELS="xgboost …" ROWS=6000)
	$(VENV)/bin/python -m tests.benchmarks.gates --sets $(or $(SETS),200) --most-rows $(or $(ROWS),6000) $(if $(MODELS),--models $(MODELS))

bench-intervals: $(READY) ## how often each interval covers the truth, simulated (SIMULATIONS=1000)
	$(VENV)/bin/python -m tests.benchmarks.intervals --simulations $(or $(SIMULATIONS),1000)

bench-drift: $(READY) ## how often the drift report cries wolf, and how often it finds what changed (MONTHS=400)
	$(VENV)/bin/python -m tests.benchmarks.drift --months $(or $(MONTHS),400)

lock-bench: $(READY) ## make the lock files of the peers anew
	$(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --extra serve --group bench -c locks/dev.txt -o locks/bench.txt pyproject.toml
	$(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --group bench-mlserver -o locks/bench-mlserver.txt pyproject.toml

lint: $(READY) ## check style, imports and layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

format: $(READY) ## fix what the linter can fix
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

lock: $(READY) ## make the lock files anew from pyproject.toml
	$(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --extra train --group dev -o locks/dev.txt pyproject.toml
	$(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --extra serve -c locks/dev.txt -o locks/serve.txt pyproject.toml
	for group in pyfunc serve-test; do $(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --extra serve --group $$group -c locks/dev.txt -o locks/$$group.txt pyproject.toml || exit 1; done
	for group in docs mlflow otel uv; do $(VENV)/bin/python -m uv pip compile $(LOCK_OPTIONS) --group $$group -c locks/dev.txt -o locks/$$group.txt pyproject.toml || exit 1; done
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

test-image: $(READY) ## build the image and run it hardened, in every way it gets a model; skips without a container engine
	$(VENV)/bin/python -m pytest -m hard -rs tests/hard/test_image.py

docs: $(READY) $(VENV)-docs/.ready ## make the documentation site (docs/_build/html/index.html); fails on a warning
	PYTHONPATH=$$($(VENV)/bin/python -c 'import site; print(site.getsitepackages()[0])') $(VENV)-docs/bin/python -m sphinx -q -W --keep-going -n -b html docs $(DOCS)
DOCS ?= docs/_build/html

pictures: $(READY) ## take the README's pictures of what `make run` left (needs Chromium)
	$(VENV)/bin/python docs/pictures.py

examples: $(READY) ## run both data sets in a temporary folder and keep their reports as docs/examples (a quarter of an hour)
	$(VENV)/bin/python docs/examples.py $(REPORTS)

clean: ## remove the environment, reports and caches; data, MLflow's database and the store stay
	rm -rf $(VENV) $(VENV)-bench $(VENV)-bench-mlserver $(VENV)-docs docs/_build docs/reference/api .pytest_cache .ruff_cache .import_linter_cache
	find reports -mindepth 1 ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
