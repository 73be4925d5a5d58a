"""The process that measures: of the lowest priority, and killed first when memory runs out.

It takes one job at a time from the server's socket, and ends with it. Only here are the models loaded that compare
pictures by their embeddings, so the server needs no torch.
"""

import faulthandler
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from multiprocessing.connection import Connection

import structlog
from PIL import Image as Picture

from app import processes
from app.logs import configure_logging
from app.measures.jobs import (
    Answer,
    ComparedSet,
    Cut,
    Job,
    MeasuredFile,
    Models,
    NoPicture,
    ToCompare,
    ToMeasure,
    packed,
    readable,
)
from app.quality.embedder import OFF, Embedder
from app.quality.features import Features, compared, compared_all, features
from app.quality.measures import Measure
from app.settings import Settings

log = structlog.get_logger()

NICE, LOADING_NICE = 19, 10
KILL_FIRST = 900


def main(descriptor: int, parent: int) -> None:
    """Do the jobs from the socket `descriptor` until the server closes it."""
    processes.end_without(parent)  # it looks at its socket between jobs only
    processes.die_before_server(KILL_FIRST)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    faulthandler.enable()
    processes.give_way(LOADING_NICE)  # on a busy machine, loading with less would take minutes
    connection = Connection(descriptor)
    try:
        settings = connection.recv()
        configure_logging(settings)
        serve(connection, settings)
    except (EOFError, OSError):
        pass  # the server has ended, or wants no more
    except Exception:
        log.exception("the process that measures failed")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def serve(connection: Connection, settings: Settings) -> None:
    embedders, models = load(settings)
    connection.send(models)
    processes.give_way(NICE - LOADING_NICE)
    while True:
        connection.send(done(connection.recv(), embedders))


def load(settings: Settings) -> tuple[Sequence[Embedder], Models]:
    """The models of SOROE_MEASURES that can be loaded, and why the others cannot."""
    if settings.measures == OFF:
        return (), Models({})
    from app.quality.embeddings import loadable  # imports torch, which takes seconds

    found, failed = loadable(settings.measures)
    return found, Models({str(role): why for role, why in failed.items()})


def done(job: Job, embedders: Sequence[Embedder]) -> Answer:
    if isinstance(job, ToCompare):
        return compare(job)
    return measure(job, embedders)


def measure(job: ToMeasure, embedders: Sequence[Embedder]) -> MeasuredFile | NoPicture:
    try:
        with Picture.open(job.path) as opened:
            picture = part(opened.convert("RGB"), job.crop)
        subject = Picture.open(io.BytesIO(job.subject)).convert("L") if job.subject else None
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        return NoPicture()
    found = features(
        picture,
        subject=subject,
        text=job.text,
        embedders=embedders,
        windows=job.windows,
        ends_meet=job.ends_meet,
    )
    numbers = compared(found, known(job.references), [])
    return MeasuredFile(packed(found), plain(numbers), {each.role: each.name for each in embedders})


def part(picture: Picture.Image, crop: Cut) -> Picture.Image:
    """What `crop` leaves of a picture: at least a pixel."""
    width, height = picture.size
    left, top = min(round(crop.x * width), width - 1), min(round(crop.y * height), height - 1)
    right = min(max(round((crop.x + crop.width) * width), left + 1), width)
    bottom = min(max(round((crop.y + crop.height) * height), top + 1), height)
    return picture.crop((left, top, right, bottom))


def compare(job: ToCompare) -> ComparedSet:
    pictures = [readable(each) for each in job.pictures]
    whole = [place for place, each in enumerate(pictures) if each]
    sample = [place for place, at in enumerate(whole) if at in set(job.sample)]
    found = compared_all([each for each in pictures if each], known(job.references), sample)
    numbers: list[dict[str, float] | None] = [None] * len(pictures)
    for at, each in zip(whole, found, strict=True):
        numbers[at] = plain(each)
    return ComparedSet(numbers)


def known(references: Sequence[bytes]) -> list[Features]:
    """The features of references, without damaged ones."""
    return [each for data in references if (each := readable(data))]


def plain(numbers: Mapping[Measure, float]) -> dict[str, float]:
    """Names and floats, as JSON holds them; what is not finite is left out."""
    return {str(name): round(float(value), 6) for name, value in numbers.items() if isfinite(value)}
