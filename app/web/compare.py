"""The compare room: two to four pictures side by side, two in one frame with a split, or the difference of two.

Its address holds everything, so that a link shows another person the same:
`/compare?ids=12,15&ids=16&reference=3&mode=split&pair=AC&split=37&together=off&from=/sets/4`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams

from app.errors import Invalid, NotFound
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Image, Reference, Role, State, Style, User, Verdict
from app.reviews import four_eyes, service
from app.reviews import queries as reviews
from app.reviews.standing import standing
from app.sets import queries as sets
from app.styles import queries as styles
from app.text import shorten, whole_number
from app.web.deps import Me, Read
from app.web.pools import Route
from app.web.templating import inner_path, page

router = APIRouter(route_class=Route)

LETTERS = "ABCD"  # one per picture, in the order of the address
MODES = ("side", "split", "difference")
MIDDLE = 50  # per cent: the default position of the split
PICTURES = "/pictures"  # the default way back
NO_PICTURE = N_("There is no picture %(number)s.")
NO_REFERENCE = N_("There is no reference %(number)s.")


@dataclass(frozen=True)
class Comparison:
    """The contents of an address."""

    ids: tuple[int, ...]
    reference_id: int | None
    mode: str
    pair: str  # the letters of the two that split and difference show, such as "AC"
    split: int  # per cent of the visible pair that belongs to the first, 0 to 100
    together: bool  # zoom and pan all pictures together
    back: str

    @property
    def url(self) -> str:
        """The address for this, without defaults."""
        pairs = {
            "ids": ",".join(map(str, self.ids)),
            "reference": self.reference_id or "",
            "mode": self.mode if self.mode != MODES[0] else "",
            "pair": self.pair if self.pair != LETTERS[:2] else "",
            "split": str(self.split) if self.split != MIDDLE else "",
            "together": "" if self.together else "off",
            "from": self.back if self.back != PICTURES else "",
        }
        return f"/compare?{urlencode({name: value for name, value in pairs.items() if value}, safe=',/')}"

    def showing(self, mode: str) -> "Comparison":
        return replace(self, mode=mode)

    def without(self, image_id: int | None) -> "Comparison":
        """Without one picture; None removes the reference. The letters move up, so the pair is the first two again."""
        ids = tuple(id for id in self.ids if id != image_id)
        return replace(self, ids=ids, reference_id=None if image_id is None else self.reference_id, pair=LETTERS[:2])


def compare_address(ids: Sequence[int], back: str, reference_id: int | None = None) -> str:
    """The address for the first pictures of `ids` side by side, as many as fit, optionally with a reference."""
    chosen = tuple(ids[: len(LETTERS) - (reference_id is not None)])
    return Comparison(chosen, reference_id, MODES[0], LETTERS[:2], MIDDLE, together=True, back=back).url


@dataclass(frozen=True)
class Judged:
    """The decisions on an image, and what the decision form needs."""

    seen: int | str  # id of the latest decision; "" for none
    mine: Verdict | None  # the person's own, if it is current
    closed: str  # why nobody can decide; "" if they can
    own: str  # why the person, its maker, cannot approve it; "" if they can


@dataclass(frozen=True)
class Compared:
    """A picture in the room: an image, or the reference."""

    letter: str
    name: str
    width: int  # px
    height: int
    png: str  # addresses
    thumb: str
    without: str
    reference_id: int  # the reference itself, or the first one of an image
    style: Style | None  # of the image; for a reference, the style of a compared picture made from it
    image: Image | None = None
    judged: Judged | None = None  # for an image
    reference: Reference | None = None
    which: str = ""  # of several references of that style: "1 of 2"
    another: str = ""  # the same comparison with the next of them


@router.get("/compare")
def compare(request: Request, me: Me, session: Read) -> Response:
    """Show the room. Raises NotFound for a missing or unfinished picture, Invalid for too many."""
    wanted = asked_for(request.query_params)
    images = [finished_image(session, me, image_id) for image_id in wanted.ids]
    pictures = [
        compared_image(session, me, wanted, letter, image) for letter, image in zip(LETTERS, images, strict=False)
    ]
    if wanted.reference_id is not None:
        pictures.append(compared_reference(session, me, wanted, wanted.reference_id, images))
    return page(
        request,
        "compare/show.html",
        nav="pictures",
        comparison=wanted,
        pictures=pictures,
        modes=MODES,
        with_reference=reference_to_add(wanted, images),
        can_decide=me.can(Role.REVIEWER),
        reasons=reviews.reasons(session),
        undo=reviews.undoable(session, me, whole_number(request.query_params.get("undo", ""))),
    )


def asked_for(query: QueryParams) -> Comparison:
    """Parse an address. Raises NotFound for an invalid number, Invalid for too many."""
    ids = numbers(query.getlist("ids"), NO_PICTURE)
    references = numbers(query.getlist("reference"), NO_REFERENCE)
    if len(references) > 1:
        raise Invalid("reference", _("Only one reference can be compared at a time."))
    count = len(ids) + len(references)
    if count > len(LETTERS):
        raise Invalid("ids", _("At most four pictures can be compared, not %(number)s. Remove some.", number=count))
    mode = query.get("mode", "")
    return Comparison(
        ids=ids,
        reference_id=references[0] if references else None,
        mode=mode if mode in MODES else MODES[0],
        pair=pair_of(query.get("pair", ""), count),
        split=split_of(query.get("split", "")),
        together=query.get("together") != "off",
        back=inner_path(query.get("from", PICTURES)),
    )


def numbers(values: Sequence[str], refusal: str) -> tuple[int, ...]:
    """The ids in repeated and comma-separated values, each once, in order. Raises NotFound with `refusal`."""
    found: dict[int, None] = {}
    for word in filter(None, (word.strip() for value in values for word in value.split(","))):
        number = whole_number(word)
        if number is None:
            raise NotFound(translated(refusal) % {"number": shorten(word, 20)})
        found[number] = None
    return tuple(found)


def pair_of(letters: str, count: int) -> str:
    """Two different letters of the first `count`, in order; the first two for anything else."""
    chosen = "".join(letter for letter in LETTERS[:count] if letter in letters.upper())
    return chosen if len(chosen) == 2 else LETTERS[:2]


def split_of(words: str) -> int:
    """Parse whole per cent; the middle for anything else."""
    fraction = whole_number(words)
    return MIDDLE if fraction is None or fraction > 100 else fraction


def finished_image(session: Session, me: User, image_id: int) -> Image:
    """The image. Raises NotFound with its number, because an address may have several."""
    try:
        image = sets.image(session, me, image_id)
    except NotFound as error:
        raise NotFound(translated(NO_PICTURE) % {"number": image_id}) from error
    if image.state != State.FINISHED:
        raise NotFound(_("Picture %(number)s is not finished, so it cannot be compared yet.", number=image_id))
    if image.purged_at:
        raise NotFound(_("Picture %(number)s was permanently deleted, so it cannot be compared.", number=image_id))
    return image


def compared_image(session: Session, me: User, wanted: Comparison, letter: str, image: Image) -> Compared:
    version = image.image_set.style_version
    return Compared(
        letter=letter,
        name=image.prompt,
        width=image.image_set.width,
        height=image.image_set.height,
        png=f"/images/{image.id}.png",
        thumb=f"/images/{image.id}/thumb-320.webp",
        without=wanted.without(image.id).url,
        reference_id=version.references[0].reference_id,
        style=version.style,
        image=image,
        judged=judged(session, me, image),
    )


def judged(session: Session, me: User, image: Image) -> Judged:
    decisions = reviews.decisions(session, me, image.id)
    mine = [each.verdict for each in standing(decisions) if each.user_id == me.id]
    return Judged(
        seen=decisions[-1].id if decisions else "",
        mine=mine[0] if mine else None,
        closed=service.closed_words(image),
        own=four_eyes.refusal(session, me, image),
    )


def compared_reference(
    session: Session, me: User, wanted: Comparison, reference_id: int, images: Sequence[Image]
) -> Compared:
    try:
        reference = styles.reference(session, me, reference_id)
    except NotFound as error:
        raise NotFound(translated(NO_REFERENCE) % {"number": reference_id}) from error
    versions = [image.image_set.style_version for image in images]
    of = next((each for each in versions if reference.id in (use.reference_id for use in each.references)), None)
    ids = list(dict.fromkeys(use.reference_id for use in of.references)) if of else [reference.id]
    place = ids.index(reference.id) + 1
    return Compared(
        letter=LETTERS[len(images)],
        name=_("Reference"),
        width=reference.width,
        height=reference.height,
        png=f"/references/{reference.id}.png",
        thumb=f"/references/{reference.id}/thumb-320.webp",
        without=wanted.without(None).url,
        reference_id=reference.id,
        style=of.style if of else None,
        reference=reference,
        which=_("%(number)s of %(all)s", number=place, all=len(ids)) if len(ids) > 1 else "",
        another=replace(wanted, reference_id=ids[place % len(ids)]).url if len(ids) > 1 else "",
    )


def reference_to_add(wanted: Comparison, images: Sequence[Image]) -> str | None:
    """The same comparison with the reference of its first picture; None if it has one already, or no room for it."""
    if wanted.reference_id is not None or not images or len(images) == len(LETTERS):
        return None
    first = images[0].image_set.style_version.references[0]
    return replace(wanted, reference_id=first.reference_id).url
