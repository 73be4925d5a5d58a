"""What a child can be asked to do, and how it answers."""

import io
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from PIL import Image

from app.decoding import clean, frames, sandbox
from app.decoding.thumbnails import small
from app.errors import Invalid

Answer = tuple[Mapping[str, Any], list[bytes]]  # facts, and what was made

# Jobs of other rooms, which know what they draw; imported by name, so that this room needs none of them.
ELSEWHERE = {"map": "app.structures.drawing", "crop": "app.structures.drawing"}

# Where XMP may say that it is written in them; nothing can be imported later.
ENCODINGS = ("utf_8", "utf_8_sig", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "ascii", "latin_1", "cp1252", "idna")
WHOLE = 2**30  # bytes: what a socket gives; the server has checked what it sends


def cleaned(data: bytes, asked: Mapping[str, Any]) -> Answer:
    return clean.cleaned(data, **asked)


def thumbnails(data: bytes, asked: Mapping[str, Any]) -> Answer:
    with Image.open(io.BytesIO(data)) as opened:
        return {}, small(opened.convert("RGB"), asked["sides"])


def pixels(data: bytes, asked: Mapping[str, Any]) -> Answer:
    """A PNG's pixels, one byte for each channel of `mode`."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
        picture = opened.convert(asked["mode"])
    return {"width": picture.width, "height": picture.height}, [picture.tobytes()]


def _job(name: str) -> Callable[[bytes, Mapping[str, Any]], Answer]:
    here = {"clean": cleaned, "thumbnails": thumbnails, "pixels": pixels}
    found: Callable[[bytes, Mapping[str, Any]], Answer] = here.get(name) or getattr(
        import_module(ELSEWHERE[name]), name
    )
    return found


def answer(connection: socket.socket, mapped: int, filtered: bool) -> None:
    """Read one job and answer it: facts and blobs, or a `refusal` for people, or what went `wrong`."""
    head, (data,) = frames.receive(connection, WHOLE)
    sandbox.confine_child(mapped + head["memory"] + len(data), head["seconds"], filtered)
    try:
        facts, blobs = _job(head["job"])(data, head["asked"])
    except Invalid as error:
        frames.send(connection, {"refusal": str(error)})
    except MemoryError:
        frames.send(connection, {"wrong": "memory"})
    except Exception as error:  # decoders meet hostile bytes with errors of every class
        frames.send(connection, {"wrong": "damaged", "error": type(error).__name__})
    else:
        frames.send(connection, {"facts": facts, "peak": _peak()}, blobs)


def warm() -> None:
    """Do each kind of job once, so that all is imported that one needs: later there are no files."""
    for name in ENCODINGS:
        import_module(f"encodings.{name}")
    for name in set(ELSEWHERE.values()):
        import_module(name).warm()
    clean.warm()


def work_once(ours: socket.socket, theirs: socket.socket) -> None:
    """The work of an upload, of each kind of file, and an answer from one socket to the other."""
    clean.warm()
    frames.send(ours, {"peak": _peak()})
    frames.receive(theirs, 0)


def _peak() -> int:
    """The most memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
