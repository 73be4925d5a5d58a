"""What an export contains, and who may have it."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import approved, contents, queries, service
from app.exports.approved import ApprovedRow
from app.exports.options import ExportOptions
from app.exports.preparer import Preparer
from app.gallery import service as gallery
from app.gallery.search import EVERYTHING, PictureFilter
from app.models import Act, AuditEvent, Export, ExportFile, ExportState, ImageSet, Role, User, Verdict
from tests.factory import Factory
from tests.statements import counted


def approved_set(make: Factory, user: User | None = None, **values: object) -> ImageSet:
    """A finished set, all of it approved."""
    image_set = make.finished_set(user, **values)  # type: ignore[arg-type]
    for image in image_set.images:
        make.decide(image)
    return image_set


def rows_of(session: Session, user: User, **wanted: object) -> list[ApprovedRow]:
    selection = service.selection(session, user, **wanted)  # type: ignore[arg-type]
    taken = service.tally(session, user, selection)
    rows = service.first(session, user, selection, 1000)
    assert sum(each.pictures for each in taken) == len(rows)
    assert sum(each.bytes for each in taken) == sum(row.bytes for row in rows)
    return rows


def created(session: Session, user: User, options: ExportOptions | None = None, **wanted: object) -> Export:
    subject = service.selection(session, user, **wanted)  # type: ignore[arg-type]
    export = service.create(session, user, service.plan(session, user, subject, options or ExportOptions()))
    session.flush()
    return export


def names_of(session: Session, export: Export) -> list[str]:
    statement = select(ExportFile.name).where(ExportFile.export_id == export.id).order_by(ExportFile.position)
    return list(session.scalars(statement))


def test_an_export_has_what_is_approved(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox\nan owl\na pear\na bell", name="Table", campaign="Spring")
    for image, verdict in zip(image_set.images, [Verdict.APPROVED, Verdict.REJECTED, Verdict.APPROVED], strict=False):
        make.decide(image, verdict)
    export = created(session, user, set_id=image_set.id)
    assert names_of(session, export) == ["spring-retro-sunburst-001-a-fox.png", "spring-retro-sunburst-002-a-pear.png"]
    assert (export.name, export.pictures, export.total, export.state) == (
        "table-approved",
        2,
        2,
        ExportState.QUEUED,
    )


def test_several_sizes_have_a_folder_each(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    options = ExportOptions(sizes=("original", "1080x1080"), template="{n}", format="jpeg")
    assert names_of(session, created(session, user, options, set_id=image_set.id)) == [
        "original/1.jpg",
        "1080x1080/1.jpg",
    ]
    options = ExportOptions(sizes=("original", "1080x1080"), template="{n}-{size}", format="avif")
    assert names_of(session, created(session, user, options, set_id=image_set.id)) == [
        "1-original.avif",
        "1-1080x1080.avif",
    ]


def test_order_is_by_set_and_position(session: Session, make: Factory) -> None:
    user, style = make.user(), make.style()
    first = approved_set(make, user, style=style, prompts="c\nb\na", name="Z")
    second = approved_set(make, user, style=style, prompts="b\na", name="A")
    options = ExportOptions(template="{set}/{position}-{slug}")
    names = names_of(session, created(session, user, options, campaign_id=first.campaign_id))
    assert names == ["z/1-c.png", "z/2-b.png", "z/3-a.png", "a/1-b.png", "a/2-a.png"]
    chosen = [second.images[1].id, first.images[2].id, first.images[2].id]
    names = names_of(session, created(session, user, options, image_ids=chosen))
    assert names == ["z/3-a.png", "a/2-a.png"]


def test_the_same_again_is_the_same_export(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox\nan owl")
    first = created(session, user, set_id=image_set.id)
    assert created(session, user, set_id=image_set.id) is first
    assert created(session, user, ExportOptions(format="webp"), set_id=image_set.id) is not first
    assert created(session, make.user(Role.MANAGER), set_id=image_set.id) is not first
    make.decide(image_set.images[0], Verdict.REJECTED)
    assert created(session, user, set_id=image_set.id) is not first


def test_the_next_export_of_a_campaign_begins_with_the_last_ones_options(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    assert queries.latest_options(session, image_set.campaign_id) is None
    created(session, user, ExportOptions(format="avif"), campaign_id=image_set.campaign_id)
    created(session, user, ExportOptions(format="webp"), set_id=image_set.id)
    assert (queries.latest_options(session, image_set.campaign_id) or {})["format"] == "webp"


def test_reading_takes_two_statements(session: Session, make: Factory, database: Database) -> None:
    user = make.user()
    approved_set(make, user, prompts="a fox\n" * 20)
    session.commit()
    with database.read() as reading, counted(database) as seen:
        assert len(list(approved.pictures(reading, user))) == 20
    assert len(seen) == 2, "one for the people without consent"


def test_creating_is_recorded(session: Session, make: Factory) -> None:
    user = make.user()
    export = created(session, user, set_id=approved_set(make, user).id)
    created(session, user, set_id=export.set_id)
    events = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.EXPORT_CREATE)).all()
    assert [(event.subject, event.subject_id, event.user_id) for event in events] == [("exports", export.id, user.id)]
    assert events[0].details["pictures"] == 2


def test_read_and_written_in_chunks(
    session: Session, make: Factory, preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, style = make.user(), make.style()
    sets = [approved_set(make, user, style=style, prompts="a\nb\nc", name=f"Set {n}") for n in range(3)]
    options = ExportOptions(template="{set}-{n}", sizes=("original", "64x64"))
    whole = created(session, user, options, campaign_id=sets[0].campaign_id)
    monkeypatch.setattr(contents, "CHUNK", 2)
    monkeypatch.setattr(service, "ROWS", 4)
    assert created(session, user, options, campaign_id=sets[0].campaign_id) is whole
    manager = make.user(Role.MANAGER)
    wanted = service.selection(session, manager, campaign_id=sets[0].campaign_id)
    session.commit()
    again = session.get_one(Export, preparer.ask(manager, wanted, options).id)
    assert again.id != whole.id
    assert again.state == ExportState.QUEUED
    assert names_of(session, again) == names_of(session, whole)
    assert len(set(names_of(session, again))) == again.total == 18


# All that match a search


FOXES = PictureFilter(q="fox", oldest=True)


def test_what_is_approved_of_all_that_match(session: Session, make: Factory) -> None:
    user, style = make.user(), make.style()
    first = approved_set(make, user, style=style, prompts="a fox\nan owl", campaign="Spring")
    second = make.finished_set(user, style=style, prompts="a red fox\na fox at night", campaign="Winter")
    make.decide(second.images[1])
    gallery.delete(session, user, [approved_set(make, user, style=style, prompts="a lost fox").images[0].id])
    wanted = service.selection(session, user, search=FOXES)
    assert (wanted.number, wanted.title) == (3, "pictures that match")
    export = created(session, user, search=FOXES)
    assert names_of(session, export) == [
        "spring-retro-sunburst-001-a-fox.png",
        "winter-retro-sunburst-002-a-fox-at-night.png",
    ]
    assert (export.name, export.pictures, export.campaign_id, export.set_id) == ("pictures-fox-approved", 2, None, None)
    assert created(session, user, search=EVERYTHING).pictures == 3
    assert created(session, user, image_ids=[first.images[0].id]).pictures == 1
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.EXPORT_CREATE)).first()
    assert event is not None
    assert (event.details["search"], event.details["pictures"]) == ("q=fox&order=oldest", 2)


def test_a_search_is_frozen_at_the_request(session: Session, make: Factory) -> None:
    user, style = make.user(), make.style()
    image_set = make.finished_set(user, style=style, prompts="a fox\na fox at night")
    make.decide(image_set.images[0])
    export = created(session, user, search=FOXES)
    before = names_of(session, export)
    make.decide(image_set.images[0], Verdict.REJECTED)
    make.decide(image_set.images[1])
    approved_set(make, user, style=style, prompts="one more fox")
    session.flush()
    assert names_of(session, export) == before
    assert [name[-12:] for name in before] == ["01-a-fox.png"]
    again = created(session, user, search=FOXES)
    assert again is not export
    assert [name.split("-0")[1] for name in names_of(session, again)] == [
        "01-a-fox-at-night.png",
        "02-one-more-fox.png",
    ]


def test_a_search_only_has_the_limit_of_a_zip(session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make.user()
    images = approved_set(make, user, prompts="\n".join(f"fox {n}" for n in range(5))).images
    monkeypatch.setattr(service, "MOST_CHOSEN", 3)
    with pytest.raises(Invalid, match="5 pictures were selected one by one, more than the 3 that can"):
        created(session, user, image_ids=[image.id for image in images])
    assert created(session, user, search=FOXES).pictures == 5
    monkeypatch.setattr(service, "MOST_ZIP_FILES", 9)
    two = ExportOptions(sizes=("original", "64x64"))
    with pytest.raises(Invalid, match="This would be 10 files; a zip holds at most 9") as raised:
        created(session, user, two, search=FOXES)
    assert raised.value.field == "sizes"
    monkeypatch.setattr(service, "MOST_ZIP_FILES", 4)
    with pytest.raises(Invalid, match="This would be 5 files; a zip holds at most 4"):
        rows_of(session, user, search=FOXES)


def test_nothing_of_a_search(session: Session, make: Factory) -> None:
    user = make.user()
    make.finished_set(user, prompts="an owl")
    theirs = approved_set(make, prompts="a bell")
    for q, refusal, sentence in (
        ("zebra", Conflict, "no picture matches"),
        ("owl", Conflict, "none of these pictures is approved yet"),
        ("bell", Forbidden, "other people’s"),
    ):
        with pytest.raises(refusal, match=sentence):
            rows_of(session, user, search=PictureFilter(q=q))
    with pytest.raises(Conflict, match="no picture matches"):
        rows_of(session, make.user(active=False), search=EVERYTHING)
    assert len(rows_of(session, theirs.owner, search=EVERYTHING)) == 1


def test_other_peoples_are_counted_and_left_out(session: Session, make: Factory) -> None:
    user = make.user()
    approved_set(make, user, prompts="a fox")
    approved_set(make, prompts="a fox\nan owl")
    for who, number in ((user, 2), (make.user(Role.MANAGER), 0)):
        wanted = service.selection(session, who, search=EVERYTHING)
        assert service.left_out(session, who, wanted, service.tally(session, who, wanted)) == number


# Permissions


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_others_export_set_403(session: Session, make: Factory, role: Role) -> None:
    image_set = approved_set(make, make.user(name="Mori Haruka"))
    with pytest.raises(Forbidden, match="Only Mori Haruka or a manager"):
        rows_of(session, make.user(role), set_id=image_set.id)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_export_any_set(session: Session, make: Factory, role: Role) -> None:
    assert len(rows_of(session, make.user(role), set_id=approved_set(make).id)) == 2


def test_designers_get_their_own_of_a_campaign(session: Session, make: Factory) -> None:
    user = make.user()
    own, other = approved_set(make, user, prompts="mine"), approved_set(make, prompts="theirs")
    assert [row.prompt for row in rows_of(session, user, campaign_id=own.campaign_id)] == ["mine"]
    both = [own.images[0].id, other.images[0].id]
    assert len(rows_of(session, user, image_ids=both)) == 1
    assert len(rows_of(session, make.user(Role.MANAGER), image_ids=both)) == 2
    with pytest.raises(Forbidden, match="other people’s"):
        rows_of(session, user, image_ids=both[1:])


def test_closed_account_404(session: Session, make: Factory) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    export = created(session, user, set_id=image_set.id)
    user.active = False
    with pytest.raises(NotFound):
        rows_of(session, user, set_id=image_set.id)
    with pytest.raises(Conflict):
        rows_of(session, user, image_ids=[image_set.images[0].id])
    with pytest.raises(NotFound):
        queries.get(session, user, export.id)


def test_exports_are_visible_to_their_owners_and_managers(session: Session, make: Factory, preparer: Preparer) -> None:
    user = make.user()
    export = created(session, user, set_id=approved_set(make, user).id)
    for allowed in (user, make.user(Role.MANAGER)):
        assert queries.get(session, allowed, export.id) is export
        assert queries.recent(session, allowed) == [export]
    stranger = make.user(Role.REVIEWER)
    assert queries.recent(session, stranger) == []
    session.commit()
    for act in (preparer.delete, preparer.ask_without_changed):
        with pytest.raises(NotFound):
            act(stranger, export.id)


def test_nothing_approved_409(session: Session, make: Factory) -> None:
    user = make.user()
    with pytest.raises(Conflict, match="nothing to export"):
        rows_of(session, user, set_id=make.finished_set(user).id)


def test_unknown_404(session: Session, make: Factory) -> None:
    user = make.user()
    for wanted in ({"set_id": 404}, {"campaign_id": 404}):
        with pytest.raises(NotFound):
            rows_of(session, user, **wanted)
    with pytest.raises(Invalid):
        rows_of(session, user, image_ids=[])


# Valid requests


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"format": "gif"}, "The format must be 'png', 'jpeg', 'webp' or 'avif'"),
        ({"quality": "0"}, "The quality must be a whole number from 1 to 100"),
        ({"sizes": ()}, "Choose at least one size"),
        ({"sizes": ("big",)}, "Write a size as width x height"),
        ({"sizes": ("1080x9999",)}, "Each side of a size has 16 to 8192 px"),
        ({"sizes": ("8x8",)}, "Each side of a size has 16 to 8192 px"),
        ({"sizes": tuple(f"100x{n}" for n in range(100, 113))}, "at most 12"),
        ({"template": "{who}"}, "the fields are"),
    ],
)
def test_what_is_wrong_is_a_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        ExportOptions.parse(wrong)


def test_sizes_are_read_as_people_write_them() -> None:
    options = ExportOptions.parse({"sizes": ("original", " 1080 × 1350 ", "1080X1350", "0300x200")})
    assert options.sizes == ("original", "1080x1350", "300x200")
