"""Regions of a set: what is refused, what is stored, and what the engine gets."""

import json
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.files import Files, Kind
from app.models import ImageSet, State, Unit
from app.pictures import Limits
from app.sets import masks, service, units
from app.sets.ingredients import regions
from app.sets.ingredients.base import SetRequest
from app.sets.spec import SetSpec
from app.styles import service as styles
from tests.factory import MODEL, Factory, encoded

BOX = [0.5, 0, 0.5, 1]


def painted(fill: int = 255) -> bytes:
    picture = Image.new("L", (512, 512))
    ImageDraw.Draw(picture).ellipse((100, 100, 300, 300), fill=fill)
    return encoded(picture)


def asked(*parts: dict[str, object]) -> str:
    return json.dumps([{"prompt": "a fox", **part} for part in parts])


def problem(make: Factory, session: Session, *parts: dict[str, object]) -> str | None:
    spec = make.spec(regions=asked(*parts))
    return regions.problem(SetRequest(session, make.user(), spec, MODEL, make.files))


def claimed(session: Session, image_set: ImageSet) -> Unit:
    unit = session.query(Unit).filter_by(set_id=image_set.id).one()
    unit.state = State.GENERATING
    for image in unit.images:
        image.state = State.GENERATING
    session.flush()
    return unit


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({}, "Region 1 needs either a box or a painted mask."),
        ({"box": BOX, "mask": "a" * 64}, "Region 1 needs either a box or a painted mask."),
        ({"box": [0.5, 0, 0.6, 1]}, "Region 1 reaches beyond the picture."),
        ({"box": [0.1, 0.1, 0.01, 0.5]}, "Region 1 is too small: a box is at least 5 % of the picture wide and high."),
        ({"mask": "a" * 64}, "The mask of region 1 is not on the server. Paint it again."),
        ({"box": BOX, "style_code": "SOR-0000"}, "There is no style 'SOR-0000' for region 1. It may be archived."),
    ],
)
def test_what_is_wrong_is_a_sentence(session: Session, make: Factory, part: dict[str, object], sentence: str) -> None:
    assert problem(make, session, part) == sentence


def test_an_archived_style_is_refused(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    part = {"box": BOX, "style_code": style.code}
    assert problem(make, session, part) is None
    styles.archive(session, user, style)
    session.flush()
    assert problem(make, session, {"box": BOX}, part) is not None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nonsense", "regions"),
        (asked({"box": [0, 0, 2, 1]}), "regions"),
        (asked({"box": BOX, "strength": 3}), "regions"),
        (asked({"box": BOX, "prompt": " "}), "regions"),
        (asked({"mask": "../../etc/passwd"}), "regions"),
        (asked(*[{"box": BOX}] * 9), "regions"),
    ],
)
def test_nonsense_in_the_field_is_refused(make: Factory, text: str, name: str) -> None:
    with pytest.raises(Invalid) as raised:
        make.spec(regions=text)
    assert list(raised.value.errors) == [name]


def test_masks_are_kept_by_their_content(make: Factory) -> None:
    one = masks.keep(make.files, painted(), Limits())
    assert masks.keep(make.files, painted(), Limits()) == one
    with Image.open(make.files.path(Kind.MAPS, one)) as mask:
        assert (mask.mode, mask.size, mask.getpixel((200, 200)), mask.getpixel((0, 0))) == ("L", (512, 512), 255, 0)
    with pytest.raises(Invalid, match="The mask is empty"):
        masks.keep(make.files, painted(fill=20), Limits())


def test_the_engine_gets_each_regions_look(session: Session, make: Factory, files: Files) -> None:
    mask = masks.keep(files, painted(), Limits())
    neon = make.style(text="neon sign", strength=1.3, scale=0.8, reference_queries=0.5)
    own = make.style(text="watercolour", strength=0.9)
    image_set = make.image_set(
        style=own,
        seamless="on",
        size="512x64",
        regions=asked(
            {"box": BOX, "style_code": neon.code.lower()},
            {"mask": mask},
            {"box": BOX, "strength": 0.4},
            {"box": BOX, "style_code": neon.code, "strength": 0.7},
        ),
    )
    styles.add_version(session, neon.owner, neon, make.draft(text="changed"))
    unit = units.engine_unit(session, claimed(session, image_set), files)
    assert unit.seamless
    of_neon, of_set, weaker, weaker_neon = unit.regions
    assert (of_neon.prompt, of_neon.strength, of_neon.scale) == ("a fox, neon sign", 1.3, 0.8)
    assert (of_neon.options.reference_queries, of_set.options.reference_queries) == (0.5, 0.0)
    assert (of_neon.box, of_neon.mask) == ((0.5, 0, 0.5, 1), None)
    assert [r.path for r in of_neon.references] != [r.path for r in unit.references]
    assert (of_set.prompt, of_set.references) == ("a fox, watercolour", ())
    assert (of_set.box, of_set.mask) == (None, files.path(Kind.MAPS, mask))
    assert ([r.path for r in weaker.references], weaker.strength) == ([r.path for r in unit.references], 0.4)
    assert (weaker_neon.references, weaker_neon.strength) == (of_neon.references, 0.7)


def test_a_set_can_be_duplicated(session: Session, make: Factory) -> None:
    neon = make.style()
    image_set = make.image_set(regions=asked({"box": BOX, "style_code": neon.code}, {"box": BOX, "strength": 0.4}))
    again = regions.asked(session, image_set)
    spec = SetSpec.from_form({"style": neon.code, "prompts": "a fox", "regions": json.dumps(again)}, MODEL)
    assert regions.stored(SetRequest(session, image_set.owner, spec, MODEL)) == image_set.regions
    assert [part.style for part in regions.shown(session, image_set)] == [neon.name, ""]


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ("512x16", "Height must be a multiple of 32 px from 64 to 512"),
        ("513x64", "Width must be a multiple of 32 px"),
    ],
)
def test_sizes(make: Factory, size: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        make.image_set(size=size)


def test_a_30_to_1_panorama_and_too_many_pixels_are_refused(session: Session, make: Factory) -> None:
    model = replace(MODEL, max_side=4096, max_pixels=400_000)

    def error(size: str) -> str:
        with pytest.raises(Invalid) as raised:
            service.create(session, make.user(), make.spec(size=size), model, 4)
        return raised.value.errors["size"]

    assert error("1920x64") == (
        "A picture is at most 16 times as long as it is high or wide; 1920 × 64 is 30 times as long."
    )
    assert error("1024x512") == "A picture has at most 0.4 megapixels here; 1024 × 512 is more."
    assert service.create(session, make.user(), make.spec(size="1024x64"), model, 4)


def test_a_custom_size(make: Factory) -> None:
    spec = make.spec(size="custom", width=512, height=96)
    assert (spec.width, spec.height) == (512, 96)
    with pytest.raises(Invalid) as raised:
        make.spec(size="custom", width="wide", height="")
    assert raised.value.errors == {"size": "The size is width x height in pixels, such as 1024x768; 'widex' was given."}


def test_a_subject_named_in_a_region_is_its_phrase_to_the_engine(session: Session, make: Factory, files: Files) -> None:
    subject = make.finished_subject()
    image_set = make.image_set(regions=asked({"prompt": f"@{subject.handle} at night", "box": BOX}))
    unit = units.engine_unit(session, claimed(session, image_set), files)
    assert unit.regions[0].prompt.startswith(f"{subject.phrase} at night")
    assert [given.weight for given in unit.subjects] == [1.0]
