"""A key of this server's own, in the data folder beside the database, that seals what the database must not show.

    data/keys/accounts.key

A copy of the database alone opens nothing that is sealed. A backup of the whole data folder has both.
"""

import os
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from app.settings import Settings


class Vault:
    """The key is read, or made, at once: nothing touches the disk while a transaction holds the database's lock."""

    def __init__(self, settings: Settings) -> None:
        self.file = settings.data / "keys" / "accounts.key"
        if not self.file.exists():
            _make(self.file)
        self._fernet = Fernet(self.file.read_bytes())

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """What was sealed; None when it was sealed with another key, which is lost."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None


def _make(file: Path) -> None:
    """Whole or not at all; of two that make it at once, the first stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(Fernet.generate_key())
        written.flush()
        os.fsync(written.fileno())
    with suppress(FileExistsError):
        os.link(partial, file)
    partial.unlink()
