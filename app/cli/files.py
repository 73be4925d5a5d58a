"""Read the files named by a command, prompts and pictures, before the model, which takes seconds to load."""

import codecs
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.console import CommandRefused, read_settings
from app.languages import N_, translated
from app.languages import gettext as _

UNCERTAIN = N_("its encoding is not certain; save it as UTF-8, or name it, such as --prompts-encoding cp932")
KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")


class UncertainEncoding(ValueError):
    """A text file could be in several encodings."""


@dataclass(frozen=True)
class PictureFile:
    """A picture in RGB, cleaned like an upload."""

    picture: Any
    name: str  # of its file
    sha256: str

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in `set.json`."""
        return {"file": self.name, "sha256": self.sha256}


def read_prompts(given: list[str], file: Path | None, encoding: str = "") -> str:
    """Read all prompts, one per line, those of the command line first; `encoding` is the file's, if it was given."""
    lines = list(given)
    if file:
        try:
            lines.append(decoded(file.read_bytes(), encoding))
        except (OSError, ValueError, LookupError) as error:
            raise CommandRefused(
                _("The prompts in %(file)s cannot be read: %(error)s.", file=file, error=reason(error))
            ) from error
    prompts = "\n".join(lines)
    if not prompts.strip():
        raise CommandRefused(_("At least one --prompt or a --prompts-file is needed."))
    return prompts


def decoded(data: bytes, encoding: str = "") -> str:
    """The text of a file in UTF-8, in UTF-16 with its byte-order mark, in a Japanese cp932, or in `encoding`.

    Raises ValueError and LookupError if that is not certain: cp932 reads most bytes as something, so it counts only if
    there is kana in the text and it is no EUC-JP.
    """
    if encoding:
        return data.decode(encoding)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise UncertainEncoding(UNCERTAIN) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _japanese(data)


def _japanese(data: bytes) -> str:
    with suppress(UnicodeDecodeError):
        data.decode("euc_jp")
        raise UncertainEncoding(UNCERTAIN)
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError as error:
        raise UncertainEncoding(UNCERTAIN) from error
    if not KANA.search(text):
        raise UncertainEncoding(UNCERTAIN)
    return text


def read_picture(file: Path, what: str = N_("reference"), ground: str = "") -> PictureFile:
    """Read a picture, on `ground` if it is transparent; `what` names it in errors. Raises CommandRefused."""
    from app.pictures import Limits, clean_upload, decoded

    with reading(what, file):
        data = file.read_bytes()
        clean = clean_upload(data, Limits.of(read_settings()), ground=ground)
    if clean.clear:
        raise ground_missing(what, file)
    return PictureFile(decoded(clean.png, "RGB"), file.name, sha256(data))


def ground_missing(what: str, file: Path) -> CommandRefused:
    return CommandRefused(
        _(
            "The %(what)s %(file)s is transparent. Say what is behind it, such as --ground '#ffffff'.",
            what=translated(what),
            file=file,
        )
    )


@contextmanager
def reading(what: str, file: Path) -> Iterator[None]:
    """Name the file in errors about it. Raises CommandRefused."""
    from app.errors import UserError

    try:
        yield
    except OSError as error:
        raise CommandRefused(
            _("The %(what)s %(file)s cannot be read: %(error)s.", what=translated(what), file=file, error=reason(error))
        ) from error
    except UserError as error:
        raise CommandRefused(
            _("The %(what)s %(file)s cannot be used: %(error)s", what=translated(what), file=file, error=error)
        ) from error
    except UncertainEncoding as error:
        raise CommandRefused(
            _(
                "The %(what)s %(file)s cannot be read: its encoding is not certain; save it as UTF-8.",
                what=translated(what),
                file=file,
            )
        ) from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def reason(error: Exception) -> str:
    """Why a file could not be read, in a few words."""
    return error.strerror or str(error) if isinstance(error, OSError) else translated(str(error) or UNCERTAIN)
