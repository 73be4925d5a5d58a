"""Brand rules: who changes them, versions, proposals, and the scores of pictures that follow."""

from typing import Any

import pytest
from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.brand import queries, scores, service
from app.brand.spec import BrandSpec
from app.customs import service as customs
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.measures.jobs import packed
from app.models import (
    Act,
    AuditEvent,
    BrandScore,
    BrandVersion,
    Checklist,
    Image,
    PictureFeatures,
    PictureMeasures,
    Role,
    Verdict,
    now,
)
from app.quality.features import features
from tests.factory import Factory

TEAL, CREAM, RED = "#008080", "#fff4d6", "#d01010"


class Studio:
    """A set of three pictures whose colours are known, and a manager."""

    def __init__(self, make: Factory) -> None:
        self.make, self.session = make, make.session
        self.manager = make.user(Role.MANAGER, "Mori")
        self.set = make.finished_set(prompts="a fox\na red owl\nan acme pear", campaign="Autumn")
        self.images: list[Image] = list(self.set.images)
        self.style_id, self.campaign_id = self.images[0].style_id, self.set.campaign_id
        for image, colour in zip(self.images, (TEAL, RED, CREAM), strict=True):
            self.measure(image, colour)

    def measure(self, image: Image, colour: str) -> None:
        """As the background measuring does."""
        data = packed(features(Picture.new("RGB", (64, 64), colour)))
        row = self.session.get(PictureFeatures, image.id) or PictureFeatures(image_id=image.id)
        row.data = data
        self.session.add(row)
        measured = self.session.get_one(PictureMeasures, image.id)
        measured.due, measured.made_with = False, f"{colour}"
        self.session.flush()

    def save(self, seen: int = 0, of: Any = "style", **values: Any) -> BrandVersion | None:
        row_id = self.style_id if of == "style" else self.campaign_id
        return service.save(self.session, self.manager, of, row_id, BrandSpec.checked(values), seen)

    def score(self) -> list[float | None]:
        """Of each picture, as the background scoring leaves them."""
        while rows := scores.scored(self.session):
            scores.keep(self.session, rows)
        self.session.expire_all()
        found = queries.scores(self.session, [image.id for image in self.images])
        return [found[image.id].score if image.id in found else None for image in self.images]


@pytest.fixture
def studio(make: Factory) -> Studio:
    return Studio(make)


def test_pictures_are_scored_by_their_colours_and_again_when_the_rules_change(studio: Studio) -> None:
    assert studio.score() == [None, None, None]
    studio.save(colours=TEAL)
    assert studio.score() == [100, 0, 0]
    assert scores.scored(studio.session) == []
    studio.save(1, colours=f"{TEAL} {CREAM}", never=RED)
    assert studio.score() == [100, 0, 100]
    found = queries.scores(studio.session, [studio.images[1].id])[studio.images[1].id]
    assert found.parts == {"palette": 0, "never": 0}
    summary = queries.of_owner(studio.session, "style", studio.style_id)
    assert summary
    assert (summary.count, summary.score, summary.lowest[0][1]) == (3, 67, "a red owl")
    of_set = queries.of_set(studio.session, studio.set.id)
    assert of_set
    assert (of_set.count, of_set.mean, of_set.least) == (3, 67, 0)


def test_a_picture_is_scored_again_when_it_is_measured_again(studio: Studio) -> None:
    studio.save(colours=TEAL)
    assert studio.score()[0] == 100
    studio.measure(studio.images[0], RED)
    assert studio.score()[0] == 0


def test_a_campaign_replaces_the_palette_of_the_style(studio: Studio) -> None:
    studio.save(colours=TEAL)
    studio.save(of="campaign", colours=CREAM)
    assert studio.score() == [0, 0, 100]


def test_banned_words_are_found_however_they_are_written(studio: Studio) -> None:
    studio.save(words="ACME\nzenith")
    assert studio.score() == [100, 100, 0]


def test_required_checks_count_once_somebody_decided(studio: Studio) -> None:
    studio.save(colours=TEAL, checks=(1,))
    assert studio.score()[0] == 100
    studio.make.decide(studio.images[0])
    assert studio.score()[0] == 25  # the palette is kept; the checklist was not answered
    found = queries.scores(studio.session, [studio.images[0].id])[studio.images[0].id]
    assert found.parts == {"palette": 100, "checks": 0}


def test_a_required_checklist_that_was_deleted_since_is_not_asked_for(studio: Studio) -> None:
    studio.save(colours=TEAL, checks=(1,))
    studio.session.get_one(Checklist, 1).deleted_at = now()
    studio.make.decide(studio.images[0])
    assert studio.score()[0] == 100


def test_a_picture_that_is_not_measured_has_the_parts_that_are_known(studio: Studio) -> None:
    studio.session.get_one(PictureFeatures, studio.images[0].id).data = None
    studio.save(colours=TEAL, words="fox")
    assert studio.score()[0] == 0
    studio.save(1, colours=TEAL)
    assert studio.score()[0] is None


# Rules


def test_only_managers_change_rules(studio: Studio) -> None:
    for role in (Role.DESIGNER, Role.REVIEWER):
        with pytest.raises(Forbidden, match="Only managers"):
            service.save(
                studio.session,
                studio.make.user(role),
                "style",
                studio.style_id,
                BrandSpec.checked({"colours": TEAL}),
                0,
            )
    with pytest.raises(NotFound):
        service.save(studio.session, studio.manager, "campaign", 999, BrandSpec(), 0)


def test_versions_stay_and_can_be_restored(studio: Studio) -> None:
    studio.save(colours=TEAL)
    assert studio.save(1, colours=TEAL) is None
    studio.save(1, colours=CREAM)
    service.restore(studio.session, studio.manager, "style", studio.style_id, 1)
    versions = queries.versions(studio.session, studio.manager, "style", studio.style_id)
    assert [(each.number, queries.spec_of(each).colours) for each in versions] == [
        (3, (TEAL,)),
        (2, (CREAM,)),
        (1, (TEAL,)),
    ]
    acts = studio.session.scalars(select(AuditEvent).where(AuditEvent.act == Act.BRAND_CHANGE)).all()
    assert [event.details["version"] for event in acts] == [1, 2, 3]
    with pytest.raises(NotFound):
        service.restore(studio.session, studio.manager, "style", studio.style_id, 9)


def test_the_second_tab_does_not_overwrite_what_somebody_saved(studio: Studio) -> None:
    studio.save(colours=TEAL)
    with pytest.raises(Conflict, match="saved other rules"):
        studio.save(0, colours=CREAM)


def test_rules_that_are_emptied_score_nothing(studio: Studio) -> None:
    studio.save(colours=TEAL)
    studio.score()
    studio.save(1)
    assert studio.score() == [None, None, None]
    assert queries.of_set(studio.session, studio.set.id) is None


def test_rules_are_proposed_from_approved_pictures(studio: Studio) -> None:
    with pytest.raises(Conflict, match="No approved picture"):
        service.propose(studio.session, studio.manager, "style", studio.style_id)
    studio.make.decide(studio.images[0])
    studio.make.decide(studio.images[1], Verdict.REJECTED)
    spec, pictures = service.propose(studio.session, studio.manager, "campaign", studio.campaign_id)
    assert pictures == 1
    assert len(spec.colours) == 1
    assert spec.background == spec.colours
    studio.save(**spec.shown())
    assert studio.score()[:2] == [100, 0]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"colours": "teal"}, "colours"),
        ({"colours": " ".join(f"#{number:06x}" for number in range(17))}, "colours"),
        ({"background": f"{TEAL} {CREAM}"}, "background"),
        ({"size_least": "10"}, "size_least"),
        ({"size_least": "50", "size_most": "10"}, "size_least"),
        ({"place_x": "50"}, "place_x"),
        ({"tolerance": "0"}, "tolerance"),
        ({"words": "x" * 61}, "words"),
    ],
)
def test_rules_that_make_no_sense_are_refused(values: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as error:
        BrandSpec.checked(values)
    assert list(error.value.errors) == [field]


def test_a_checklist_that_was_deleted_is_refused(studio: Studio) -> None:
    with pytest.raises(Invalid) as error:
        studio.save(checks=(999,))
    assert list(error.value.errors) == ["checks"]


def test_colours_are_separated_as_japanese_keyboards_do() -> None:
    assert BrandSpec.checked({"colours": "＃００８０８０、#fff4d6，d01010；#000000"}).colours == (
        TEAL,
        CREAM,
        RED,
        "#000000",
    )


def test_what_is_stored_is_shown_again_in_the_form(session: Session) -> None:
    values = {
        "colours": f"{TEAL}, {CREAM[1:]}",
        "size_least": "5",
        "size_most": "40",
        "words": "acme\n\n acme \nzenith",
    }
    spec = BrandSpec.checked(values)
    assert spec.colours == (TEAL, CREAM)
    assert spec.words == ("acme", "zenith")
    assert BrandSpec.model_validate(spec.stored()) == spec
    assert BrandSpec.checked(spec.shown()) == spec
    assert session.scalars(select(BrandScore)).all() == []


def test_a_checklist_that_is_deleted_after_pictures_were_scored_counts_no_more(studio: Studio) -> None:
    own = customs.create(studio.session, studio.manager, "Own list")
    studio.session.flush()
    studio.make.decide(studio.images[0])
    studio.save(colours=TEAL, checks=(own.id,))
    assert studio.score()[0] == 25
    customs.delete(studio.session, studio.manager, own.id)
    assert studio.score()[0] == 100
    customs.restore(studio.session, studio.manager, own.id)
    assert studio.score()[0] == 25


def test_a_decision_that_comes_while_its_picture_is_scored_is_not_lost(studio: Studio) -> None:
    studio.save(colours=TEAL, checks=(1,))
    rows = scores.scored(studio.session)
    studio.make.decide(studio.images[0])
    scores.keep(studio.session, rows)
    assert studio.score()[0] == 25


def test_restored_rules_ask_for_no_checklist_that_was_deleted_since(studio: Studio) -> None:
    own = customs.create(studio.session, studio.manager, "Own list")
    studio.session.flush()
    studio.save(colours=TEAL, checks=(1, own.id))
    studio.save(1, colours=CREAM)
    customs.delete(studio.session, studio.manager, own.id)
    service.restore(studio.session, studio.manager, "style", studio.style_id, 1)
    newest = queries.newest(studio.session, "style", studio.style_id)
    assert queries.spec_of(newest).colours == (TEAL,)
    assert queries.spec_of(newest).checks == (1,)


def test_what_pictures_cannot_tell_stays_in_proposed_rules(studio: Studio) -> None:
    studio.make.decide(studio.images[0])
    kept = {
        "tolerance": "20",
        "palette_share": "50",
        "never": RED,
        "size_least": "10",
        "size_most": "50",
        "place_x": "40",
        "place_y": "60",
        "place_tolerance": "33",
        "words": "acme",
    }
    studio.save(colours=CREAM, **kept)
    spec, _ = service.propose(studio.session, studio.manager, "style", studio.style_id)
    assert spec.colours != (CREAM,), "the pictures tell it"
    assert {name: spec.shown()[name] for name in kept} == kept


@pytest.mark.parametrize("word", ["\u0301", "・", "!!!", "\u3164"])
def test_a_word_that_no_prompt_can_have_is_refused(word: str) -> None:
    with pytest.raises(Invalid) as error:
        BrandSpec.checked({"words": f"acme\n{word}"})
    assert list(error.value.errors) == ["words"]


def test_a_word_and_a_checklist_count_once() -> None:
    spec = BrandSpec.checked({"words": "ＡＣＭＥ\nzenith\nacme\nAcmé", "checks": (2, 1, 2)})
    assert (spec.words, spec.checks) == (("ＡＣＭＥ", "zenith"), (2, 1))


def test_more_pictures_than_are_read_are_not_believed(studio: Studio) -> None:
    spec = BrandSpec.checked({"colours": TEAL})
    made = service.save(studio.session, studio.manager, "style", studio.style_id, spec, 0, pictures=service.READ + 1)
    assert made
    assert made.pictures == 0
