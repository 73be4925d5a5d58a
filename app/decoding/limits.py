"""Upload limits for both sides: the server checks before it asks a worker, the worker when it reads the header."""

from app.errors import Invalid
from app.languages.formats import one_of

NAMES = {
    "PNG": "PNG",
    "JPEG": "JPEG",
    "WEBP": "WebP",
    "HEIF": "HEIC",
    "AVIF": "AVIF",
    "TIFF": "TIFF",
    "GIF": "GIF",
    "BMP": "BMP",
}


class Formats:
    """The formats of uploads, for sentences: listed in the language in which they are shown."""

    def __str__(self) -> str:
        return one_of([*NAMES.values()])


FORMATS = Formats()
# For file dialogs: some systems know HEIC and AVIF by their suffix only.
TYPES = tuple(f"image/{kind}" for kind in ("png", "jpeg", "webp", "heic", "heif", "avif", "tiff", "gif", "bmp"))
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".gif", ".bmp")
MIN_SIDE = 64  # px; anything smaller has no look
MAX_ASPECT = 8  # long side over short side
KEPT_SIDE = 4096  # px; larger pictures are scaled down: no model sees more, even of a quarter of one
RIGHTS_LENGTH = 500  # maximum characters of a rights field


def refusal(sentences: str) -> Invalid:
    """What is wrong with a picture, and what to do: one message, so that it is found when a worker has sent it."""
    return Invalid("picture", sentences)
