"""Run the Dockerfile's own steps in a bare Debian, without a container engine: `make container`.

Debian with its Python (debootstrap) replaces a stage's image, and the same command in a chroot replaces a RUN.
Namespaces like a container engine's run the start: a separate network and processes, a read-only root, no privileges,
and no unshare(2), which Docker's system-call filter refuses. Then the health check must pass, an upload be decoded, a
picture be made, and the server stop when told to. Needs Linux, root and debootstrap.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from subprocess import DEVNULL
from typing import Self

from scripts.dockerfile import Stage, Step, reaches, stages

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "container"
DEBIAN = "bookworm"
PIP_FOLDERS = [word for word in os.environ.get("PIP_FIND_LINKS", "").split() if word.startswith("/")]
PACKAGES = "ca-certificates,python3,python3-venv"
GRACE = 20.0  # seconds to stop, as in docker-compose.yml
# In the container: run the upload decoder and the model.
DECODE = """
from pathlib import Path
from app.pictures import clean_upload
print(clean_upload(Path("static/samples/fox.webp").read_bytes()).width, "px wide")
"""
PROOFS = {
    "an upload is decoded": ["python", "-c", DECODE],
    "volumes are written to, and nothing else": ["sh", "-c", "touch /data/new /models/new && ! touch /app/new"],
    "a picture is made": shlex.split("soroe generate --prompt 'a fox' --steps 2 --out /tmp/out"),
}
# The part of Docker's filter that matters to Soroe: unshare(2) fails with EPERM. BPF, then prctl(PR_SET_SECCOMP).
REFUSE_UNSHARE = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
assert not ctypes.CDLL(None).prctl(22, 2, struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)), 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CONFINED = [sys.executable, "-c", REFUSE_UNSHARE]


def main(torch: str) -> None:
    base = debian()
    built: dict[str, Path] = {}
    for number, stage in enumerate(stages((ROOT / "Dockerfile").read_text())):
        name = stage.name or f"stage{number}"
        root = OUT / f"{name}-{torch}"
        with timed(f"FROM {stage.image}"):
            shutil.rmtree(root, ignore_errors=True)
            run("cp", "--archive", "--reflink=auto", base, root)
        built[name] = root
        Build(stage, root, built, {"TORCH": torch}).build()
    prove(stage, root)


def debian() -> Path:
    """A bare Debian, created once."""
    base = OUT / DEBIAN
    if not (base / "usr" / "bin" / "python3").exists():
        with timed("debootstrap"):
            base.mkdir(parents=True, exist_ok=True)
            run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, base)
    return base


class Build:
    """The steps of one stage, in `root`."""

    def __init__(self, stage: Stage, root: Path, built: dict[str, Path], arguments: dict[str, str]) -> None:
        self.stage, self.root, self.built, self.arguments = stage, root, built, arguments
        self.environment = environment(stage)
        self.folder = Path("/")
        self.ignore = (ROOT / ".dockerignore").read_text()

    def build(self) -> None:
        for step in self.stage.steps:
            if action := {"RUN": self.run, "COPY": self.copy, "WORKDIR": self.enter}.get(step.name):
                with timed(f"{step.name} {step.text[:90]}"):
                    action(step)

    def enter(self, step: Step) -> None:
        self.folder = Path(step.text)
        self.inside(self.folder).mkdir(parents=True, exist_ok=True)

    def run(self, step: Step) -> None:
        command = f"cd {self.folder} && {step.text}"
        variables = {**self.arguments, **self.environment, "HOME": "/root"} | {
            name: value for name, value in os.environ.items() if name.startswith("PIP_")
        }
        run("unshare", "--mount", *entering(self.root, network(self.root)), "/bin/sh", "-c", command, env=variables)

    def copy(self, step: Step) -> None:
        *sources, target = step.words
        several = len(sources) > 1 or target.endswith("/")
        for source in sources:
            if "from" in step.options:
                origin = self.built[step.options["from"]] / source.lstrip("/")
            elif reaches(self.ignore, source):
                origin = ROOT / source
            else:
                raise SystemExit(f"COPY {source}: .dockerignore keeps it out")
            place = self.inside(self.folder / target)
            place = place / origin.name if several else place
            place.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                ignored = shutil.ignore_patterns() if "from" in step.options else shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy2(origin, place)

    def inside(self, path: Path) -> Path:
        return self.root / path.relative_to("/")


def prove(stage: Stage, root: Path) -> None:
    """Start the server, check what it must do in a container, and stop it."""
    log = OUT / "server.log"
    with Container(stage, root, log) as container:
        with timed("until the health check passes"):
            while not container.runs(*stage.last("HEALTHCHECK").words):
                if container.process.poll() is not None:
                    raise SystemExit(f"The server ended:\n{log.read_text()}")
                time.sleep(1)
        for what, words in PROOFS.items():
            with timed(what):
                if not container.runs(*words):
                    raise SystemExit(f"This failed: {shlex.join(words)}")
        with timed("until the server has ended"):
            status = container.stop()
    print(log.read_text())
    if status or "/setup/" not in log.read_text():
        raise SystemExit(f"The server ended with status {status}, or gave no link for an administrator.")


class Container:
    """The last stage's server, as a container engine starts it from docker-compose.yml."""

    def __init__(self, stage: Stage, root: Path, log: Path) -> None:
        self.stage = stage
        self.variables = environment(stage) | {"SOROE_URL": "http://localhost:8000"}
        user, group = stage.last("USER").text.split(":")
        self.drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        self.drop += ["--bounding-set=-all"]
        mounts = ["mount --bind . .", 'cd "$PWD"', "mount -o remount,bind,ro ."]
        mounts += [self._volume(name, int(user), int(group)) for name in stage.last("VOLUME").words]
        mounts += ["mount -t tmpfs -o size=1g,mode=1777 tmpfs tmp", "ip link set lo up"]
        apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", *entering(root, mounts, *CONFINED)]
        command = [*apart, *self._inside(*stage.last("ENTRYPOINT").words, *stage.last("CMD").words)]
        with log.open("w") as lines:
            self.process = subprocess.Popen(command, env=self.variables, stdout=lines, stderr=lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    @property
    def server(self) -> int:
        """The process started by unshare(1)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.05)
        return int(found[0])

    def runs(self, *words: str) -> bool:
        """Whether a command succeeds in the container, next to the server."""
        enter = [*CONFINED, "nsenter", f"--target={self.server}", "--mount", "--net", "--pid", "--root"]
        command = [*enter, *self._inside(*words)]
        return not subprocess.run(command, check=False, env=self.variables, cwd="/", stderr=DEVNULL).returncode

    def stop(self) -> int:
        """Stop the server within the time that an engine would give it, and return its exit status."""
        os.kill(self.server, Signals[self.stage.last("STOPSIGNAL").text])
        return self.process.wait(GRACE)

    def _inside(self, *words: str) -> list[str]:
        return [*self.drop, "sh", "-c", f"cd {self.stage.last('WORKDIR').text} && exec {shlex.join(words)}"]

    def _volume(self, name: str, user: int, group: int) -> str:
        """Create an empty volume, and return the command that mounts it."""
        volume = OUT / "volumes" / name.lstrip("/")
        shutil.rmtree(volume, ignore_errors=True)
        volume.mkdir(parents=True, mode=0o700)
        os.chown(volume, user, group)
        return f"mount --bind {volume} {name.lstrip('/')}"


def entering(root: Path, mounts: list[str], *first: str) -> list[str]:
    """A command that runs its further words through `first` with `root` as their root; its mounts end with them."""
    own = ["mount -t proc proc proc", "mount --rbind /dev dev"]
    last = f'exec {shlex.join([*first, "chroot", "."])} "$@"'
    return ["sh", "-c", "\n".join([f"set -e; cd {shlex.quote(str(root))}", *mounts, *own, last]), "sh"]


def environment(stage: Stage) -> dict[str, str]:
    """The stage's ENV, on top of an image's own PATH."""
    found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for step in stage.all("ENV"):
        for word in step.words:
            name, _, value = word.partition("=")
            found[name] = value.replace("$PATH", found["PATH"])
    return found


def network(root: Path) -> list[str]:
    """Mounts for steps that download: host names, and this machine's pip configuration."""
    (root / "root" / ".cache" / "pip").mkdir(parents=True, exist_ok=True)
    kept = OUT / "pip"
    kept.mkdir(parents=True, exist_ok=True)
    mounts = [f"mount --bind {kept} root/.cache/pip"]
    places = ["/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs", *PIP_FOLDERS]
    for place in filter(os.path.exists, places):
        within = root / place.lstrip("/")
        within.parent.mkdir(parents=True, exist_ok=True)
        if Path(place).is_dir():
            within.mkdir(exist_ok=True)
        else:
            within.touch()
        mounts.append(f"mount --bind {place} {within.relative_to(root)}")
    return mounts


@contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:7.1f} s  {what}", flush=True)


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=env, cwd="/")


if __name__ == "__main__":
    main(sys.argv[1])
