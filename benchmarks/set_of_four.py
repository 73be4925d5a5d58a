"""A set of four with our attention and with the textbook's, in one run: `make bench`.

Each runs in its own process, so that peak memory is its own, and alternately (ours, textbook, ours, ...), because
machines drift. Reports images per minute, peak memory, and how the time divides between UNet, VAE and the rest.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "looks" / "poster-pear.webp"
PROMPTS = ["a fox", "a teapot", "a house", "a tulip"]
STEPS = 20
GUIDANCE = 4.0
TURNS = 3
WAYS = ("ours", "textbook")


@dataclass
class Run:
    """The measurements of one set."""

    seconds: float
    unet: float
    vae: float
    peak_mib: float


class Clock:
    """Adds up the time spent in methods of the model's parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, owner: Any, method: str, name: str) -> Iterator[None]:
        """Time `owner.method` as `name` for the duration."""
        plain = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return plain(*args, **kwargs)
            finally:
                synchronise()
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

        setattr(owner, method, timed)
        try:
            yield
        finally:
            delattr(owner, method)


def synchronise() -> None:
    """Wait for the GPU, if there is one, so that timings are meaningful."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(way: str) -> Run:
    """Make the set once to warm up and once timed, in this process."""
    from PIL import Image

    from app.style_aligned import Studio

    studio = Studio.load("demo")
    picture = Image.open(REFERENCE).convert("RGB")
    make = {"ours": ours, "textbook": textbook}[way]
    make(studio, picture)
    clock = Clock()
    with (
        clock.timing(studio.unet, "forward", "unet"),
        clock.timing(studio.vae, "encode", "vae"),
        clock.timing(studio.vae, "decode", "vae"),
    ):
        began = time.perf_counter()
        make(studio, picture)
        synchronise()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Run(seconds, clock.seconds["unet"], clock.seconds["vae"], peak)


def ours(studio: Any, picture: Any) -> None:
    """The set as the app makes it."""
    reference = studio.reference(picture)
    for _ in studio.generate(PROMPTS, reference=reference, steps=STEPS, guidance=GUIDANCE, preview_every=0):
        pass


def _noise_like(clean: Any) -> Any:
    from app.style_aligned.reference import latent_noise

    _, channels, height, width = clean.shape
    return latent_noise(0, channels, height, width, clean.device, clean.dtype)


def textbook(studio: Any, picture: Any) -> None:
    """The same set with concatenated keys and values and an explicit softmax, the reference in the batch."""
    import torch

    from app.style_aligned.reference import NoisedTrack
    from tests.style_aligned.textbook import style_aligned

    with torch.inference_mode():
        size = studio.defaults.size
        clean = studio.encode(picture.resize(size))
        track = NoisedTrack(clean, _noise_like(clean), studio.levels)
        latents = style_aligned(
            studio.pipeline,
            PROMPTS,
            studio.noise(range(len(PROMPTS)), size),
            lambda step, t: track.at(step, float(t)),
            studio.scheduler("ddim", STEPS),
            GUIDANCE,
            strength=1.0,
        )
        for image in latents.split(1):
            studio.decode(image)


def main() -> None:
    """Run both alternately and print the results next to each other."""
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            command = [sys.executable, "-m", __spec__.name, way]
            runs[way].append(Run(**json.loads(subprocess.check_output(command, text=True).splitlines()[-1])))
    table = Table(title=f"A set of {len(PROMPTS)}, {STEPS} steps, demo model, median of {TURNS} turns")
    for column in ("", "images/min", "seconds", "UNet", "VAE", "rest", "peak MiB"):
        table.add_column(column, justify="right" if column else "left")
    for way, measured in runs.items():
        seconds = statistics.median(r.seconds for r in measured)
        unet = statistics.median(r.unet / r.seconds for r in measured)
        vae = statistics.median(r.vae / r.seconds for r in measured)
        peak = statistics.median(r.peak_mib for r in measured)
        shares = (f"{share:.0%}" for share in (unet, vae, 1 - unet - vae))
        table.add_row(way, f"{60 * len(PROMPTS) / seconds:.1f}", f"{seconds:.2f}", *shares, f"{peak:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asdict(measure(sys.argv[1]))))
    else:
        main()
