"""A key of this server's own, in the data folder beside the database, that seals what the database must not show.

    data/keys/accounts.key

A copy of the database alone opens nothing that is sealed. A backup of the whole data folder has both.
"""

from cryptography.fernet import Fernet, InvalidToken

from app import atomic
from app.settings import Settings


class Vault:
    """The key is read, or made, at once: nothing touches the disk while a transaction holds the database's lock."""

    def __init__(self, settings: Settings) -> None:
        self.file = settings.data / "keys" / "accounts.key"
        if not self.file.exists():
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Of two processes that make it at once, the first one's key stays.
            atomic.write(self.file, Fernet.generate_key(), mode=0o600, replace=False)
        self._fernet = Fernet(self.file.read_bytes())

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """What was sealed; None when it was sealed with another key, which is lost."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
