"""Read the usage policy, its versions, what changed between two, and who accepted which."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import need_list, signed_in
from app.errors import NotFound
from app.languages import gettext as _
from app.models import PolicyAcceptance, PolicyVersion, User

LANGUAGES = ("en", "ja")  # of a policy's texts
VERSIONS_PAGE = 50
PEOPLE_PAGE = 50
Language = Literal["en", "ja"]


@dataclass(frozen=True)
class ComparedLine:
    """A line of a comparison: in both versions, only in the newer or only in the older one."""

    kind: Literal["same", "added", "removed"]
    text: str


@dataclass(frozen=True)
class PersonAcceptance:
    """Where a person is with the policy: the newest version that they accepted, and when."""

    person: User
    acceptance: PolicyAcceptance | None
    asked: bool  # they must accept the policy before they can continue


def text_of(version: PolicyVersion, language: str) -> tuple[Language, str]:
    """The text of a version for someone who reads `language`, and which one it is."""
    texts: dict[Language, str] = {"en": version.english, "ja": version.japanese}
    wanted: Language = "ja" if language == "ja" else "en"
    other: Language = "en" if wanted == "ja" else "ja"
    return (wanted, texts[wanted]) if texts[wanted] else (other, texts[other])


def newest(session: Session) -> PolicyVersion | None:
    """The newest version, which may say that there is no longer a policy."""
    return session.scalar(
        select(PolicyVersion).order_by(PolicyVersion.id.desc()).limit(1).options(joinedload(PolicyVersion.published_by))
    )


def present(session: Session) -> PolicyVersion | None:
    """The version that counts now; None if there is no policy."""
    found = newest(session)
    return found if found and not found.ended else None


def asking(session: Session) -> int | None:
    """The id of the newest version that everyone must accept, or that ended the policy."""
    return session.scalar(select(func.max(PolicyVersion.id)).where(PolicyVersion.asks))


def version(session: Session, user: User, number: int) -> PolicyVersion:
    """A version by its number. Raises NotFound."""
    found = session.scalar(
        select(PolicyVersion)
        .where(PolicyVersion.number == number, signed_in(user))
        .options(joinedload(PolicyVersion.published_by))
    )
    if not found:
        raise NotFound(_("There is no such version of the policy."))
    return found


def versions(session: Session, user: User, before: int | None = None, most: int = VERSIONS_PAGE) -> list[PolicyVersion]:
    """The versions, newest first; with `before`, those with smaller numbers."""
    statement = select(PolicyVersion).where(signed_in(user)).order_by(PolicyVersion.id.desc()).limit(most)
    if before is not None:
        statement = statement.where(PolicyVersion.number < before)
    return list(session.scalars(statement.options(joinedload(PolicyVersion.published_by))))


def acceptance(session: Session, user: User) -> PolicyAcceptance | None:
    """The newest acceptance of a person."""
    return session.scalar(
        select(PolicyAcceptance)
        .where(PolicyAcceptance.user_id == user.id)
        .order_by(PolicyAcceptance.version_id.desc())
        .limit(1)
        .options(joinedload(PolicyAcceptance.version))
    )


def standings(
    session: Session, user: User, after: int | None = None, most: int = PEOPLE_PAGE
) -> list[PersonAcceptance]:
    """Every active person and what they accepted, by id. Administrators only."""
    need_list(user)
    latest = (
        select(PolicyAcceptance.user_id, func.max(PolicyAcceptance.version_id).label("version_id"))
        .group_by(PolicyAcceptance.user_id)
        .subquery()
    )
    rows = session.execute(
        select(User, PolicyAcceptance)
        .outerjoin(latest, latest.c.user_id == User.id)
        .outerjoin(
            PolicyAcceptance,
            (PolicyAcceptance.user_id == User.id) & (PolicyAcceptance.version_id == latest.c.version_id),
        )
        .where(User.active, User.id > (after or 0))
        .order_by(User.id)
        .limit(most)
        .options(joinedload(PolicyAcceptance.version))
    ).all()
    needed, counts = asking(session), present(session) is not None
    return [
        PersonAcceptance(person, given, counts and needed is not None and (given is None or given.version_id < needed))
        for person, given in rows
    ]


def counts(session: Session, user: User) -> tuple[int, int]:
    """How many active people accepted the policy as it must be accepted now, of how many. Administrators only."""
    need_list(user)
    needed = asking(session) or 0
    given = select(PolicyAcceptance.user_id).where(PolicyAcceptance.version_id >= needed)
    accepted = func.count().filter(User.id.in_(given))
    row = session.execute(select(accepted, func.count()).select_from(User).where(User.active)).one()
    return row[0], row[1]


def compared(before: str, after: str) -> list[ComparedLine]:
    """The lines of `after` with those of `before` that are gone, in order: by their longest common subsequence.

    Takes as many steps as both have lines, multiplied; `difflib` may take that to the third power.
    """
    old, new = ([line for line in text.split("\n") if line] for text in (before, after))
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]  # of what the ends from there have in common
    for i in range(len(old) - 1, -1, -1):
        row, below, line = lengths[i], lengths[i + 1], old[i]
        for j in range(len(new) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if line == new[j] else max(below[j], row[j + 1])
    found: list[ComparedLine] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            found.append(ComparedLine("same", new[j]))
            i, j = i + 1, j + 1
        elif j == len(new) or (i < len(old) and lengths[i + 1][j] >= lengths[i][j + 1]):
            found.append(ComparedLine("removed", old[i]))
            i += 1
        else:
            found.append(ComparedLine("added", new[j]))
            j += 1
    return found
