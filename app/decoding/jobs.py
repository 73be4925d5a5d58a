"""The jobs that a child can do, and its answers."""

import io
import resource
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from PIL import Image

from app.decoding import clean, frames, sandbox
from app.decoding.thumbnails import small
from app.errors import Invalid

Answer = tuple[Mapping[str, Any], list[bytes]]  # facts, and the results

# Encodings that XMP may use; nothing can be imported later.
ENCODINGS = ("utf_8", "utf_8_sig", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "ascii", "latin_1", "cp1252", "idna")
WHOLE = 2**30  # bytes: the most a socket delivers; the server has checked what it sends


def cleaned(data: bytes, asked: Mapping[str, Any]) -> Answer:
    return clean.cleaned(data, **asked)


def thumbnails(data: bytes, asked: Mapping[str, Any]) -> Answer:
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    return {}, small(picture, asked["sides"])


def pixels(data: bytes, asked: Mapping[str, Any]) -> Answer:
    """Decode a PNG to pixels, one byte per channel of `mode`."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
        picture = opened.convert(asked["mode"])
    return {"width": picture.width, "height": picture.height}, [picture.tobytes()]


JOBS: dict[str, Callable[[bytes, Mapping[str, Any]], Answer]] = {
    "clean": cleaned,
    "thumbnails": thumbnails,
    "pixels": pixels,
}


def answer(connection: socket.socket, mapped: int, filtered: bool) -> None:
    """Read one job and answer it: facts and blobs, a `refusal` for people, or what went `wrong`."""
    head, (data,) = frames.receive(connection, WHOLE)
    sandbox.confine_child(mapped + head["memory"] + len(data), head["seconds"], filtered, head["threads"])
    try:
        facts, blobs = JOBS[head["job"]](data, head["asked"])
    except Invalid as error:
        frames.send(connection, {"refusal": str(error)})
    except MemoryError:
        frames.send(connection, {"wrong": "memory"})
    except Exception as error:  # decoders raise errors of every class for hostile bytes
        frames.send(connection, {"wrong": "damaged", "error": type(error).__name__})
    else:
        frames.send(connection, {"facts": facts, "peak": _peak()}, blobs)


def warm(modules: Sequence[str]) -> None:
    """Run each kind of job once, so that everything is imported: later there are no files.

    `modules` of other packages have jobs too, in their `JOBS`, and a `warm` of their own.
    """
    for name in ENCODINGS:
        import_module(f"encodings.{name}")
    for name in modules:
        module = import_module(name)
        module.warm()
        JOBS.update(module.JOBS)
    clean.warm()


def work_once(ours: socket.socket, theirs: socket.socket) -> None:
    """Do an upload's work for each kind of file, and send an answer from one socket to the other."""
    clean.warm()
    frames.send(ours, {"peak": _peak()})
    frames.receive(theirs, 0)


def _peak() -> int:
    """The peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
