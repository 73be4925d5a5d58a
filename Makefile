# Two commands: `make run` starts Soroe, `make test` runs every test. Later runs start in seconds.

PYTHON ?= python3
BIN := .venv/bin
# The PyTorch to install: cuda, or cpu, also for Apple GPUs. `make run TORCH=cpu` does not use the GPU.
TORCH ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
# Reinstalls only when a lock has changed.
INSTALLED := .venv/.installed-$(TORCH)
TESTING := .venv/.testing-$(TORCH)

.PHONY: messages run install test test-fast test-faults check format lock bench bench-gallery bench-load bench-feel bench-pages bench-paint bench-measures demo-model container clean

run: $(INSTALLED)
	@exec $(BIN)/soroe serve

# For other ways to start it, such as systemd.
install: $(INSTALLED)

# Each process runs whole files, which share loaded models. One thread each is faster than several that wait for each other,
# and one process more than cores, because tests in a browser wait for it half of the time.
# To see the figures that tests print: make test PYTEST="-n0 -s tests/style_aligned/test_look.py"
# Compiled code is kept, whatever the environment says: the tests start dozens of processes that import the same.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min(os.cpu_count() + 1, 5))")
PYTESTS = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
test: check
	@$(PYTESTS) --durations=20 $(PYTEST)

# Tests that need neither a browser nor a model: a third of the time of all.
test-fast: $(TESTING)
	@$(PYTESTS) -m "not browser and not model" $(PYTEST)

check: $(TESTING)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/djlint --quiet --lint templates
	@$(BIN)/biome lint --error-on-warnings --log-level=error static/js static/css
	@$(BIN)/hadolint Dockerfile

format: $(TESTING)
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

bench: $(TESTING)
	@$(BIN)/python -m benchmarks.set_of_four

# Checks that pages of 100,000 pictures take at most 100 ms each.
bench-gallery: $(TESTING)
	@$(BIN)/python -m benchmarks.gallery

# Pictures made, pages and events while nobody, 10 and 50 people watch; a quiet machine gives the figures of the docs.
# NICE=15: with another priority of the model's process
bench-load: $(TESTING)
	@$(BIN)/python -m benchmarks.load $(if $(NICE),--nice $(NICE))

# Processor time of one page, picture, preview and message.
bench-pages: $(TESTING)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.pages

# Checks that every page shows something within 2 s at 50 kB/s and 300 ms, and does not move.
bench-paint: $(TESTING)
	@$(BIN)/python -m benchmarks.paint

# When pages can be used in a browser, what moves, their scripts, and the frames of a scroll through 10,000 pictures.
bench-feel: $(TESTING)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.feel

# What the measures of a picture cost; ART=folder also tells how well they tell drawings apart.
bench-measures: $(TESTING)
	@$(BIN)/python -m benchmarks.measures $(if $(ART),--art $(ART))

# People work while the server is killed, its disk fills or fails, the power goes, ...: MINUTES=60 SEED=7 ONLY=disk_full
# As root on Linux, also with faults of the disk.
test-faults: $(TESTING)
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests.faults.storm --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1) $(if $(ONLY),--only $(ONLY))

# Retrains the bundled model; resumes where it stopped. `make demo-model SIZE=full` for a GPU, MINUTES=5 for a slice.
demo-model: $(TESTING)
	@$(BIN)/python -m training $(or $(OUT),out/demo-model) --size $(or $(SIZE),small) $(if $(MINUTES),--minutes $(MINUTES))

# After a change of dependencies in pyproject.toml. To take newer ones: make lock LOCK=--upgrade
lock: $(TESTING)
	@scripts/lock $(LOCK)

# After a change of what pages say: updates locales/, and says what is not translated.
messages: $(TESTING)
	@$(BIN)/python -m scripts.messages

# After a change of settings.
.env.example: app/settings.py scripts/env_example.py $(TESTING)
	@$(BIN)/python -m scripts.env_example

# Runs the Dockerfile's steps in a bare Debian: as root on Debian or Ubuntu, with debootstrap. TORCH=cuda downloads gigabytes.
container: $(TESTING)
	@$(BIN)/python -m scripts.container $(TORCH)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache

# Debian's Python without python3-venv has no ensurepip; its own pip can fill the environment from outside.
.venv/bin/python:
	@$(PYTHON) -m venv .venv 2>/dev/null || { \
	  rm -rf .venv && $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --quiet --python .venv/bin/python install pip; }

$(INSTALLED): .venv/bin/python requirements.lock requirements-$(TORCH).lock pyproject.toml
	@echo "Installing Soroe into .venv; the first time takes a few minutes."
	@scripts/install $(TORCH) requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(TESTING): $(INSTALLED) requirements-dev.lock scripts/need-chromium scripts/need-proxies
	@scripts/install $(TORCH) requirements.lock requirements-dev.lock
	@scripts/need-chromium
	@scripts/need-proxies
	@touch $@
