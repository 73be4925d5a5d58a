"""Publish the usage policy, end it, accept it.

Someone who has not accepted the newest version that asks is led to it from the next page on, and can do nothing else
until then (`app.web.deps.current_user`). A small correction asks nobody again.
"""

from sqlalchemy.orm import Session

from app.accounts.people import need_admin
from app.audit.service import record
from app.errors import Conflict, Invalid
from app.languages import gettext as _
from app.models import Act, PolicyAcceptance, PolicyVersion, User
from app.policy import queries
from app.specs import Line, Spec
from app.text import clean_text, thin

TEXT_LENGTH = 20_000  # characters of a policy in one language
TEXT_LINES = 500  # of them, so that two versions are compared in milliseconds
NOTE_LENGTH = 300


class PolicySpec(Spec):
    """A version to be published."""

    english: str = ""
    japanese: str = ""
    note: Line = ""
    correction: bool = False
    seen: int = 0  # the number of the version that the form started from; 0: none

    @classmethod
    def checked(cls, english: str, japanese: str, note: str, correction: bool, seen: int) -> "PolicySpec":
        """Raises Invalid."""
        spec = cls(
            english=clean_text(english), japanese=clean_text(japanese), note=note, correction=correction, seen=seen
        )
        Invalid.check(
            {
                "english": _text_fault(spec.english) or (None if spec.english or spec.japanese else _missing()),
                "japanese": _text_fault(spec.japanese),
                "note": _note_fault(spec),
            }
        )
        return spec


def _missing() -> str:
    return _("Write the policy in at least one language.")


def _text_fault(text: str) -> str | None:
    if len(text) > TEXT_LENGTH:
        return _(
            "The policy has %(number)s characters; at most %(most)s fit.",
            number=thin(len(text)),
            most=thin(TEXT_LENGTH),
        )
    lines = text.count("\n") + 1
    if lines > TEXT_LINES:
        return _("The policy has %(number)s lines; at most %(most)s fit.", number=thin(lines), most=thin(TEXT_LINES))
    return None


def _note_fault(spec: PolicySpec) -> str | None:
    if len(spec.note) > NOTE_LENGTH:
        return _("The note has %(number)s characters; at most %(most)s fit.", number=len(spec.note), most=NOTE_LENGTH)
    if spec.correction and not spec.note:
        return _("Say what you corrected, because people do not accept a correction again.")
    return None


def publish(session: Session, user: User, spec: PolicySpec) -> PolicyVersion:
    """Publish a new version. Administrators only.

    Raises Conflict if another one was published since the form was opened, if nothing changed, or if there is nothing
    to correct.
    """
    need_admin(user)
    before = _unchanged(session, spec.seen)
    counts = before if before and not before.ended else None
    if spec.correction and not counts:
        raise Conflict(_("There is no policy to correct. Publish this one for everyone to accept."))
    if counts and (counts.english, counts.japanese) == (spec.english, spec.japanese):
        raise Conflict(_("The policy already says exactly this, so nothing was published."))
    made = _add(session, user, before, spec)
    record(session, user, Act.POLICY_PUBLISH, made, version=made.number, correction=spec.correction, note=made.note)
    return made


def end(session: Session, user: User, seen: int) -> PolicyVersion:
    """End the policy: nobody has to accept anything. Earlier versions and acceptances stay. Administrators only.

    Raises Conflict if there is none, or another version was published since.
    """
    need_admin(user)
    before = _unchanged(session, seen)
    if not before or before.ended:
        raise Conflict(_("There is no policy to end."))
    made = _add(session, user, before, PolicySpec(), ended=True)
    record(session, user, Act.POLICY_END, made, version=made.number)
    return made


def accept(session: Session, user: User, number: int, language: str) -> PolicyAcceptance:
    """Accept the version `number`, which `user` read in `language`.

    Raises Conflict if it is no longer the one that counts. Accepting it twice is accepting it once.
    """
    counts = queries.present(session)
    if not counts or counts.number != number:
        raise Conflict(_("The policy was changed while you read it. Read the version below."))
    known = queries.acceptance(session, user)
    if known and known.version_id == counts.id:
        return known
    read, _text = queries.text_of(counts, language)
    made = PolicyAcceptance(user_id=user.id, version_id=counts.id, language=read)
    session.add(made)
    record(session, user, Act.POLICY_ACCEPT, counts, version=number, language=read)
    return made


def _unchanged(session: Session, seen: int) -> PolicyVersion | None:
    """The newest version, if it is the one that was seen. Raises Conflict."""
    newest = queries.newest(session)
    if (newest.number if newest else 0) != seen:
        raise Conflict(
            _(
                "%(name)s published version %(number)s since you opened this form. Compare both, then publish.",
                name=newest.published_by.name if newest else "",
                number=newest.number if newest else 0,
            )
        )
    return newest


def _add(
    session: Session, user: User, before: PolicyVersion | None, spec: PolicySpec, ended: bool = False
) -> PolicyVersion:
    made = PolicyVersion(
        number=before.number + 1 if before else 1,
        english=spec.english,
        japanese=spec.japanese,
        note=spec.note,
        asks=not spec.correction,
        ended=ended,
        published_by_id=user.id,
    )
    session.add(made)
    return made
