"""A key of this server's own, in the data folder, that encrypts secrets in the database.

    data/keys/accounts.key

A copy of the database alone reveals nothing that is encrypted. A backup of the whole data folder has both.
"""

from cryptography.fernet import Fernet, InvalidToken

from app import atomic
from app.settings import Settings


class Vault:
    """Reads or creates the key immediately, so that no disk access happens while a transaction holds the write lock."""

    def __init__(self, settings: Settings) -> None:
        self.file = settings.data / "keys" / "accounts.key"
        if self.file.exists():
            atomic.keep(self.file)
        else:
            atomic.make_folder(self.file.parent, mode=0o700)
            # If two processes create it at once, the first one's key stays.
            atomic.write(self.file, Fernet.generate_key(), mode=0o600, replace=False)
        self._fernet = Fernet(self.file.read_bytes())

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """Decrypt; None if it was encrypted with another key, which is lost."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
