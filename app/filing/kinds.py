"""What can be renamed, archived and deleted: sets, campaigns, styles and subjects. References are only deleted.

One table, so that each act is written once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.campaign_names import folder
from app.languages import N_
from app.models import Act, Campaign, ImageSet, Reference, Style, Subject, User
from app.sets import queries as sets
from app.styles import queries as styles
from app.subjects import queries as subjects

Named = Campaign | ImageSet | Style | Subject
Filed = Named | Reference


@dataclass(frozen=True)
class Things:
    """One kind of thing, with the acts that the audit log knows. None: it has no such act."""

    noun: str  # in addresses; a message for people
    table: type[Filed]
    get: Callable[[Session, User, int], Filed]  # raises NotFound
    delete: Act
    restore: Act
    purge: Act
    rename: Act | None = None
    archive: Act | None = None


KINDS = {
    kind.noun: kind
    for kind in (
        Things(
            N_("set"),
            ImageSet,
            sets.get,
            Act.SET_DELETE,
            Act.SET_RESTORE,
            Act.SET_PURGE,
            Act.SET_RENAME,
            Act.SET_ARCHIVE,
        ),
        Things(
            N_("campaign"),
            Campaign,
            sets.campaign,
            Act.CAMPAIGN_DELETE,
            Act.CAMPAIGN_RESTORE,
            Act.CAMPAIGN_PURGE,
            Act.CAMPAIGN_RENAME,
            Act.CAMPAIGN_ARCHIVE,
        ),
        Things(
            N_("style"),
            Style,
            styles.by_id,
            Act.STYLE_DELETE,
            Act.STYLE_RESTORE,
            Act.STYLE_PURGE,
            Act.STYLE_RENAME,
            Act.STYLE_ARCHIVE,
        ),
        Things(
            N_("subject"),
            Subject,
            subjects.get,
            Act.SUBJECT_DELETE,
            Act.SUBJECT_RESTORE,
            Act.SUBJECT_PURGE,
            Act.SUBJECT_RENAME,
            Act.SUBJECT_ARCHIVE,
        ),
        Things(
            N_("reference"),
            Reference,
            styles.reference,
            Act.REFERENCE_DELETE,
            Act.REFERENCE_RESTORE,
            Act.REFERENCE_PURGE,
        ),
    )
}


def owner_id(row: Filed) -> int:
    """Who may change it, besides managers."""
    if isinstance(row, Campaign):
        return row.created_by_id
    return row.uploaded_by_id if isinstance(row, Reference) else row.owner_id


def owner_name(row: Filed) -> str:
    if isinstance(row, Campaign):
        return row.created_by.name
    return row.uploaded_by.name if isinstance(row, Reference) else row.owner.name


def name_of(row: Filed) -> str:
    """What people call it: a subject's handle, since prompts say that."""
    if isinstance(row, Subject):
        return f"@{row.handle}"
    return row.original_name if isinstance(row, Reference) else own_name(row)


def own_name(row: Named) -> str:
    """The name that somebody gave it and may change, as it is read and entered."""
    return folder(row.name) if isinstance(row, Campaign) else row.name
