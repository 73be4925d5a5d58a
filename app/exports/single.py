"""One picture as a file: encoded, signed and named as an export does it, also before it is approved."""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import slow
from app.accounts.service import may_change
from app.audit.service import record
from app.errors import Conflict, Forbidden
from app.exports import approved, names, queries, service, set_facts
from app.exports.certificates import SigningIdentity
from app.exports.contents import FileRow
from app.exports.making import Maker
from app.exports.options import ORIGINAL, ExportOptions
from app.exports.service import Store
from app.exports.set_facts import SetRow
from app.files import Files
from app.languages import gettext as _
from app.models import Act, Image, ImageSet, State, User, Verdict
from app.rights import queries as rights
from app.rights.standing import Held
from app.sets import queries as sets
from app.sets import safety
from app.text import slug

NOT_APPROVED = "-not-approved"


@dataclass(frozen=True)
class SinglePicture:
    """A picture to download, and what its file says."""

    row: FileRow
    facts: SetRow
    options: ExportOptions

    @property
    def name(self) -> str:
        return self.row.name


def picture(session: Session, user: User, image_id: int) -> SinglePicture:
    """A finished picture, as its original in PNG, named as the campaign's last export names its files.

    For the owner of its set, and managers. A picture that is not approved says so in its name. Raises NotFound,
    Forbidden, and Conflict before it is finished.
    """
    image = sets.image(session, user, image_id)
    if not may_change(user, image.image_set):
        raise Forbidden(_("Only %(name)s or a manager can download this picture.", name=image.image_set.owner.name))
    if image.state != State.FINISHED or image.sha256 is None:
        raise Conflict(_("This picture is not finished yet. Download it when it is."))
    helds = [held for held in rights.without_consent(session) if _is_from(session, image, held)]
    if helds and helds[0].refusal:
        raise Conflict(helds[0].refusal)
    if safety.flagged(session, [image.id]):
        raise Conflict(safety.refusal())
    if session.scalar(select(Image.id).where(Image.id == image.id, approved.HELD_BACK)):
        raise Conflict(_("This picture was reported and is held back. Ask a manager to decide the report."))
    last = queries.latest_options(session, image.campaign_id) or {}
    options = ExportOptions(**{name: last[name] for name in ("template", "prompts") if name in last})
    facts = set_facts.of_sets(session, [image.set_id])[image.set_id]
    return SinglePicture(_row(image, _name(image, facts, options.template)), facts, options)


def _is_from(session: Session, image: Image, held: Held) -> bool:
    own = select(ImageSet.id).where(ImageSet.id == image.set_id, rights.made_from(held.reference_id))
    return session.scalar(own) is not None


def _name(image: Image, facts: SetRow, template: str) -> str:
    values = service.name_values(image, slug(image.campaign.name), facts, image.position)
    name = names.name(template, replace(values, size=ORIGINAL, format="png")).rpartition("/")[2]
    return f"{name}{'' if image.decision == Verdict.APPROVED else NOT_APPROVED}.png"


def _row(image: Image, name: str) -> FileRow:
    return FileRow(
        position=1,
        name=name,
        size=ORIGINAL,
        key=None,
        bytes=None,
        sha256=None,
        lost=False,
        image_id=image.id,
        set_id=image.set_id,
        place=image.position,
        version=image.version,
        prompt=image.prompt,
        drawn_as=image.drawn_as,
        seed=image.seed,
        strength=image.used_strength,
        image_sha256=image.sha256 or "",
        made_at=image.finished_at or image.created_at,
        decision_id=0,
        campaign=image.campaign.name,
    )


@slow.outside
def made(wanted: SinglePicture, files: Files, store: Store, identity: SigningIdentity) -> Path:
    """Its file, from the cache of exports or encoded and signed now. Raises Conflict if the picture is lost."""
    found = Maker(files, store, wanted.options, identity, {wanted.facts.id: wanted.facts}).make(wanted.row)
    if found.key is None or found.sha256 is None:
        raise Conflict(
            _("The server lost this picture’s file, or it is damaged. Redo the picture, or ask an administrator.")
        )
    return store.picture(found.key, found.sha256, wanted.options.file_format.suffix)


def downloaded(session: Session, user: User, image_id: int, name: str) -> None:
    """Record that a download began."""
    record(session, user, Act.IMAGE_DOWNLOAD, sets.image(session, user, image_id), file=name)
