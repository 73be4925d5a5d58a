"""Distrust of answers: a process taken over by a picture can say anything."""

import json
import socket
import struct
import zlib

import pytest

from app import pictures
from app.decoding import frames
from app.decoding.pool import Answer, DecodingFailed
from app.decoding.pool import _answer as judged
from app.errors import Invalid
from tests.factory import encoded, png


def received(*sent: bytes) -> tuple[dict[str, object], list[bytes]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(sent))
        theirs.shutdown(socket.SHUT_WR)
        return frames.receive(ours, 1000)


def head(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff\xff\xff\xff",
        head("{}"),
        head("[]"),
        head("[" * 60_000),
        head('{"blobs": 7}'),
        head('{"blobs": [99999999999]}'),
        head('{"blobs": [600, 600]}') + b"x" * 1200,
        head('{"blobs": [10]}') + b"x" * 9,
        struct.pack(">I", 70_000) + b" " * 70_000,
    ],
)
def test_an_invalid_answer_is_refused(sent: bytes) -> None:
    with pytest.raises(frames.BrokenFrame):
        received(sent)


def test_an_answer_is_taken() -> None:
    assert received(head(json.dumps({"facts": {}, "blobs": [2, 3]})), b"ab", b"cde") == ({"facts": {}}, [b"ab", b"cde"])


@pytest.mark.parametrize("said", [{"facts": []}, {"facts": None}, {"refusal": 7}, {"wrong": "x"}, {"refusal": None}])
def test_invalid_facts_count_as_a_crash(said: dict[str, object]) -> None:
    with pytest.raises(DecodingFailed):
        judged(said, [], 0)


def test_a_refusal_fits_into_a_sentence() -> None:
    with pytest.raises(Invalid) as refused:
        judged({"refusal": "x" * 60_000}, [], 0)
    assert len(str(refused.value)) == 500


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


GOOD = png()


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"<html>",
        GOOD[:-1],
        GOOD + b"<script>",
        GOOD[:40] + b"\xff" + GOOD[41:],
        GOOD[:33] + chunk(b"tEXt", b"Comment\0hello") + GOOD[33:],
        GOOD[:33] + chunk(b"iCCP", b"x\0\0x") + GOOD[33:],
        GOOD[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**20, 2**20, 8, 2, 0, 0, 0)) + GOOD[33:],
        GOOD[:8] + GOOD[33:],
    ],
)
def test_only_a_png_of_pixels_is_kept(kept: bytes) -> None:
    with pytest.raises(Invalid, match=r"This PNG file cannot be read. Open it in another program"):
        pictures._png_size([kept])


def test_a_plain_png_is_kept() -> None:
    assert pictures._png_size([encoded(pictures.Image.new("RGB", (70, 80)))]) == (70, 80)


def test_only_webps_are_thumbnails() -> None:
    for blobs in ([b"RIFF0000WEBP"], [b"RIFF0000WEBP", b"<html>"], [b"RIFF0000WEBP"] * 3):
        with pytest.raises(Invalid):
            pictures._small(blobs, (320, 960))


@pytest.mark.parametrize(
    "facts", [{}, {"width": "7", "height": 7}, {"width": 2**30, "height": 1}, {"width": 0, "height": 9}]
)
def test_pixels_are_as_many_as_they_say(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a picture of"):
        pictures._size(facts)


def test_rights_are_short_lines() -> None:
    said = {"creator": "Mori\x07\n" + "x" * 9000, "copyright": 7, "credit": ["x"], "other": "x"}
    found = pictures._rights(said)
    assert set(found) == {"creator"}
    assert len(found["creator"]) <= 500
    assert Answer({}, [], 0).blobs == []
