"""Upload limits for both sides: the server checks before it asks a worker, the worker when it reads the header."""

from app.errors import Invalid

NAMES = {"PNG": "PNG", "JPEG": "JPEG", "WEBP": "WebP"}
MIN_SIDE = 64  # px; anything smaller has no look
MAX_ASPECT = 8  # long side over short side
KEPT_SIDE = 4096  # px; larger pictures are scaled down: no model sees more, even of a quarter of one
RIGHTS_LENGTH = 500  # maximum characters of a rights field


def refusal(reason: str, remedy: str = "Choose another picture.") -> Invalid:
    return Invalid("picture", f"{reason}. {remedy}")
