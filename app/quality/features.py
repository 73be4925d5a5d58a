"""All that later comparisons need of a picture, measured once, and the comparisons.

`features` reads the picture; `compared` never does: it compares what was measured with the references and with the
other pictures of the set. Features are stored as JSON of less than 16 kB.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Self

import numpy as np
from PIL import Image

from app.quality import defects
from app.quality.colour import Floats, Vectors, oklab
from app.quality.embedder import Embedder
from app.quality.hue import hue_distances, hues
from app.quality.leakage import SubjectParts, leakage, parts_of
from app.quality.look import SIDE, Look
from app.quality.measures import DEFINITIONS, Measure
from app.quality.nearest import nearest
from app.quality.palette import Palette, Swatch, palette_of
from app.quality.strokes import Strokes, strokes
from app.quality.subject import MainSubject, guessed, subject_of

VERSION = 4  # of what is kept of a picture; features of another version are measured again
GLANCE = 16  # px: what is left of a picture in which near-duplicates are looked for

M = Measure


@dataclass(frozen=True)
class Features:
    """What was measured of one picture. Plain data; `to_json` and `from_json` keep it."""

    version: int
    width: int
    height: int
    palette: Palette
    hue: Floats | None  # (hue.BINS,), sum 1; None: the picture is grey
    lightness: float  # mean, 0 to 1
    contrast: float  # standard deviation of the lightness, 0 to 0.5
    chroma: float  # mean, 0 to 0.33
    look: Look
    glance: Floats  # (GLANCE, GLANCE, 3), OKLab
    blank: float  # 0 to 1
    clipped: float  # 0 to 1
    noise: Mapping[int, float]  # levels of 255 by cells along the shorter side
    seam: float | None  # 0 to 1; None: not made in windows
    strokes: Strokes | None  # None: not drawn with lines
    subject: MainSubject | None = None  # None: it came without a mask
    vectors: Mapping[str, Vectors] = field(default_factory=dict)  # by role
    made_by: Mapping[str, str] = field(default_factory=dict)  # the name of the embedder of each role
    text_alignment: float | None = None  # -1 to 1, by the CLIP
    parts: SubjectParts | None = None  # of which leakage is measured; None: the subject is not known
    parts_by: str = ""  # the name of the embedder of `parts`

    def to_json(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "version": self.version,
            "size": [self.width, self.height],
            "palette": [list(swatch) for swatch in self.palette],
            "hue": None if self.hue is None else _packed(self.hue),
            "lightness": self.lightness,
            "contrast": self.contrast,
            "chroma": self.chroma,
            "look": [_packed(self.look.colour), _packed(self.look.texture)],
            "glance": _packed(self.glance),
            "blank": self.blank,
            "clipped": self.clipped,
            "noise": {str(cells): strength for cells, strength in self.noise.items()},
            "seam": self.seam,
            "vectors": {role: _packed(vector) for role, vector in self.vectors.items()},
            "made_by": dict(self.made_by),
            "strokes": None if self.strokes is None else list(self.strokes),
            "subject": None if self.subject is None else list(astuple(self.subject)),
            "text_alignment": self.text_alignment,
            "parts": None if self.parts is None else [_bytes(part) for part in self.parts],
            "parts_by": self.parts_by,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `to_json` gave. Raises ValueError if it is of another version or not whole."""
        try:
            if data["version"] != VERSION:
                raise ValueError(f"features of version {data['version']} are not of version {VERSION}")
            colour, texture = data["look"]
            return cls(
                version=VERSION,
                width=data["size"][0],
                height=data["size"][1],
                palette=tuple(Swatch(*swatch) for swatch in data["palette"]),
                hue=None if data["hue"] is None else _unpacked(data["hue"]),
                lightness=data["lightness"],
                contrast=data["contrast"],
                chroma=data["chroma"],
                look=Look(_unpacked(colour), _unpacked(texture)),
                glance=_unpacked(data["glance"]),
                blank=data["blank"],
                clipped=data["clipped"],
                noise={int(cells): strength for cells, strength in data["noise"].items()},
                seam=data["seam"],
                vectors={role: _unpacked(vector).astype(np.float32) for role, vector in data["vectors"].items()},
                made_by=dict(data["made_by"]),
                strokes=None if data["strokes"] is None else Strokes(*data["strokes"]),
                subject=None if data["subject"] is None else MainSubject(*data["subject"]),
                text_alignment=data["text_alignment"],
                parts=None if data["parts"] is None else SubjectParts(*map(_from_bytes, data["parts"])),
                parts_by=data["parts_by"],
            )
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"features are not whole: {error!r}") from error


def _packed(values: Any) -> list[Any]:
    """An array as its shape and its numbers in half precision."""
    return [list(values.shape), base64.b64encode(np.asarray(values, dtype="<f2").tobytes()).decode()]


def _unpacked(packed: Any) -> Floats:
    shape, numbers = packed
    return np.frombuffer(base64.b64decode(numbers), dtype="<f2").astype(np.float64).reshape(shape)


def _bytes(vectors: Vectors) -> list[Any]:
    """Vectors of length 1 as their shape and a byte a number."""
    return [list(vectors.shape), base64.b64encode((vectors * 127).round().astype(np.int8).tobytes()).decode()]


def _from_bytes(packed: Any) -> Vectors:
    shape, numbers = packed
    vectors = np.frombuffer(base64.b64decode(numbers), dtype=np.int8).astype(np.float32).reshape(shape)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def features(
    picture: Image.Image,
    *,
    subject: Image.Image | None = None,
    text: str = "",
    embedders: Sequence[Embedder] = (),
    windows: bool = False,
    ends_meet: bool = False,
) -> Features:
    """Measure a picture of any size.

    `subject` is a grey mask of its main subject (white) of any size; `text` names its main subject.
    `windows`: the picture was made in windows, so look for a seam; `ends_meet`: its ends are to fit.
    """
    picture = picture.convert("RGB")
    by_role: dict[str, Embedder] = {each.role: each for each in embedders}
    clip, looking = by_role.get("clip"), by_role.get("dino") or by_role.get("clip")
    mask = subject or (guessed(picture) if looking else None)
    vectors: dict[str, Vectors] = {role: each.picture(picture) for role, each in by_role.items()}
    said = clip.text(text) if clip and text else None
    lab = oklab(picture.resize((SIDE, SIDE), Image.Resampling.BOX))
    light = lab[..., 0]
    return Features(
        version=VERSION,
        width=picture.width,
        height=picture.height,
        palette=palette_of(lab.reshape(-1, 3)),
        hue=hues(lab),
        lightness=round(float(light.mean()), 4),
        contrast=round(float(light.std()), 4),
        chroma=round(float(np.hypot(lab[..., 1], lab[..., 2]).mean()), 4),
        look=_shorter(Look.of(picture)),
        glance=lab.reshape(GLANCE, SIDE // GLANCE, GLANCE, SIDE // GLANCE, 3).mean(axis=(1, 3)),
        blank=round(defects.blank(lab), 4),
        clipped=round(defects.clipped(np.asarray(picture)), 4),
        noise={cells: round(strength, 2) for cells, strength in defects.noise(picture).items()},
        seam=round(defects.seam(picture, ends_meet=ends_meet), 4) if windows or ends_meet else None,
        strokes=strokes(picture),
        subject=None if subject is None else subject_of(subject),
        vectors=vectors,
        made_by={role: each.name for role, each in by_role.items()},
        text_alignment=None if said is None else round(float(said @ vectors["clip"]), 4),
        parts=parts_of(picture, mask, looking) if looking and mask else None,
        parts_by=looking.name if looking else "",
    )


def _shorter(look: Look) -> Look:
    """A look with half as many quantiles, each the mean of two: what is stored is half as long."""
    return Look(look.colour.reshape(look.colour.shape[0], -1, 2).mean(axis=-1), look.texture)


def compared(picture: Features, references: Sequence[Features], others: Sequence[Features]) -> dict[Measure, float]:
    """The measures of a picture against the style's references and against other pictures, all but `nearest`.

    Distances and likenesses to references are to the nearest one; those within the set are means over the others. What
    cannot be known, such as the hue of a grey picture, is left out. Without references, `clipped` and `noise` are
    compared with the others.
    """
    found: dict[Measure, float | None] = {M.BLANK: picture.blank * 100}
    for measure, (distances, scale) in _DISTANCES.items():
        found[measure] = _scaled(min, distances(picture, references), scale)
    for measure, twin in _WITHIN.items():
        distances, scale = _DISTANCES[twin]
        found[measure] = _scaled(np.mean, distances(picture, others), scale)
    for role in picture.vectors:
        found[Measure(f"{role}_reference")] = _scaled(max, _likenesses(picture, references, role), 1)
        found[Measure(f"{role}_set")] = _scaled(np.mean, _likenesses(picture, others, role), 1)
    if usual := references or others:
        found[M.CLIPPED] = max(picture.clipped - max(each.clipped for each in usual), 0) * 100
        found[M.NOISE] = _excess(picture.noise, [each.noise for each in usual])
    found |= _of_subject(picture.subject) | {M.TEXT_ALIGNMENT: picture.text_alignment}
    found[M.LEAKAGE] = _scaled(max, _leakages(picture, references), 1)
    if picture.seam is not None:
        found[M.SEAM] = picture.seam * 100
    return {measure: round(value, 4) for measure in DEFINITIONS if (value := found.get(measure)) is not None}


def compared_all(
    pictures: Sequence[Features], references: Sequence[Features], sample: Sequence[int]
) -> list[dict[Measure, float]]:
    """The measures of each picture of a set; `sample` are the places of those that each is compared with.

    The distance to the most similar picture is that of the whole set, whatever the sample.
    """
    apart = nearest(np.stack([each.glance for each in pictures])) if len(pictures) > 1 else None
    found = []
    for place, picture in enumerate(pictures):
        numbers = compared(picture, references, [pictures[other] for other in sample if other != place])
        found.append(numbers if apart is None else numbers | {M.NEAREST: round(float(apart[place]) * 100, 4)})
    return found


def _scaled(of: Callable[[Any], Any], distances: Iterable[float], scale: float) -> float | None:
    values = list(distances)
    return float(of(values)) * scale if values else None


def _hue(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    known = [other.hue for other in others if other.hue is not None]
    return hue_distances(picture.hue, np.stack(known)) if known and picture.hue is not None else ()


def _colours(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    return (picture.look.colour_distance(other.look) for other in others)


def _texture(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    return (picture.look.texture_distance(other.look) for other in others)


def _chroma(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    return (abs(picture.chroma - other.chroma) for other in others)


def _lightness(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    return (abs(picture.lightness - other.lightness) for other in others)


def _contrast(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    return (abs(picture.contrast - other.contrast) for other in others)


def _strokes(picture: Features, others: Sequence[Features]) -> Iterable[float]:
    """By how much lines are wider or narrower, where both pictures have any: 1 is twice or half as wide."""
    if picture.strokes is None:
        return ()
    own = picture.strokes.width
    widths = [other.strokes.width for other in others if other.strokes is not None]
    return [min(max(own / width, width / own) - 1, 10) for width in widths]


# Distances from a picture to others, and the scale in which they are told.
_DISTANCES: dict[Measure, tuple[Callable[[Features, Sequence[Features]], Iterable[float]], float]] = {
    M.HUE_REFERENCE: (_hue, 1),
    M.PALETTE_REFERENCE: (_colours, 100),
    M.CHROMA_REFERENCE: (_chroma, 100),
    M.LIGHTNESS_REFERENCE: (_lightness, 100),
    M.CONTRAST_REFERENCE: (_contrast, 100),
    M.TEXTURE_REFERENCE: (_texture, 100),
    M.STROKE_REFERENCE: (_strokes, 100),
}
# Measures within the set, and the distance that they are means of.
_WITHIN = {M.HUE_SET: M.HUE_REFERENCE, M.PALETTE_SET: M.PALETTE_REFERENCE, M.TEXTURE_SET: M.TEXTURE_REFERENCE}


def _likenesses(picture: Features, others: Sequence[Features], role: str) -> Iterable[float]:
    """Cosines with the others that the same model embedded."""
    name, vector = picture.made_by[role], picture.vectors[role]
    return (
        float(vector @ other.vectors[role] / (np.linalg.norm(vector) * np.linalg.norm(other.vectors[role])))
        for other in others
        if other.made_by.get(role) == name
    )


def _of_subject(subject: MainSubject | None) -> dict[Measure, float | None]:
    if subject is None:
        return {}
    if not subject.count:
        return {M.SUBJECT_FOUND: 0}
    return {
        M.SUBJECT_FOUND: subject.found * 100,
        M.SUBJECT_CUT: subject.cut * 100,
        M.SUBJECT_COUNT: subject.count,
        M.SUBJECT_SIZE: subject.size * 100,
        M.SUBJECT_X: subject.x * 100,
        M.SUBJECT_Y: subject.y * 100,
    }


def _leakages(picture: Features, references: Sequence[Features]) -> Iterable[float]:
    """How much of each reference's subject shows up, where the same model looked at both."""
    return [
        leakage(picture.parts, each.parts)
        for each in references
        if picture.parts is not None and each.parts is not None and each.parts_by == picture.parts_by
    ]


def _excess(own: Mapping[int, float], usual: Sequence[Mapping[int, float]]) -> float | None:
    """By how much more noise there is than in the noisiest of `usual`, in the octaves that both have."""
    excesses = [
        strength - max(each[cells] for each in usual if cells in each)
        for cells, strength in own.items()
        if any(cells in each for each in usual)
    ]
    return max(*excesses, 0.0) if excesses else None
