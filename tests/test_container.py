"""The container as described: `make container` runs these steps for real."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.settings import Settings
from app.web import health
from app.web.server import STOP_SECONDS
from scripts import container, dockerfile

ROOT = Path(__file__).parents[1]
STAGES = dockerfile.stages((ROOT / "Dockerfile").read_text())
BUILD, FINAL = STAGES
IGNORE = (ROOT / ".dockerignore").read_text()
COMPOSE = ROOT / "docker-compose.yml"
CUDA = ROOT / "docker-compose.cuda.yml"
BIN = Path(sys.executable).parent


def composed(tmp_path: Path, *files: Path, **variables: str) -> dict:
    """The output of `docker compose config`, which fails on unknown keys."""
    named = [option for file in files for option in ("--file", file)]
    # A separate environment: a developer's .env must not matter.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
    command = [BIN / "docker-compose", "--env-file", "/dev/null", *named, "config"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert not done.returncode, done.stderr
    return yaml.safe_load(done.stdout)


def test_the_server_does_not_run_as_root() -> None:
    user, group = FINAL.last("USER").text.split(":")
    assert int(user) == int(group) > 1000
    (made,) = [step.text for step in FINAL.all("RUN") if "useradd" in step.text]
    assert f"--uid {user}" in made
    assert f"--owner={user} --group={group} --mode=0700 {' '.join(FINAL.last('VOLUME').words)}" in made


def test_all_stages_have_the_same_python() -> None:
    """The second stage uses the environment of the first."""
    assert len({stage.image for stage in STAGES}) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", FINAL.image)


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    for step in (step for stage in STAGES for step in stage.all("COPY") if "from" not in step.options):
        for source in step.words[:-1]:
            assert (ROOT / source).exists(), source
            assert dockerfile.reaches(IGNORE, source), source


def test_nothing_of_a_developer_reaches_the_build() -> None:
    assert IGNORE.splitlines()[1] == "*"
    for path in (".env", ".git", ".venv", "data", "tests", "out", "scripts/lock"):
        assert not dockerfile.reaches(IGNORE, path), path


def test_either_pytorch_can_be_installed() -> None:
    assert BUILD.last("ARG").text == "TORCH=cpu"
    (install,) = [step for step in BUILD.all("RUN") if "scripts/install" in step.text]
    assert install.text == 'scripts/install "$TORCH" requirements.lock'
    copied = {word for step in BUILD.all("COPY") for word in step.words[:-1]}
    assert {"requirements-cpu.lock", "requirements-cuda.lock", "requirements.lock", "scripts/install"} <= copied


def test_what_it_sets_are_settings() -> None:
    set_here = dict(word.partition("=")[::2] for step in FINAL.all("ENV") for word in step.words)
    ours = {name for name in set_here if name.startswith("SOROE_")}
    assert ours <= {f"SOROE_{name.upper()}" for name in Settings.model_fields}
    assert {set_here["SOROE_DATA"], set_here["HF_HOME"]} == set(FINAL.last("VOLUME").words)
    assert FINAL.last("EXPOSE").text == set_here["SOROE_PORT"]


def test_it_starts_the_server_and_asks_for_its_health() -> None:
    """Without a shell in between, which would swallow the stop signal."""
    assert FINAL.last("ENTRYPOINT").words + FINAL.last("CMD").words == ["soroe", "serve"]
    check = FINAL.last("HEALTHCHECK").text
    (address,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)
    assert address == (FINAL.last("EXPOSE").text, "/healthz")
    assert "/healthz" in [route.path for route in health.router.routes]


def test_compose_starts_the_demo_model_with_nothing_set(tmp_path: Path) -> None:
    service = composed(tmp_path, COMPOSE)["services"]["soroe"]
    assert service["build"]["args"] == {"TORCH": "cpu"}
    assert service["ports"] == [
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 8000, "published": "8000", "protocol": "tcp"}
    ]
    assert service["environment"]["SOROE_URL"] == "http://localhost:8000"
    assert "SOROE_MODEL" not in service["environment"]


def test_compose_leaves_only_the_volumes_writable(tmp_path: Path) -> None:
    service = composed(tmp_path, COMPOSE)["services"]["soroe"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [volume["target"] for volume in service["volumes"]] == FINAL.last("VOLUME").words
    assert {volume["type"] for volume in service["volumes"]} == {"volume"}
    assert service["tmpfs"] == ["/tmp:size=1g,mode=1777"]  # noqa: S108
    assert Settings.model_fields["lora_bytes"].default < 2**30  # the largest upload waits there


def test_compose_waits_longer_than_the_server_takes_to_stop(tmp_path: Path) -> None:
    service = composed(tmp_path, COMPOSE)["services"]["soroe"]
    assert service["stop_grace_period"] == f"{container.GRACE:.0f}s"
    assert container.GRACE > STOP_SECONDS
    assert service["init"]


def test_the_env_file_does_not_override_the_containers_fixed_settings(tmp_path: Path) -> None:
    """A .env for `make run` works for the container too."""
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE.read_text())
    (tmp_path / ".env").write_text("SOROE_HOST=127.0.0.1\nSOROE_DATA=elsewhere\nSOROE_QUOTA_SETS=7\n")
    environment = composed(tmp_path, file)["services"]["soroe"]["environment"]
    fixed = {name: environment[name] for name in ("SOROE_DATA", "SOROE_HOST", "SOROE_PORT")}
    assert fixed == {"SOROE_DATA": "/data", "SOROE_HOST": "0.0.0.0", "SOROE_PORT": "8000"}  # noqa: S104
    assert environment["SOROE_QUOTA_SETS"] == "7"


def test_another_file_reserves_a_gpu(tmp_path: Path) -> None:
    service = composed(tmp_path, COMPOSE, CUDA)["services"]["soroe"]
    assert service["build"]["args"] == {"TORCH": "cuda"}
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert service["read_only"]


@pytest.mark.parametrize("name", ["Dockerfile", "scripts/install"])
def test_it_names_only_locks_that_there_are(name: str) -> None:
    for lock in re.findall(r"requirements[a-z-]*\.lock", (ROOT / name).read_text()):
        assert (ROOT / lock).exists(), lock
