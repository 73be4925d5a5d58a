"""What embeds pictures: a protocol without a model, so that the server, which imports no model library, can name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from PIL import Image

    from app.quality.colour import Vectors

Role = Literal["dino", "clip", "csd"]  # which measures it serves
ROLES: tuple[Role, ...] = ("dino", "clip", "csd")
OFF = "off"  # the setting without any model
BUNDLED = "bundled CLIP"  # the name of the model that comes with Soroe


def parsed(setting: str) -> dict[Role, str]:
    """Models by role of a setting such as `dino=facebook/dino-vitb8, csd=FOLDER`; none for `off`. Raises ValueError."""
    found: dict[Role, str] = {}
    if setting.strip() == OFF:
        return found
    for part in filter(None, map(str.strip, setting.split(","))):
        before, _, name = map(str.strip, part.partition("="))
        role = next((role for role in ROLES if role == before), None)
        if role is None or not name or role in found:
            raise ValueError(f"it is a list such as dino=owner/name,csd=folder; {part!r} was given")
        found[role] = name
    return found


class Embedder(Protocol):
    """A model that turns pictures into vectors whose cosine says how alike they are."""

    @property
    def role(self) -> Role: ...

    @property
    def name(self) -> str:
        """What people are told, such as "facebook/dino-vitb8"; stored with every value."""
        ...

    def picture(self, picture: Image.Image) -> Vectors:
        """The vector (D,) of a picture of any size, of length 1."""
        ...

    def patches(self, picture: Image.Image) -> Vectors:
        """The vectors (h, w, D) of the parts of a picture, each of length 1; the grid covers the whole picture."""
        ...

    def text(self, text: str) -> Vectors | None:
        """The vector (D,) of a text in the same space as `picture`, of length 1; None if the model reads no text."""
        ...
