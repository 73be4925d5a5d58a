"""Brand rules: saved in versions, proposed from approved pictures, undone and restored. Managers only."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.audit.service import record
from app.brand import queries
from app.brand.queries import Noun
from app.brand.spec import NOTE_LENGTH, BrandSpec
from app.errors import Conflict, Invalid, NotFound
from app.languages import gettext as _
from app.measures.jobs import readable
from app.models import Act, BrandVersion, Campaign, Image, PictureFeatures, Style, User, Verdict
from app.quality.brand import proposed
from app.text import clean_line
from app.undo import Undone, changed_since

READ = 60  # approved pictures, the newest, that rules are proposed from


def save(
    session: Session,
    user: User,
    noun: Noun,
    row_id: int,
    spec: BrandSpec,
    seen: int,
    *,
    note: str = "",
    pictures: int = 0,
) -> BrandVersion | None:
    """Save rules as the next version; None if they are as before. `seen`: the version that was edited, 0 for none.

    `pictures` is how many they were proposed from, as the form says; more than are ever read are not believed.
    Raises Invalid, and Conflict if somebody saved another version since.
    """
    queries.need_manager(user)
    row = queries.owner(session, user, noun, row_id)
    _check(session, spec, note)
    before = queries.newest(session, noun, row_id)
    if (before.number if before else 0) != seen:
        raise Conflict(_("Someone saved other rules since. Compare them with yours, then save again."))
    if spec.stored() == (before.rules if before else {}):
        return None
    made = _add(session, user, noun, row, spec, note=clean_line(note), pictures=pictures if pictures <= READ else 0)
    undo.offer(session, user, "brand rules", noun=noun, row=row.id, number=made.number)
    return made


def restore(session: Session, user: User, noun: Noun, row_id: int, number: int) -> BrandVersion | None:
    """Save the rules of an earlier version as the next one, without checklists deleted since. Raises NotFound."""
    found = next((each for each in queries.versions(session, user, noun, row_id) if each.number == number), None)
    if not found:
        raise NotFound(_("These rules have no such version."))
    newest = queries.newest(session, noun, row_id)
    spec = queries.spec_of(found)
    spec = spec.model_copy(update={"checks": queries.still_there(session, spec.checks)})
    return save(session, user, noun, row_id, spec, newest.number if newest else 0)


def undo_change(session: Session, user: User, noun: Noun, row: int, number: int) -> Undone:
    """Put back the rules before version `number`, as the next version, if that is still the newest."""
    queries.need_manager(user)
    thing = queries.owner(session, user, noun, row)
    every = queries.versions(session, user, noun, row)
    if not every or every[0].number != number:
        raise changed_since(session, user, thing, _("the brand rules of %(name)s", name=thing.name))
    before = queries.spec_of(every[1]) if len(every) > 1 else BrandSpec()
    _add(session, user, noun, thing, before, undone=True)
    return Undone(_("The brand rules of %(name)s are as before.", name=thing.name))


def propose(session: Session, user: User, noun: Noun, row_id: int) -> tuple[BrandSpec, int]:
    """The rules with what the newest approved pictures tell, and how many these are. Nothing is saved.

    What pictures cannot tell, such as forbidden colours, is as in the newest version. Raises Conflict.
    """
    queries.need_manager(user)
    queries.owner(session, user, noun, row_id)
    which = (Image.style_id if noun == "style" else Image.campaign_id) == row_id
    data = session.scalars(
        select(PictureFeatures.data)
        .join(Image, Image.id == PictureFeatures.image_id)
        .where(which, Image.shown, Image.decision == Verdict.APPROVED, PictureFeatures.data.is_not(None))
        .order_by(Image.id.desc())
        .limit(READ)
    )
    found = [features for each in data if each and (features := readable(each))]
    if not found:
        raise Conflict(_("No approved picture is measured yet. Approve some, wait a minute, then try again."))
    return queries.spec_of(queries.newest(session, noun, row_id)).with_proposed(proposed(found)), len(found)


def _check(session: Session, spec: BrandSpec, note: str) -> None:
    gone = len(queries.still_there(session, spec.checks)) < len(spec.checks)
    Invalid.check(
        {
            "checks": _("A checklist that was chosen was deleted. Choose another one.") if gone else None,
            "note": _("The note has %(length)s characters; at most %(most)s fit.", length=len(note), most=NOTE_LENGTH)
            if len(note) > NOTE_LENGTH
            else None,
        }
    )


def _add(
    session: Session,
    user: User,
    noun: Noun,
    row: Style | Campaign,
    spec: BrandSpec,
    *,
    note: str = "",
    pictures: int = 0,
    undone: bool = False,
) -> BrandVersion:
    before = queries.newest(session, noun, row.id)
    made = BrandVersion(
        style_id=row.id if noun == "style" else None,
        campaign_id=row.id if noun == "campaign" else None,
        number=before.number + 1 if before else 1,
        rules=spec.stored(),
        pictures=pictures,
        note=note,
        user_id=user.id,
    )
    session.add(made)
    session.flush()
    parts = [str(part) for part in spec.rules.parts]
    record(session, user, Act.BRAND_CHANGE, row, version=made.number, what=parts, undone=undone or None)
    return made
