PYTHON ?= $(shell command -v python3.11 || command -v python3.12)
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help demo edit laboratory reproduce test test-long test-browser test-slurm test-slow lint clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(BIN)/.installed ## score the trained agent of zoo/ and an untrained one, and write their page
	$(BIN)/python scripts/demo.py

edit: $(BIN)/.installed ## edit each feature out of the trained agent of zoo/, and count what it then fails of
	$(BIN)/python scripts/edit.py agent=zoo/compact-hard-all.safetensors features=nmf feature=all episodes=500

laboratory: $(BIN)/.installed ## every method of explanation on every test, of the trained agent of zoo/ and of an untrained one
	$(BIN)/python scripts/laboratory.py 'agent=[zoo/compact-hard-all.safetensors,untrained:compact:0]' output=results/laboratory

reproduce: $(BIN)/.installed ## score every agent of the first ladder with version 1, and write results/RESULTS.md with its pictures
	$(BIN)/python scripts/reproduce.py agents=zoo/ladder output=results scoring=version1

test: $(BIN)/.installed ## the tests, a few minutes; MARKERS="not slow" chooses others
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(if $(MARKERS),-m "$(MARKERS)")

test-long: $(BIN)/.installed ## a study, a report, sweeps and trainings from start to end, stopped and killed on the way
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m long

test-browser: $(BIN)/.installed ## the pages in Chromium (apt-get install chromium)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser

test-slurm: $(BIN)/.installed ## a sweep through a SLURM of its own (apt-get install slurm-wlm munge slurmdbd mariadb-server)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm

test-slow: $(BIN)/.installed ## every check there is
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow"

lint: $(BIN)/.installed ## ruff and mypy
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and neither is on the PATH."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[test]'
	touch $@

clean: ## remove the virtual environment, runs and caches
	rm -rf .venv runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
