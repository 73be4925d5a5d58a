"""The cost of uploads: `python -m benchmarks.decoding` (Linux).

Measures an ordinary photo; eight of the largest pictures at once, with the memory of the server and all its processes;
and the largest picture of each kind alone.
"""

import argparse
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import psutil
from PIL import Image

from app.decoding.pool import DecodingJob, pool
from app.errors import UserError
from app.pictures import ANSWER, THUMBNAILS, Limits, clean_upload

AT_ONCE = 8
KINDS: dict[str, tuple[str, str, dict[str, object]]] = {
    "JPEG": ("RGB", "JPEG", {}),
    "JPEG, progressive, 4:2:0": ("RGB", "JPEG", {"progressive": True}),
    "JPEG, progressive, 4:4:4": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    "JPEG, CMYK": ("CMYK", "JPEG", {}),
    "JPEG, CMYK, progressive": ("CMYK", "JPEG", {"progressive": True}),
    "JPEG, grey": ("L", "JPEG", {}),
    "PNG, RGB": ("RGB", "PNG", {}),
    "PNG, RGBA": ("RGBA", "PNG", {}),
    "PNG, grey": ("L", "PNG", {}),
    "PNG, grey with alpha": ("LA", "PNG", {}),
    "PNG, palette": ("P", "PNG", {}),
    "PNG, black and white": ("1", "PNG", {}),
    "PNG, grey of 16 bits": ("I;16", "PNG", {}),
    "WebP": ("RGB", "WEBP", {"method": 0}),
    "WebP, lossless": ("RGB", "WEBP", {"method": 0, "lossless": True, "quality": 0}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8000, help="px, of the largest pictures")
    parser.add_argument("--photo", type=int, default=4000, help="px, the longer side of the ordinary one")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these kinds; can be repeated")
    asked = parser.parse_args()
    pool.warm()
    photo = encoded(drawing("RGB", (asked.photo, asked.photo * 3 // 4)), "JPEG", {"quality": 90})
    clean_upload(photo, small=True)
    began, before = time.perf_counter(), cpu()
    clean_upload(photo, small=True)
    print(f"a photo of {asked.photo} px: {time.perf_counter() - began:.2f} s, {cpu() - before:.2f} s of processor time")
    largest = [encoded(drawing("RGB", (asked.side, asked.side)), *KINDS[kind][1:]) for kind in ("WebP", "JPEG")]
    with Watched() as watched, ThreadPoolExecutor(AT_ONCE) as people:
        list(people.map(upload, largest * (AT_ONCE // 2)))
    print(f"{AT_ONCE} of {asked.side} px at once: {watched.most:.0f} MB more, in all processes")
    for kind, (mode, form, options) in ((kind, KINDS[kind]) for kind in asked.kind or KINDS):
        data = encoded(drawing(mode, (asked.side, asked.side)), form, options)
        limits = Limits(bytes=2**28)
        upload_facts = {"kind": form, "pixels": limits.pixels, "memory": limits.memory, "sides": THUMBNAILS}
        warm = pool.run(
            DecodingJob("thumbnails", encoded(drawing("RGB", (64, 64)), "PNG", {}), {"sides": ()}, 2**29, ANSWER)
        )
        answer = pool.run(DecodingJob("clean", data, upload_facts, limits.memory, ANSWER))
        added = (answer.peak - warm.peak - len(data)) / 2**20
        print(f"{kind:28} {added:5.0f} MB in addition to the file ({len(data) / 2**20:.0f} MB)", flush=True)


def drawing(mode: str, size: tuple[int, int]) -> Image.Image:
    """Soft noise in three colours, as grainy as a photo."""
    grain = Image.effect_noise((max(8, size[0] // 16), max(8, size[1] // 16)), 40)
    turns = (grain, grain.rotate(90), grain.rotate(180))
    picture = Image.merge("RGB", turns).resize(size, Image.Resampling.BICUBIC)
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 256)
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str, options: dict[str, object]) -> bytes:
    written = io.BytesIO()
    picture.save(written, form, **options)
    return written.getvalue()


def upload(data: bytes) -> None:
    with suppress(UserError):
        clean_upload(data, small=True)


def cpu() -> float:
    """Processor seconds used by this process, its workers and their children."""
    every = [psutil.Process(), *psutil.Process().children(recursive=True)]
    own = sum(times.user + times.system for times in (each.cpu_times() for each in every))
    return own + sum(times.children_user + times.children_system for times in (each.cpu_times() for each in every[1:]))


class Watched:
    """Peak memory of all processes together while open, in MB above the start."""

    def __enter__(self) -> "Watched":
        self.most, self._start, self._stopped = 0.0, memory(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.02):
            self.most = max(self.most, memory() - self._start)


def memory() -> float:
    total = 0
    for each in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.Error, OSError):
            total += each.memory_full_info().pss
    return total / 2**20


if __name__ == "__main__":
    main()
