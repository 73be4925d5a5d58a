"""Read a WebP's header without a decoder (RFC 9649).

Pillow's decoder allocates two whole canvases before anyone can see the size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Header:
    width: int = 0  # px
    height: int = 0
    animated: bool = False
    chunks: dict[bytes, bytes] = field(default_factory=dict)  # ICCP, EXIF and "XMP ", the first of each


def header(data: bytes) -> Header:
    """Read the header. Raises ValueError if the data is no WebP."""
    found = Header()
    for name, body in _chunks(data):
        if name == b"VP8X" and len(body) >= 10:
            found.animated = bool(body[0] & 2)
            found.width, found.height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
        elif name == b"VP8 " and not found.width and len(body) >= 10:
            found.width, found.height = (side & 0x3FFF for side in struct.unpack("<2H", body[6:10]))
        elif name == b"VP8L" and not found.width and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            found.width, found.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif name in (b"ICCP", b"EXIF", b"XMP "):
            found.chunks.setdefault(name, bytes(body))
    if not found.width:
        raise ValueError("no picture in this WebP")
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    place, view = 12, memoryview(data)
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        yield name, view[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
