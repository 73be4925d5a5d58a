"""Messages on a socket, for jobs and answers: a length, a JSON head, then the bytes that it describes."""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

HEAD = struct.Struct(">I")
HEAD_BYTES = 64 * 1024  # a head is a few facts


class BrokenFrame(Exception):
    """The other side sent something invalid, or closed."""


def send(connection: socket.socket, head: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Send a head and its blobs. Raises OSError."""
    told = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode()
    connection.sendall(HEAD.pack(len(told)) + told)
    for blob in blobs:
        connection.sendall(blob)


def receive(connection: Any, most: int) -> tuple[dict[str, Any], list[bytes]]:
    """Receive a head and its blobs, at most `most` bytes together; `connection` has `recv_into` or is a socket.

    Trusts nothing beyond what is checked here. Raises BrokenFrame and OSError.
    """
    (length,) = HEAD.unpack(_exactly(connection, HEAD.size))
    if length > HEAD_BYTES:
        raise BrokenFrame(f"a head of {length} bytes")
    try:
        head = json.loads(bytes(_exactly(connection, length)))
        sizes = head.pop("blobs")
        sizes = [int(size) for size in sizes if isinstance(size, int) and size >= 0]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenFrame("a head that is none") from error
    if sum(sizes) > most:
        raise BrokenFrame(f"{sum(sizes)} bytes where {most} were allowed")
    return head, [bytes(_exactly(connection, size)) for size in sizes]


def _exactly(connection: Any, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        got = connection.recv_into(view[done:])
        if not got:
            raise BrokenFrame("it ended in the middle")
        done += got
    view.release()
    return data
