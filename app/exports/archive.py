"""A zip that is never built: its bytes are read from the files themselves, starting anywhere.

All files are stored, not compressed (pictures do not shrink), and their sizes and checksums are known in advance. So
the position of every byte is known before the first is sent: the length is exact, an interrupted download resumes
without reading what came before, and ten thousand pictures take no more memory than their names.

The format is PKWARE's APPNOTE 6.3.10, with 64-bit records where sizes need them and UTF-8 names.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zlib import crc32

from app import atomic, days, slow

CHUNK = 2**18  # bytes read at a time
LIMIT_32, LIMIT_16 = 0xFFFFFFFF, 0xFFFF
UTF8 = 0x0800  # flag: the name is UTF-8
VERSION, VERSION_64 = 20, 45  # version needed to extract: 2.0, or 4.5 for 64-bit sizes
UNIX = 3 << 8  # made on Unix, so that the permissions below apply
MODE = 0o100644 << 16  # a plain file

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64 = struct.Struct("<4sLQL")
END = struct.Struct("<4s4H2LH")


class FileChanged(RuntimeError):
    """A file has changed since the zip was laid out; the download cannot continue."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the zip."""

    name: str
    path: Path
    bytes: int
    crc32: int

    @property
    def undamaged(self) -> bool:
        """Whether the file has the content that it had when the zip was laid out. Reads all of it."""
        checksum = size = 0
        try:
            with atomic.opened(self.path) as file:
                while piece := file.read(CHUNK):
                    size, checksum = size + len(piece), crc32(piece, checksum)
        except OSError:
            return False
        return (size, checksum) == (self.bytes, self.crc32)

    @property
    def whole(self) -> bool:
        """Whether the file exists in its full length."""
        try:
            return self.path.stat().st_size == self.bytes
        except OSError:
            return False


class Archive:
    """A zip of `members` in their order."""

    @slow.outside
    def __init__(self, members: Sequence[Member], made_at: datetime) -> None:
        """`made_at` is the time of all members, so that a zip is the same on every request."""
        self.members = members
        self._time = _dos_time(made_at)
        self._starts: list[int] = []
        place = 0
        for member in members:
            self._starts.append(place)
            place += len(self._local(member)) + member.bytes
        self._directory_at = place
        self._directory = self._central_directory()
        self.length = place + len(self._directory)

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to `end` (exclusive); the whole zip by default.

        Reads each file twice: to check it, then to send it. Raises FileChanged before a byte of a damaged one.
        """
        end = self.length if end is None else min(end, self.length)
        number = max(0, bisect_right(self._starts, start) - 1)
        while start < end and start < self._directory_at:
            member, begin = self.members[number], self._starts[number]
            for piece in self._member(member, start - begin, end - begin):
                yield piece
                start += len(piece)
            number += 1
        if start < end:
            yield self._directory[start - self._directory_at : end - self._directory_at]

    def is_whole(self, start: int = 0, end: int | None = None) -> bool:
        """Whether the files exist that hold the bytes from `start` to `end`."""
        return all(member.whole for member in self._between(start, end))

    def is_undamaged(self, start: int = 0, end: int | None = None) -> bool:
        """Whether these files have their content. Reads all of each."""
        return all(member.undamaged for member in self._between(start, end))

    def _between(self, start: int, end: int | None) -> Sequence[Member]:
        first = max(0, bisect_right(self._starts, start) - 1)
        last = len(self.members) if end is None else bisect_left(self._starts, end)
        return self.members[first:last]

    def _member(self, member: Member, start: int, end: int) -> Iterator[bytes]:
        header = self._local(member)
        if start < len(header):
            yield header[start:end]
        first, last = max(0, start - len(header)), min(member.bytes, end - len(header))
        if first >= last:
            return
        if not member.undamaged:  # a part of it may be what was damaged, so the rest is not sent either
            raise FileChanged(f"{member.path} is damaged or gone")  # English
        with member.path.open("rb") as file:
            file.seek(first)
            while first < last:
                piece = file.read(min(CHUNK, last - first))
                if not piece:
                    raise FileChanged(f"{member.path} is shorter than {member.bytes} bytes")
                first += len(piece)
                yield piece

    def _local(self, member: Member) -> bytes:
        name = member.name.encode()
        large = member.bytes >= LIMIT_32
        extra = struct.pack("<2H2Q", 1, 16, member.bytes, member.bytes) if large else b""
        size = LIMIT_32 if large else member.bytes
        version = VERSION_64 if large else VERSION
        return (
            LOCAL.pack(b"PK\3\4", version, UTF8, 0, *self._time, member.crc32, size, size, len(name), len(extra))
            + name
            + extra
        )

    def _central_directory(self) -> bytes:
        records = b"".join(
            self._central(member, start) for member, start in zip(self.members, self._starts, strict=True)
        )
        return records + self._end(len(records))

    def _central(self, member: Member, start: int) -> bytes:
        name = member.name.encode()
        sizes = [member.bytes, member.bytes] if member.bytes >= LIMIT_32 else []
        places = [start] if start >= LIMIT_32 else []
        long = sizes + places
        extra = struct.pack(f"<2H{len(long)}Q", 1, 8 * len(long), *long) if long else b""
        size = LIMIT_32 if sizes else member.bytes
        version = VERSION_64 if long else VERSION
        return (
            CENTRAL.pack(
                *(b"PK\1\2", UNIX | version, version, UTF8, 0, *self._time, member.crc32, size, size),
                *(len(name), len(extra), 0, 0, 0, MODE, LIMIT_32 if places else start),
            )
            + name
            + extra
        )

    def _end(self, size: int) -> bytes:
        count, at = len(self.members), self._directory_at
        large = count >= LIMIT_16 or size >= LIMIT_32 or at >= LIMIT_32
        records = b""
        if large:
            records = END_64.pack(
                b"PK\6\6", END_64.size - 12, UNIX | VERSION_64, VERSION_64, 0, 0, count, count, size, at
            )
            records += LOCATOR_64.pack(b"PK\6\7", 0, at + size, 1)
        short = min(count, LIMIT_16)
        return records + END.pack(b"PK\5\6", 0, 0, short, short, min(size, LIMIT_32), min(at, LIMIT_32), 0)


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Time and date in DOS format, which has no zone and is read as local time: in steps of two seconds, from 1980."""
    moment = days.local(moment)
    date = (max(moment.year, 1980) - 1980) << 9 | moment.month << 5 | moment.day
    return moment.hour << 11 | moment.minute << 5 | moment.second // 2, date
