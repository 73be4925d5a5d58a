"""The ground of a transparent picture: a model sees only opaque ones, so the uploader says which colour is behind it.

An upload with transparent pixels and no ground is stored as it is, and `GroundNeeded` asks. The answer names the stored
picture, so nothing is uploaded twice. The same file on the same ground gives the same pixels; on another ground it is
another picture.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.decoding.limits import KEPT_SIDE, RIGHTS_LENGTH
from app.errors import Invalid
from app.files import Files, Kind, Room
from app.languages import N_, translated
from app.languages import gettext as _
from app.pictures import CleanPicture, Limits, clean_upload
from app.specs import read_json
from app.text import clean_line, shorten

GROUNDS = {"white": "#ffffff", "black": "#000000", "grey": "#808080"}
KIND = Kind.MAPS  # the folder of pictures that wait for their ground, with other files of unsent forms
NAME_LENGTH = 255
RIGHTS = ("creator", "copyright", "credit")


@dataclass(frozen=True)
class TransparentPicture:
    """An uploaded picture, stored with its transparency, until its ground is known. A form carries it as text."""

    sha256: str
    name: str = N_("The picture")  # of its file
    rights: Mapping[str, str] = field(default_factory=dict)  # as its file states them

    @property
    def text(self) -> str:
        return json.dumps({"sha256": self.sha256, "name": self.name, "rights": dict(self.rights)}, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> "TransparentPicture | None":
        """The picture that a form names; None if it names none."""
        try:
            told = read_json(text or "null")
            sha256, name, rights = told["sha256"], str(told["name"]), dict(told["rights"])
        except (ValueError, TypeError, KeyError):
            return None
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
            return None
        stated = {key: clean_line(str(rights[key]))[:RIGHTS_LENGTH] for key in RIGHTS if rights.get(key)}
        return cls(sha256, shorten(clean_line(name), NAME_LENGTH), stated)


class GroundNeeded(Invalid):
    """A transparent picture needs a ground. `waiting` is what the answer names."""

    def __init__(self, waiting: TransparentPicture, field: str = "picture") -> None:
        super().__init__(
            field,
            _(
                "%(name)s is transparent. Choose what is behind it: white, black, grey or a colour.",
                name=shorten(translated(waiting.name), 60),
            ),
        )
        self.waiting = waiting


def ground_of(text: str) -> str:
    """A colour as "#rrggbb", from that or from white, black or grey; "" for an empty text. Raises Invalid."""
    ground = GROUNDS.get(text.strip().lower(), text.strip().lower())
    if ground and not re.fullmatch("#[0-9a-f]{6}", ground):
        raise Invalid(
            "ground",
            _(
                "A ground is white, black, grey or a colour such as #ffcc00; %(given)s was given.",
                given=repr(text[:40]),
            ),
        )
    return ground


def opaque(
    files: Files, data: bytes, name: str, *, ground: str = "", limits: Limits | None = None, room: Room | None = None
) -> CleanPicture:
    """Clean an upload, with thumbnails; a transparent one is put on `ground`.

    Raises GroundNeeded, after storing the picture, if it is transparent and has no ground; else as `clean_upload`, what
    `room` raises, and CannotSave.
    """
    picture = clean_upload(data, limits, ground=ground, small=True)
    if picture.clear:
        raise GroundNeeded(keep(files, picture, name, room))
    return picture


def keep(files: Files, picture: CleanPicture, name: str, room: Room | None = None) -> TransparentPicture:
    """Store a transparent picture until its ground is known."""
    return TransparentPicture(
        files.put(KIND, picture.png, picture.small, room), clean_line(name)[:NAME_LENGTH], picture.rights
    )


def kept(files: Files, texts: Iterable[str]) -> list[TransparentPicture]:
    """The pictures that a form names and that are still stored."""
    named = (TransparentPicture.read(text) for text in texts)
    return [waiting for waiting in named if waiting and files.has(KIND, waiting.sha256)]


def stored(files: Files, waiting: TransparentPicture) -> bytes:
    """The file of a waiting picture. Raises Invalid if it is gone, after a day without a draft."""
    if not files.has(KIND, waiting.sha256):
        raise Invalid(
            "picture", _("%(name)s is no longer kept. Upload it again.", name=shorten(translated(waiting.name), 60))
        )
    return files.read(KIND, waiting.sha256, waiting.name)


def answered(files: Files, waiting: TransparentPicture, ground: str) -> CleanPicture:
    """A waiting picture on its ground, with the rights that its file stated. Raises GroundNeeded without one."""
    if not ground:
        raise GroundNeeded(waiting)
    data = stored(files, waiting)
    picture = clean_upload(data, limits_of(data), ground=ground, small=True)
    return CleanPicture(**vars(picture) | {"rights": dict(waiting.rights)})


def limits_of(data: bytes) -> Limits:
    """For a picture that was cleaned before, whose PNG can be larger than its upload was."""
    return Limits(len(data), KEPT_SIDE**2)


def told(waiting: TransparentPicture) -> dict[str, Any]:
    """The question for a page's script."""
    return {"waiting": waiting.text, "name": translated(waiting.name), "picture": f"/thumbs/{waiting.sha256}-320.webp"}
