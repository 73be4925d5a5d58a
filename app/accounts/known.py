"""Browsers in which an account was signed in before.

They hold a proof that only the account's own password hash could have made. It opens nothing; it only shows that a
password attempt does not come from a stranger. It ends with the password.
"""

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.typed import normal_email
from app.models import User

LENGTH = 200  # characters of a proof


def proof(user: User) -> str:
    """Make a proof for one browser."""
    name = secrets.token_hex(16)
    return f"{name}.{_seal(user.password_hash, name)}"


def browser(session: Session, email: str, given: str) -> str:
    """The name of the browser that holds a proof for the account with this e-mail; "" for a stranger's."""
    name, _, seal = given.partition(".")
    if not seal or len(given) > LENGTH or not given.isascii():
        return ""
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    return name if user and hmac.compare_digest(seal, _seal(user.password_hash, name)) else ""


def _seal(password_hash: str, name: str) -> str:
    return hmac.digest(password_hash.encode(), f"browser {name}".encode(), "sha256").hex()
