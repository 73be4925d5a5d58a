"""The language in which a person reads Soroe."""

from sqlalchemy.orm import Session

from app import undo
from app.accounts import queries
from app.audit.service import record
from app.errors import Invalid
from app.languages import LANGUAGES, prefer
from app.languages import gettext as _
from app.models import Act, User
from app.undo import Undone, changed_since

BROWSER = "browser"  # in the audit log: no language of their own


def choose_language(session: Session, user: User, language: str) -> User:
    """Choose one's own language; "": that of the browser. Raises Invalid."""
    if language and language not in LANGUAGES:
        raise Invalid("language", _("Choose one of the languages: %(known)s.", known=", ".join(LANGUAGES.values())))
    person = queries.person(session, user.id)
    before = person.language
    if before != language:
        person.language = language
        record(session, user, Act.ACCOUNT_CHANGE, person, language=[before or BROWSER, language or BROWSER])
        undo.offer(session, user, "language", before=before, after=language)
    return person


def undo_language(session: Session, user: User, before: str, after: str) -> Undone:
    """Undo a change of one's own language. Raises Conflict if it was changed since."""
    person = queries.person(session, user.id)
    if person.language != after:
        raise changed_since(session, user, person, _("your language"))
    choose_language(session, user, before)
    prefer(before)
    return Undone(_("Your language is as before."))
