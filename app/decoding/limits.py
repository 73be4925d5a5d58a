"""What is taken, on both sides: by the server before it asks a worker, and by the worker when it sees the header."""

from app.errors import Invalid

NAMES = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}
MIN_SIDE = 64  # px; less has no look to speak of
MAX_ASPECT = 8  # long side over short side
KEPT_SIDE = 4096  # px; a larger picture is made smaller: no model sees more, even of a quarter of it
RIGHTS_LENGTH = 500  # characters of a rights field that are kept


def refusal(reason: str, remedy: str = "Choose another picture.") -> Invalid:
    return Invalid("picture", f"{reason}. {remedy}")
