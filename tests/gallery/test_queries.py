"""Lists and counts compared with the same rules in plain Python, and their cost."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.gallery import facets, matching, queries
from app.gallery.matching import Search
from app.gallery.search import DECISIONS, EVERYTHING, PictureFilter
from app.models import Image, ImageTag, Role, TagUse, User
from app.sets.queries import NOT_REVIEWED
from app.styles import service as styles
from app.styles.spec import ReferenceSpec, StyleSpec
from tests.factory import Factory
from tests.gallery.conftest import DAY, WORDS, Gallery
from tests.statements import plan

reading = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def filters(draw: st.DrawFn, words: bool = True) -> dict[str, object]:
    """Indices and values, because the rows are not there yet when examples are drawn."""
    days = st.none() | st.integers(-1, 7).map(lambda n: (DAY + timedelta(days=n)).date())
    some = st.lists(st.integers(0, 3), max_size=2, unique=True)
    return {
        "decision": tuple(draw(st.lists(st.sampled_from(DECISIONS), max_size=2, unique=True))),
        "style": draw(some),
        "campaign": tuple(number + 1 for number in draw(some)),
        "owner": draw(some),
        "tag": tuple(draw(st.lists(st.sampled_from(["hero", "秋", "none such"]), max_size=2, unique=True))),
        "set": draw(st.none() | st.none() | st.integers(1, 9)),
        "reference": draw(st.none() | st.none() | st.integers(1, 4)),
        "starred": draw(st.sampled_from([False, False, True])),
        "since": draw(days),
        "until": draw(days),
        "q": " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=2))) if words else "",
        "code": draw(st.sampled_from(["", "", "", "whole", "letters"])) if words else "",
        "oldest": draw(st.booleans()),
    }


def made(gallery: Gallery, drawn: dict[str, object]) -> PictureFilter:
    values = dict(drawn)
    codes = [*gallery.codes.values(), "SOR-NONE"]
    code = {"": "", "whole": codes[0].lower(), "letters": codes[0][4:].lower()}[str(values.pop("code"))]
    values["style"] = tuple(codes[number] for number in values["style"])  # type: ignore[attr-defined]
    people = [*(person.id for person in gallery.people), 999]
    values["owner"] = tuple(people[number] for number in values["owner"])  # type: ignore[attr-defined]
    values["q"] = f"{values['q']} {code}".strip()
    return PictureFilter(**values)  # type: ignore[arg-type]


def search(session: Session, user: User, wanted: PictureFilter, **options: bool) -> Search:
    return Search.of(session, user, wanted, **options)


@pytest.fixture(params=[matching.MOST_LISTED, 2], ids=["listed", "met on the way"])
def short_words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures with a short word are listed; many appear on every page."""
    monkeypatch.setattr(matching, "MOST_LISTED", request.param)


@pytest.mark.usefixtures("short_words")
@reading
@given(drawn=filters())
def test_a_filter_finds_what_its_words_say(strewn: Factory, gallery: Gallery, drawn: dict[str, object]) -> None:
    wanted, user, session = made(gallery, drawn), gallery.people[1], strewn.session
    expected = [image.id for image in gallery.wanted(user, wanted)]
    for to_count in (False, True):
        asked = search(session, user, wanted, to_count=to_count)
        assert [cell.id for cell in queries.pictures(session, asked)] == expected
        assert queries.count(session, asked) == len(expected)
    assert queries.ids(session, search(session, user, wanted), 5) == sorted(expected, reverse=True)[:5]


@pytest.mark.parametrize(
    "word", [*WORDS, "SOR-NONE", "a fox", '"', '""', "%%%", "___", "a* b*", "NOT", "fox AND", "🦊 fox"]
)
def test_each_odd_word(strewn: Factory, gallery: Gallery, word: str) -> None:
    wanted = PictureFilter(q=word)
    found = queries.pictures(strewn.session, search(strewn.session, gallery.people[0], wanted))
    assert [cell.id for cell in found] == [image.id for image in gallery.wanted(gallery.people[0], wanted)]


@pytest.mark.usefixtures("short_words")
@reading
@given(drawn=filters())
def test_counts_are_those_of_counting_one_by_one(strewn: Factory, gallery: Gallery, drawn: dict[str, object]) -> None:
    wanted, user = made(gallery, drawn), gallery.people[1]
    counts = facets.counts_of(strewn.session, search(strewn.session, user, wanted, to_count=True))
    assert counts.total == len(gallery.wanted(user, wanted))
    for counter, field, column in (
        (counts.decisions, "decision", "decision"),
        (counts.styles, "style", "style_id"),
        (counts.campaigns, "campaign", "campaign_id"),
        (counts.owners, "owner", "owner_id"),
    ):
        others = gallery.wanted(user, replace(wanted, **{field: ()}))  # type: ignore[arg-type]
        assert counter == Counter(getattr(image, column) for image in others), field


def test_options_are_named_the_most_first_and_keep_what_is_chosen(strewn: Factory, gallery: Gallery) -> None:
    user, session = gallery.people[0], strewn.session
    options = facets.options(session, search(session, user, EVERYTHING))
    shown = gallery.wanted(user, EVERYTHING)
    assert options.of == options.total == options.every_campaign == len(shown)
    assert sum(options.decisions.values()) == len(shown)
    assert options.decisions[NOT_REVIEWED] == sum(image.decision is None for image in shown)
    numbers = [option.count for option in options.styles]
    assert numbers == sorted(numbers, reverse=True)
    assert all(option.reference_id for option in options.styles)

    code = options.styles[0].value
    nothing = PictureFilter(style=(str(code),), q="zebra", owner=(user.id,), campaign=(1,))
    left = facets.options(session, search(session, user, nothing, to_count=True))
    assert [(option.value, option.count) for option in left.styles] == [(code, 0)]
    assert [option.value for option in left.owners] == [user.id]
    assert [option.value for option in left.campaigns] == [1]


def test_only_the_most_used_are_listed_and_what_is_chosen(
    strewn: Factory, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, session = gallery.people[0], strewn.session
    every = facets.options(session, search(session, user, EVERYTHING))
    assert every.left_out == {"style": 0, "campaign": 0, "owner": 0}
    assert len(every.campaigns) == len(every.owners) == len(every.styles) == 3
    monkeypatch.setattr(facets, "MOST_OPTIONS", 1)
    few = facets.options(session, search(session, user, EVERYTHING))
    assert (few.campaigns, few.owners, few.styles) == (every.campaigns[:1], every.owners[:1], every.styles[:1])
    assert few.left_out == {"style": 2, "campaign": 2, "owner": 2}
    assert (few.total, few.every_campaign) == (every.total, every.every_campaign), "what is not listed still counts"
    whole = facets.options(session, search(session, user, EVERYTHING), "owner")
    assert (whole.campaigns, whole.owners) == (every.campaigns[:1], every.owners)

    last = every.campaigns[-1].value
    chosen = facets.options(session, search(session, user, PictureFilter(campaign=(int(last), 999))))
    assert [option.value for option in chosen.campaigns] == [every.campaigns[0].value, last]
    assert chosen.left_out["campaign"] == 1


def test_tags_that_are_used_most_come_first(session: Session, make: Factory) -> None:
    user, images = make.user(), make.finished_set(prompts="a\nb\nc").images

    def tag(image: Image, name: str) -> ImageTag:
        session.add(row := ImageTag(image_id=image.id, tag=name, added_by_id=user.id))
        session.flush()
        return row

    for image in images:
        tag(image, "hero")
    gone = [tag(image, "print") for image in images[:2]]
    tag(images[0], "cover")
    assert queries.tags(session, user) == ["hero", "print", "cover"]
    for row in gone:
        session.delete(row)
    session.flush()
    assert queries.tags(session, user) == ["hero", "cover"]
    session.delete(images[0])  # its tags go with it
    session.flush()
    assert [(row.tag, row.pictures) for row in session.scalars(select(TagUse))] == [("hero", 2)]


@reading
@given(drawn=filters(words=False), size=st.integers(1, 9))
def test_pages_joined_are_the_whole_list(
    strewn: Factory, gallery: Gallery, drawn: dict[str, object], size: int
) -> None:
    wanted, user = made(gallery, drawn), gallery.people[0]
    asked = search(strewn.session, user, wanted)
    seen: list[int] = []
    while page := queries.pictures(strewn.session, asked, seen[-1] if seen else None, size):
        seen += [cell.id for cell in page]
    assert seen == [image.id for image in gallery.wanted(user, wanted)]


@pytest.mark.parametrize("oldest", [False, True])
def test_of_very_many_matches_whole_words_still_come_first(
    session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch, oldest: bool
) -> None:
    monkeypatch.setattr(matching, "MOST_RANKED", 2)
    scarfs, cars = "a scarf\nscarfs", "a car, red\ncar by the sea\na red car on ice"
    prompts = [cars, scarfs, *[scarfs] * 3, cars, *[scarfs] * 3]
    for each in prompts:
        make.finished_set(prompts=each)
    asked = search(session, make.user(), PictureFilter(q="car", oldest=oldest))
    seen: list[int] = []
    while page := queries.pictures(session, asked, seen[-1] if seen else None, 3):
        seen += [cell.id for cell in page]
    assert len(seen) == len(set(seen)) == 20
    found = [session.get_one(Image, image_id).prompt for image_id in seen]
    assert sorted(found[:6]) == sorted([*cars.split("\n")] * 2)
    assert seen[:6] == sorted(seen[:6], reverse=not oldest)
    assert seen[6:] == sorted(seen[6:], reverse=not oldest)


def test_newcomers_shift_nothing(session: Session, make: Factory) -> None:
    first = make.finished_set(prompts="\n".join(f"thing {n}" for n in range(6)))
    asked = search(session, make.user(), EVERYTHING)
    seen: list[int] = []
    while page := queries.pictures(session, asked, seen[-1] if seen else None, 2):
        seen += [cell.id for cell in page]
        make.finished_set()
    assert seen == sorted((image.id for image in first.images), reverse=True)


@pytest.mark.parametrize("oldest", [False, True])
def test_an_act_shows_the_page_up_to_where_it_was(strewn: Factory, gallery: Gallery, oldest: bool) -> None:
    wanted = PictureFilter(oldest=oldest)
    every = [image.id for image in gallery.wanted(gallery.people[0], wanted)]
    asked = search(strewn.session, gallery.people[0], wanted)
    assert [cell.id for cell in queries.pictures(strewn.session, asked, upto=every[7])] == every[:8]


def test_a_cell_has_all_that_is_shown(strewn: Factory, gallery: Gallery) -> None:
    user = gallery.people[0]
    for cell in queries.pictures(strewn.session, search(strewn.session, user, EVERYTHING)):
        image = strewn.session.get_one(Image, cell.id)
        assert (cell.prompt, cell.sha256, cell.decision) == (image.prompt, image.sha256, image.decision)
        assert (cell.width, cell.style_code) == (256, gallery.codes[image.style_id])
        assert cell.starred == ((user.id, cell.id) in gallery.stars)
        assert set(cell.tags) == gallery.tags[cell.id]
        assert set(cell.reference_ids) == gallery.references[cell.set_id]


def test_a_cell_says_what_it_looks_like_and_whether_it_can_be_changed(session: Session, make: Factory) -> None:
    owner, first, second = make.user(), make.reference(), make.reference()
    parts = tuple(ReferenceSpec(reference_id=each.id) for each in (second, first, second))
    style = styles.create(session, owner, StyleSpec.parse({"name": "Poster", "references": parts}))
    session.flush()
    image_set = make.finished_set(owner, style, prompts="a fox")

    def seen(by: User) -> list[queries.Cell]:
        return queries.pictures(session, search(session, by, EVERYTHING))

    others = (owner, True), (make.user(Role.MANAGER), True), (make.user(Role.REVIEWER), False)
    for person, may in others:
        assert [(cell.reference_ids, cell.changeable) for cell in seen(person)] == [((second.id, first.id), may)]
    image_set.locked_at = DAY
    session.flush()
    assert not any(cell.changeable for person, _ in others for cell in seen(person))


def test_a_closed_account_sees_nothing(strewn: Factory, gallery: Gallery) -> None:
    closed = strewn.user(active=False)
    asked = search(strewn.session, closed, EVERYTHING)
    assert queries.pictures(strewn.session, asked) == []
    assert facets.options(strewn.session, asked).of == queries.count(strewn.session, asked) == 0
    assert queries.tags(strewn.session, closed) == queries.searches(strewn.session, closed) == []
    assert queries.deleted(strewn.session, closed) == []


@pytest.mark.parametrize(
    ("width", "height", "thumbs"),
    [(256, 256, [(320, 256)]), (1024, 1024, [(320, 320), (960, 960)]), (512, 1024, [(320, 160), (960, 480)])],
)
def test_thumbnails_as_wide_as_they_are(width: int, height: int, thumbs: list[tuple[int, int]]) -> None:
    cell = queries.Cell(1, 1, "a fox", width, height, "0" * 64, None, "Poster", "SOR-7K2Q", "Mori", False, True, False)
    assert cell.thumbs == thumbs


@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [EVERYTHING, PictureFilter(decision=("approved",)), PictureFilter(campaign=(1,)), PictureFilter(q="fox table")],
)
def test_pages_walk_an_index_and_sort_nothing(
    strewn: Factory, gallery: Gallery, wanted: PictureFilter, oldest: bool
) -> None:
    asked = search(strewn.session, gallery.people[0], wanted)
    after, order = (Image.id > 50, Image.id.asc()) if oldest else (Image.id < 50, Image.id.desc())
    steps = plan(strewn.session, asked.ids.where(after).order_by(order).limit(60))
    assert "USING" in steps[0]
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN images ") for step in steps)


@pytest.mark.parametrize(
    "wanted",
    [
        EVERYTHING,
        PictureFilter(since=DAY.date(), until=DAY.date()),
        PictureFilter(set=1),
        PictureFilter(starred=True),
        PictureFilter(decision=("approved", "none"), owner=(1, 2)),
    ],
)
def test_counts_look_at_one_index_only(strewn: Factory, gallery: Gallery, wanted: PictureFilter) -> None:
    asked = search(strewn.session, gallery.people[0], wanted)
    steps = plan(strewn.session, facets.walk(asked))
    assert "USING COVERING INDEX ix_images_facets" in steps[0]
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps)
