"""Deciding on pictures and talking about them. Nothing that was said is ever changed: a new decision follows."""

from sqlalchemy.orm import Session

from app.audit.service import record
from app.errors import Conflict, Forbidden, Invalid
from app.models import Act, Comment, Decision, Image, Role, State, User, Verdict
from app.reviews import queries
from app.sets import queries as sets
from app.text import clean_text

COMMENT_LENGTH = 2000  # characters

# "Ito Kenji ... this picture"
_DID = {
    Verdict.APPROVED: "approved",
    Verdict.CHANGES_REQUESTED: "asked for changes to",
    Verdict.REJECTED: "rejected",
    Verdict.WITHDRAWN: "withdrew the decision on",
}


def decide(session: Session, user: User, image_id: int, verdict: str, seen: int | None) -> Decision:
    """Decide on a finished picture. Reviewers and above.

    `seen` is the id of the latest decision that `user` was shown, None for none: somebody else's that came in between
    raises Conflict, which names it, instead of being lost. To withdraw is to decide too: the picture waits again.
    """
    image = _decidable(session, user, image_id)
    chosen = _verdict(verdict)
    present = queries.latest(session, image_id)
    if present and present.id != seen:
        raise Conflict(
            f"{present.user.name} {_DID[Verdict(present.verdict)]} this picture meanwhile. Look again first."
        )
    undecided = not present or present.verdict == Verdict.WITHDRAWN
    if chosen is Verdict.WITHDRAWN and undecided:
        raise Conflict("There is no decision on this picture to withdraw.")
    decision = Decision(image_id=image.id, user_id=user.id, verdict=chosen)
    session.add(decision)
    image.decision = chosen
    record(session, user, Act.DECIDE, image, verdict=chosen)
    return decision


def comment(session: Session, user: User, image_id: int, body: str) -> Comment:
    """Say something of a picture. Everybody who is signed in may."""
    image = sets.image(session, user, image_id)
    body = clean_text(body)
    if not body:
        raise Invalid("body", "Write what you want to say.")
    if len(body) > COMMENT_LENGTH:
        raise Invalid("body", f"The comment has {len(body)} characters; at most {COMMENT_LENGTH} fit.")
    said = Comment(image_id=image.id, user_id=user.id, body=body)
    session.add(said)
    record(session, user, Act.COMMENT, image)
    return said


def _decidable(session: Session, user: User, image_id: int) -> Image:
    if not user.can(Role.REVIEWER):
        raise Forbidden("Only reviewers decide on pictures. You can write a comment instead.")
    image = sets.image(session, user, image_id)
    if image.state != State.FINISHED:
        raise Conflict("This picture is not finished, so there is nothing to decide on yet.")
    return image


def _verdict(verdict: str) -> Verdict:
    try:
        return Verdict(verdict)
    except ValueError:
        raise Invalid("verdict", f"The verdict is one of {', '.join(Verdict)}; {verdict[:40]!r} was given.") from None
