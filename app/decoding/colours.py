"""Colour spaces that a file states by numbers rather than by an ICC profile, as an ICC profile.

A PNG may have only cICP (the code points of ITU-T H.273), or only gAMA and cHRM; AVIF and HEIC may have only "nclx",
the same code points. From primaries and a curve follows a profile, by which the rest is as for any other file.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x and y of red, green, blue and white
P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
# H.273, table 2, by code point. 2 is "unspecified".
PRIMARIES: Mapping[int, Sequence[float]] = {
    1: SRGB,
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: P3,
}
HEAD = 2**17  # bytes of an AVIF or HEIC in which its colours are
CURVE_POINTS = 1024
WHITE = 203.0  # cd/m2 of white in HDR pictures (ITU-R BT.2408); brighter light is clipped
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Curve = Callable[[np.ndarray], np.ndarray]
"""From stored values to light, both from 0 to 1."""


def stated(data: bytes, kind: str) -> tuple[int, int] | None:
    """The code points of primaries and transfer in a PNG's cICP or in the "nclx" of an AVIF or HEIC; None without."""
    if kind == "PNG":
        place, found, ends = 8, None, data.find(b"IDAT")
        while place < ends and found is None:
            size, name = struct.unpack(">I4s", data[place : place + 8])
            found = place + 8 if name == b"cICP" and size == 4 else None
            place += 12 + size
        return None if found is None else (data[found], data[found + 1])
    if kind in ("AVIF", "HEIF"):
        place = data[:HEAD].find(b"colrnclx")
        return None if place < 0 else struct.unpack(">2H", data[place + 8 : place + 12])
    return None


def of_code_points(primaries: int, transfer: int) -> bytes | None:
    """The profile of two code points of H.273; None for sRGB and for those that say nothing known."""
    if primaries not in PRIMARIES or transfer not in CURVES or (primaries, transfer) == (1, 13):
        return None
    return profile(PRIMARIES[primaries], CURVES[transfer])


def of_png(info: Mapping[Any, Any]) -> bytes | None:
    """The profile of a PNG with gAMA, and perhaps cHRM; None without, or if it says sRGB."""
    gamma = info.get("gamma")
    if not isinstance(gamma, int | float) or not 0.1 <= gamma <= 5 or "srgb" in info:
        return None
    found = info.get("chromaticity")
    primaries = (*found[2:], *found[:2]) if isinstance(found, tuple) and len(found) == 8 else SRGB
    if np.allclose(primaries, SRGB, atol=0.005) and abs(gamma - 0.45455) < 0.005:
        return None  # what programs write for sRGB
    if abs(gamma - 0.45455) < 0.005:
        return profile(primaries, _srgb)
    return profile(primaries, lambda values: values ** (1 / gamma))


def profile(primaries: Sequence[float], curve: Curve) -> bytes | None:
    """A matrix ICC profile (version 2.4). None for primaries that span no colours."""
    colours = np.array([[x / y, 1.0, (1 - x - y) / y] if y else [0.0] * 3 for x, y in _pairs(primaries)]).T
    white = colours[:, 3]
    try:
        matrix = colours[:, :3] * np.linalg.solve(colours[:, :3], white)
        scale = (BRADFORD @ D50) / (BRADFORD @ white)
        matrix = np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ matrix
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 4:
        return None
    points = np.clip(curve(np.linspace(0, 1, CURVE_POINTS)), 0, 1)
    curves = b"curv" + struct.pack(">II", 0, CURVE_POINTS) + (points * 65535).round().astype(">u2").tobytes()
    tags = [(b"wtpt", _xyz(D50))]
    tags += [(name, _xyz(matrix[:, column])) for column, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
    tags += [(name, curves) for name in (b"rTRC", b"gTRC", b"bTRC")]
    tags += [
        (b"desc", b"desc" + struct.pack(">II", 0, 6) + b"Soroe\0" + bytes(79)),
        (b"cprt", b"text\0\0\0\0none\0\0\0\0"),
    ]
    return _file(tags)


def _pairs(values: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _file(tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    place = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += struct.pack(">4sII", name, place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", place + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def _srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _television(values: np.ndarray) -> np.ndarray:
    """BT.709, and BT.2020 with its curve: as displayed, by BT.1886."""
    return values**2.4


def _quantized(values: np.ndarray) -> np.ndarray:
    """PQ (SMPTE ST 2084), up to `WHITE`."""
    power = values ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return 10_000 * light ** (1 / 0.1593017578125) / WHITE


def _hybrid(values: np.ndarray) -> np.ndarray:
    """HLG (BT.2100): white is at 75 %."""
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return (scene / 0.2649625) ** 1.2


CURVES: Mapping[int, Curve] = {
    1: _television,
    4: lambda values: values**2.2,
    5: lambda values: values**2.8,
    6: _television,
    8: lambda values: values,
    13: _srgb,
    14: _television,
    15: _television,
    16: _quantized,
    18: _hybrid,
}
