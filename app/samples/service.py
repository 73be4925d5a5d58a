"""Open the sample campaign, and remove it.

Its rows are ordinary: a style with its reference and rights, a campaign, a set of finished pictures with decisions,
comments and tags, and an export. Everyone sees them as they see everything else, and reviews, exports and the audit log
work with them. But nobody made them, so:

- the audit log has one event, and nothing about pictures that were generated or decided on;
- quotas count nothing, and estimates know no seconds of its pictures;
- its pictures are nobody's own for `app.reviews.four_eyes`, and wait only for the person who opened it.

A person has one at a time.
"""

import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from zlib import crc32

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.accounts.service import need_active
from app.audit.service import record
from app.errors import Conflict
from app.exports import endings
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.files import Files, Kind
from app.filing import pictures as filed_pictures
from app.filing import service as filing
from app.languages import formats, translated
from app.languages import gettext as _
from app.models import (
    Act,
    Campaign,
    Comment,
    Decision,
    Export,
    Image,
    ImageSet,
    ImageTag,
    Reference,
    RightsRecord,
    Sample,
    State,
    Style,
    StyleVersion,
    Thread,
    User,
    Verdict,
    now,
)
from app.reviews import queries as reviews
from app.reviews.service import settle
from app.samples import contents
from app.samples.contents import THINGS, Thing
from app.samples.queries import sample_of
from app.sets.spec import seeds_from
from app.styles.service import version_of, with_new_code
from app.styles.spec import ReferenceSpec, StyleSpec
from app.undo import Undone

FILE_NAME = "sample.png"  # of the reference


@dataclass(frozen=True)
class SampleFiles:
    """The files of a sample, which are stored before its rows."""

    reference: str  # SHA-256
    reference_bytes: int
    reference_side: int  # px
    pictures: Mapping[Thing, tuple[str, int]]  # SHA-256 and bytes
    side: int  # px, of each picture


def store(files: Files) -> SampleFiles:
    """Store the files of a sample. Slow, so call it before the transaction. Raises CannotSave.

    The pictures are the same file for all samples. Each reference is a file of its own, because its rights are: what
    one person tries with them must not touch the sample of another.
    """
    reference = marked(contents.reference(), secrets.token_hex(8))
    pngs = {thing: thing.png.read_bytes() for thing in THINGS}
    return SampleFiles(
        files.put(Kind.REFERENCES, reference),
        len(reference),
        contents.side(contents.REFERENCE_PNG),
        {thing: (files.put(Kind.IMAGES, png), len(png)) for thing, png in pngs.items()},
        contents.side(THINGS[0].png),
    )


def marked(png: bytes, words: str) -> bytes:
    """A PNG with a comment, which changes no pixel: a tEXt chunk after its header (PNG, 11.3.3.3)."""
    header = 8 + 25  # the signature, and IHDR
    content = b"tEXtComment\0" + f"Soroe sample {words}".encode("latin-1")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", crc32(content))
    return png[:header] + chunk + png[header:]


def open_sample(session: Session, user: User, stored: SampleFiles) -> Sample:
    """Make the sample campaign of `user`, in their language. Raises Conflict if they have one open.

    Of one whose set they deleted without removing it, the rest goes into the bin.
    """
    need_active(user)
    if left := sample_of(session, user):
        _clear(session, user, left)
    style = _style(session, user, stored)
    campaign = Campaign(name=_free_name(session), created_by_id=user.id)
    image_set = _set(user, campaign, style.versions[0], stored)
    session.add_all([campaign, image_set])
    session.flush()
    images = _pictures(image_set, style, stored)
    session.add_all(images)
    session.flush()
    sample = Sample(
        user_id=user.id,
        campaign_id=campaign.id,
        set_id=image_set.id,
        style_id=style.id,
        reference_id=style.versions[0].references[0].reference_id,
    )
    session.add(sample)
    session.flush()
    session.refresh(image_set, ["sample"])  # before anybody's own pictures are looked for
    _discuss(session, user, images)
    sample.export_id = _export(session, user, image_set).id
    record(session, user, Act.SAMPLE_OPEN, campaign, style=style.code, pictures=len(images))
    session.flush()
    return sample


def _clear(session: Session, user: User, left: Sample) -> None:
    """Make room for another sample. What was handed over to somebody else is theirs."""
    image_set = session.get_one(ImageSet, left.set_id)
    if image_set.owner_id != user.id:
        left.removed_at = now()
    elif image_set.deleted_at:
        _put_away(session, user, left)
    else:
        raise Conflict(_("Your sample campaign is already open."))
    session.flush()


def _style(session: Session, user: User, stored: SampleFiles) -> Style:
    """The style with its reference, and the rights to that."""
    reference = Reference(
        sha256=stored.reference,
        width=stored.reference_side,
        height=stored.reference_side,
        bytes=stored.reference_bytes,
        original_name=FILE_NAME,
        uploaded_by_id=user.id,
    )
    session.add(reference)
    session.flush()
    rights = {"owned_by": translated(contents.OWNER), "licence": translated(contents.LICENCE)}
    session.add(
        RightsRecord(
            reference_id=reference.id,
            made_by_id=user.id,
            made_as=user.role,
            allows=translated(contents.ALLOWS),
            **rights,
        )
    )
    spec = StyleSpec(
        name=translated(contents.STYLE),
        text=contents.LOOK,
        reference_prompt=contents.REFERENCE,
        strength=contents.STRENGTH,
        share_group_norm=True,
        adain_values=True,
        references=(ReferenceSpec(reference_id=reference.id),),
    )
    version = version_of(spec)
    version.number, version.created_by_id = 1, user.id
    style = with_new_code(session, Style(name=spec.name, owner_id=user.id))
    style.versions.append(version)
    session.flush()
    return style


def _free_name(session: Session) -> str:
    """The name of the campaign, with a number if that is taken, also in the bin."""
    wanted = translated(contents.CAMPAIGN)
    names = (wanted if number == 1 else f"{wanted} {number}" for number in count(1))
    return next(name for name in names if session.scalar(select(Campaign.id).where(Campaign.name == name)) is None)


def _set(user: User, campaign: Campaign, version: StyleVersion, stored: SampleFiles) -> ImageSet:
    english = {translated(thing.prompt): thing.prompt for thing in THINGS}
    return ImageSet(
        name=translated(contents.SET),
        owner_id=user.id,
        campaign=campaign,
        style_version=version,
        model=contents.MODEL,
        prompts=list(english),
        drawn_as={said: drawn for said, drawn in english.items() if said != drawn},
        count=1,
        width=stored.side,
        height=stored.side,
        steps=contents.STEPS,
        guidance=contents.GUIDANCE,
        scheduler=contents.SCHEDULER,
        strength=contents.STRENGTH,
        seed=contents.SEED,
    )


def _pictures(image_set: ImageSet, style: Style, stored: SampleFiles) -> list[Image]:
    """The finished pictures, without the seconds that they took: estimates must not learn from them."""
    seeds = seeds_from(contents.SEED, len(THINGS))
    return [
        Image(
            image_set=image_set,
            position=position,
            owner_id=image_set.owner_id,
            campaign_id=image_set.campaign_id,
            style_id=style.id,
            prompt=prompt,
            drawn_as=image_set.drawn_as.get(prompt),
            seed=seed,
            state=State.FINISHED,
            shown=True,
            sha256=stored.pictures[thing][0],
            bytes=stored.pictures[thing][1],
            finished_at=now(),
        )
        for position, (thing, prompt, seed) in enumerate(zip(THINGS, image_set.prompts, seeds, strict=True), start=1)
    ]


def _discuss(session: Session, user: User, images: Sequence[Image]) -> None:
    """Decide on the pictures, comment on them and tag them. A rejection has the first of the team's reasons."""
    reason = next((each.words for each in reviews.reasons(session)), "")
    for thing, image in zip(THINGS, images, strict=True):
        if thing.verdict:
            because = reason if thing.verdict is Verdict.REJECTED else ""
            session.add(
                Decision(
                    image_id=image.id,
                    user_id=user.id,
                    verdict=thing.verdict,
                    reason=because,
                    campaign_id=image.campaign_id,
                )
            )
        for said in thing.said:
            thread = Thread(image_id=image.id, x=said.x, y=said.y)
            if said.resolved:
                thread.resolved_at, thread.resolved_by_id = now(), user.id
            session.add(Comment(image_id=image.id, user_id=user.id, body=translated(said.words), thread=thread))
        tags = [contents.TAG, *([contents.SHORTLIST] if thing.shortlisted else [])]
        session.add_all(ImageTag(image_id=image.id, tag=translated(tag), added_by_id=user.id) for tag in tags)
    settle(session, images)


def _export(session: Session, user: User, image_set: ImageSet) -> Export:
    """An export of the approved pictures, which the server then prepares as any other."""
    wanted = exports.selection(session, user, set_id=image_set.id)
    return exports.create(session, user, exports.plan(session, user, wanted, ExportOptions()), counted=False)


# Removing


def remove(session: Session, user: User) -> str:
    """Put the sample of `user` into the bin, remove its export, and say what stays. Raises Conflict.

    What somebody added stays: a campaign with other sets or with pictures of others, a style with further versions or
    other sets. The reference goes with the last style and set that use it, as every other (`app.filing.removal`).
    """
    need_active(user)
    sample = sample_of(session, user)
    if not sample or session.get_one(ImageSet, sample.set_id).owner_id != user.id:
        raise Conflict(_("You have no sample campaign open, so there is nothing to remove."))
    if sample.export_id:
        undo.offer(session, user, "sample export", sample_id=sample.id)  # undone last, when the pictures are back
    stays = _put_away(session, user, sample)
    undo.offer(session, user, "sample", sample_id=sample.id)
    return formats.sentences((_("The sample is removed."), *stays))


def _put_away(session: Session, user: User, sample: Sample) -> list[str]:
    """Returns a sentence for each thing that stays."""
    campaign, style = session.get_one(Campaign, sample.campaign_id), session.get_one(Style, sample.style_id)
    stays = []
    sample.removed_at = now()
    if export := session.get(Export, sample.export_id) if sample.export_id else None:
        endings.end(session, None, export, Act.EXPORT_DELETE, "its sample was removed")
        session.flush()
        session.refresh(sample)
    if not _remove_campaign(session, user, sample, campaign):
        stays.append(_("The campaign %(name)s stays, because other sets or pictures are in it.", name=campaign.name))
    if not style.deleted_at:
        if _has_more(session, sample, style):
            words = _("The style %(name)s stays, because it has other versions or sets.", name=style.name)
            stays.append(words)
        else:
            filing.delete(session, user, "style", style.id)
    record(session, user, Act.SAMPLE_REMOVE, campaign)
    return stays


def _remove_campaign(session: Session, user: User, sample: Sample, campaign: Campaign) -> bool:
    """Delete the campaign with its set; if others are in it, the set alone. Returns whether nothing of it stays."""
    image_set = session.get_one(ImageSet, sample.set_id)
    others = select(ImageSet.id).where(
        ImageSet.campaign_id == campaign.id, ImageSet.id != image_set.id, ImageSet.deleted_at.is_(None)
    )
    shared = session.scalar(others.limit(1)) is not None or bool(filed_pictures.of_elsewhere(session, campaign.id))
    inside = image_set.campaign_id == campaign.id
    if not image_set.deleted_at and (shared or not inside or campaign.deleted_at):
        filing.delete(session, user, "set", image_set.id)
    if campaign.deleted_at:
        return True
    if not shared:
        filing.delete(session, user, "campaign", campaign.id)
    return not shared


def _has_more(session: Session, sample: Sample, style: Style) -> bool:
    """Whether a style has further versions, or other sets."""
    ids = select(StyleVersion.id).where(StyleVersion.style_id == style.id)
    used = select(ImageSet.id).where(
        ImageSet.has_version(ids), ImageSet.id != sample.set_id, ImageSet.deleted_at.is_(None)
    )
    return len(style.versions) > 1 or session.scalar(used.limit(1)) is not None


def undo_removal(session: Session, user: User, sample_id: int) -> Undone:
    """Open a removed sample again; other steps restore its rows. Raises Conflict if another is open."""
    if sample_of(session, user):
        raise Conflict(_("You opened another sample campaign since. Remove that one first."))
    sample = session.get_one(Sample, sample_id)
    sample.removed_at = None
    record(session, user, Act.SAMPLE_REMOVE, session.get_one(Campaign, sample.campaign_id), undone=True)
    return Undone(_("The sample is back."))


def undo_export(session: Session, user: User, sample_id: int) -> Undone:
    """Make the export of a sample again, from what is approved of it now."""
    sample = session.get_one(Sample, sample_id)
    image_set = session.get_one(ImageSet, sample.set_id)
    session.flush()
    approved = Image.set_id == image_set.id, Image.shown, Image.decision == Verdict.APPROVED
    if session.scalar(select(Image.id).where(*approved).limit(1)) is not None:
        sample.export_id = _export(session, user, image_set).id
    return Undone()
