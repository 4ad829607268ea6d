# Musterbook: `make` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
CODE := membership project tools bench manage.py
# The https profile: what `check --deploy` holds a real installation to. Its keys open nothing.
HTTPS := ENV_FILE=tests/https-profile.env

.DEFAULT_GOAL := help
.PHONY: help run password test check format lock shots test-crash test-scale bench dev

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run:  ## Start the panel with a demo; DEMO=0: empty, for real systems; PORT, BIND, PUBLIC_URL, TIME_ZONE
	@$(PYTHON) tools/bootstrap.py run
	@exec $(BIN)/python manage.py serve --prepare --demo=$(or $(DEMO),auto)

# USER is always in the environment: only one typed on make's command line names a user of the panel.
password:  ## Set a new password for the first user of the panel, or for USER=name
	@$(PYTHON) tools/bootstrap.py run
	@exec $(BIN)/python manage.py password $(if $(filter command line,$(origin USER)),"$(USER)")

dev:
	@$(PYTHON) tools/bootstrap.py dev

test: dev  ## All tests, on SQLite and, where one answers, PostgreSQL; ARGS="-k name" narrows
	@exec $(BIN)/python tools/run_tests.py $(ARGS)

test-crash: dev  ## The long form of the tests that kill processes
	@exec env LONG=1 $(BIN)/python tools/run_tests.py -m crash $(ARGS)

test-scale: dev  ## The long form of the tests with many rows
	@exec env LONG=1 $(BIN)/python tools/run_tests.py -m scale $(ARGS)

bench: dev  ## Measure against controls; ARGS="--long", ARGS="push limit --database sqlite" narrows
	@exec $(BIN)/python -m bench $(ARGS)

check: dev  ## Everything that can be said without running it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/bandit --quiet -ll -c pyproject.toml -r $(CODE)
	$(HTTPS) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(HTTPS) $(BIN)/python manage.py makemigrations --check --dry-run

shots: dev  ## Make the README's pictures from the demo; needs Chromium
	@exec $(BIN)/python tools/shots.py

format: dev  ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:  ## Write both lock files anew from pyproject.toml; needs uv
	uv lock --upgrade
	uv export --no-header --format requirements-txt --no-emit-project --no-dev > requirements.lock
	uv export --no-header --format requirements-txt --no-emit-project > requirements-dev.lock
