import json
from typing import Any

import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Forbidden, Invalid, NotFound
from app.files import Files, Kind
from app.models import Act, AuditEvent, ImageSet, MapKind, State, StructureMap, Unit, User
from app.sets import units
from app.structures import queries, service
from tests.engine.painter import Painter
from tests.factory import MODEL, Factory, encoded, png

SIZE = (256, 256)


def drawing(size: tuple[int, int] = (300, 300), place: int = 80) -> bytes:
    picture = Picture.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle((place, 90, place + 90, 200), fill="navy")
    return encoded(picture)


@pytest.fixture
def user(make: Factory) -> User:
    return make.user()


def keep(
    session: Session, files: Files, user: User, data: bytes | None = None, kind: MapKind = MapKind.EDGES, **how: Any
) -> StructureMap:
    kept, _ = service.draw(user, files, data or drawing(), kind, engine=Painter(), **{"size": SIZE} | how)
    made = service.add(session, user, kept, "chair.png")
    session.flush()
    return made


def choice(*maps: StructureMap, **how: Any) -> str:
    return json.dumps([{"control": str(maps[0].kind), "maps": [each.id for each in maps], **how}])


# Storing maps


def test_a_map_is_made_kept_and_recorded(session: Session, files: Files, user: User) -> None:
    made = keep(session, files, user)
    assert (made.kind, made.width, made.height, made.original_name) == (MapKind.EDGES, 256, 256, "chair.png")
    with Picture.open(files.path(Kind.MAPS, made.sha256)) as kept:
        assert kept.mode == "L"
        assert kept.size == (256, 256)
    assert files.thumbnail(made.sha256, 320).exists()
    assert made.source_sha256 not in (None, made.sha256)
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.MAP_UPLOAD)).one()
    assert (event.subject_id, event.user_id) == (made.id, user.id)
    assert event.details == {"name": "chair.png", "kind": "edges"}


def test_the_same_map_is_kept_once(session: Session, files: Files, user: User) -> None:
    assert keep(session, files, user).id == keep(session, files, user).id
    assert keep(session, files, user, kind=MapKind.SILHOUETTE).id != keep(session, files, user).id


def test_a_ready_map_is_kept_as_it_is(session: Session, files: Files, user: User) -> None:
    lines = Picture.new("L", (400, 200))
    ImageDraw.Draw(lines).line((0, 0, 399, 199), fill=255)
    made = keep(session, files, user, encoded(lines), ready=True)
    assert made.source_sha256 is None
    with Picture.open(files.path(Kind.MAPS, made.sha256)) as kept:
        assert kept.tobytes() == lines.tobytes()


def test_a_transparent_pictures_silhouette_is_its_own(session: Session, files: Files, user: User) -> None:
    clear = Picture.new("RGBA", (512, 512))
    ImageDraw.Draw(clear).ellipse((100, 100, 400, 400), fill="white")  # on white, nothing would show
    made = keep(session, files, user, encoded(clear), MapKind.SILHOUETTE)
    with Picture.open(files.path(Kind.MAPS, made.sha256)) as kept:
        assert kept.tobytes() == clear.getchannel("A").tobytes()


def test_other_files_than_pictures_are_refused(session: Session, files: Files, user: User) -> None:
    with pytest.raises(Invalid, match="SVG"):
        keep(session, files, user, b"<svg></svg>")


def test_a_closed_account_keeps_nothing(session: Session, files: Files, make: Factory) -> None:
    with pytest.raises(Forbidden):
        keep(session, files, make.user(active=False))
    with pytest.raises(NotFound):
        queries.get(session, make.user(active=False), keep(session, files, make.user()).id)


def test_a_crop_is_a_new_map_in_the_pictures_shape(session: Session, files: Files, user: User) -> None:
    wide = keep(session, files, user, drawing((600, 300), place=250))
    kept = service.crop(files, wide, SIZE)
    assert kept
    part = service.add(session, user, kept, wide.original_name, cropped_from=wide.id)
    session.flush()
    assert part.id != wide.id
    assert (part.width, part.height) == (256, 256)
    assert service.crop(files, part, (320, 320)) is None  # nothing to cut off


def test_the_newest_maps_of_a_kind(session: Session, files: Files, user: User) -> None:
    first = keep(session, files, user)
    second = keep(session, files, user, drawing(place=120))
    other = keep(session, files, user, kind=MapKind.SILHOUETTE)
    assert [each.id for each in queries.recent(session, user, MapKind.EDGES)] == [second.id, first.id]
    assert [each.id for each in queries.recent(session, user)] == [other.id, second.id, first.id]


# Using them in sets


def test_a_set_keeps_its_structures_and_hands_them_to_the_engine(
    session: Session, files: Files, make: Factory, user: User
) -> None:
    given = keep(session, files, user)
    image_set = make.image_set(user, structures=choice(given, weight=0.6, end=0.5))
    session.flush()
    (unit,) = claimed_units(session, image_set)
    (structure,) = units.engine_unit(session, unit, files).structures
    assert structure.control == "edges"
    assert structure.maps == (files.path(Kind.MAPS, given.sha256),)
    assert (structure.weight, structure.start, structure.end) == (0.6, 0, 0.5)
    (used,) = queries.of_set(session, image_set)
    assert (used.kind, [each.id for each in used.maps], used.weight, used.end) == ("edges", [given.id], 0.6, 0.5)


def test_every_image_gets_the_map_of_its_prompt(session: Session, files: Files, make: Factory, user: User) -> None:
    """In units that do not start at a prompt, and when a retry has fewer images."""
    a, b = keep(session, files, user), keep(session, files, user, drawing(place=150))
    image_set = make.image_set(user, unit_size=3, prompts="a fox\na teapot", count=3, structures=choice(a, b))
    session.flush()
    first, second = claimed_units(session, image_set)
    path_of = {"a fox": files.path(Kind.MAPS, a.sha256), "a teapot": files.path(Kind.MAPS, b.sha256)}

    def prompts_of_maps(unit: Unit) -> list[str]:
        made = units.engine_unit(session, unit, files)
        prompts = [image.prompt for image in made.images]
        assert made.structures[0].maps == tuple(path_of[prompt] for prompt in prompts)
        return prompts

    assert sorted(prompts_of_maps(first)) == ["a fox", "a fox", "a teapot"]
    assert sorted(prompts_of_maps(second)) == ["a fox", "a teapot", "a teapot"]
    second.images[0].state, second.images[0].shown = State.FINISHED, True
    assert len(prompts_of_maps(second)) == 2


def claimed_units(session: Session, image_set: ImageSet) -> list[Unit]:
    found = session.query(Unit).filter_by(set_id=image_set.id).order_by(Unit.id).all()
    for unit in found:
        for image in unit.images:
            image.state = State.GENERATING
    return found


@pytest.mark.parametrize(
    ("prompts", "count", "sentence"),
    [
        ("a fox\na teapot\na car", 2, "There are 2 maps of edges for 3 prompts; give one for all, or one for each"),
        ("a fox", 2, "There are 2 maps of edges for 1 prompt; give one for all, or one for each"),
    ],
)
def test_a_number_of_maps_that_fits_no_prompts(
    session: Session, files: Files, make: Factory, user: User, prompts: str, count: int, sentence: str
) -> None:
    given = [keep(session, files, user, drawing(place=80 + 20 * i)) for i in range(count)]
    assert sentence in refusal(make, user, prompts=prompts, structures=choice(*given))


def test_a_map_of_another_shape(session: Session, files: Files, make: Factory, user: User) -> None:
    wide = keep(session, files, user, drawing((600, 300)))
    assert refusal(make, user, structures=choice(wide)) == (
        "The map chair.png is 512 × 256 px and pictures of 256 × 256 would distort it: "
        "crop the map or choose 384 × 192."
    )
    make.image_set(user, size="512x256", structures=choice(wide))


def test_a_shape_a_little_off_is_stretched(session: Session, files: Files, make: Factory, user: User) -> None:
    make.image_set(user, structures=choice(keep(session, files, user, drawing((300, 292)))))
    refusal(make, user, structures=choice(keep(session, files, user, drawing((300, 280)))))


def test_a_kind_that_the_model_does_not_follow(session: Session, files: Files, make: Factory, user: User) -> None:
    given = keep(session, files, user, ready=True, kind=MapKind.DEPTH)
    sentence = refusal(make, user, structures=choice(given))
    assert sentence == "The loaded model follows edges and silhouette only; remove the structure of 'depth'."


@pytest.mark.parametrize("lost", [99, 0, -1, 10**17])
def test_a_map_that_is_not_there(make: Factory, user: User, lost: int) -> None:
    asked = json.dumps([{"control": "edges", "maps": [lost]}])
    assert f"There is no map {lost};" in refusal(make, user, structures=asked)


def test_a_map_of_another_kind_than_its_control(session: Session, files: Files, make: Factory, user: User) -> None:
    given = keep(session, files, user, kind=MapKind.SILHOUETTE)
    asked = json.dumps([{"control": "edges", "maps": [given.id]}])
    assert refusal(make, user, structures=asked) == "The map chair.png shows silhouette, not edges."


def test_steps_that_end_before_they_start(session: Session, files: Files, make: Factory, user: User) -> None:
    given = keep(session, files, user)
    sentence = refusal(make, user, structures=choice(given, start=0.8, end=0.2))
    assert sentence == "A structure starts before it ends; from 0.8 to 0.2 was given."


@pytest.mark.parametrize("asked", ["{", '[{"control": "edges"}]', '[{"control": "edges", "maps": [1], "weight": 3}]'])
def test_requests_that_no_page_sends_are_refused(make: Factory, user: User, asked: str) -> None:
    assert refusal(make, user, structures=asked)


def refusal(make: Factory, user: User, **values: Any) -> str:
    with pytest.raises(Invalid) as refused:
        make.image_set(user, **values)
    assert list(refused.value.errors) == ["structures"]
    return refused.value.errors["structures"]


def test_the_size_that_a_map_fits() -> None:
    for width, height in ((512, 256), (300, 300), (1000, 1600)):
        wide, high = service.fitting_size(width, height, MODEL) or (0, 0)
        assert wide % MODEL.size_multiple == high % MODEL.size_multiple == 0
        assert abs(wide / high / (width / height) - 1) < 0.045
    assert service.fitting_size(300, 300, MODEL) == (256, 256)
    assert service.fitting_size(10, 4000, MODEL) is None


def test_png_of_one_colour_has_no_silhouette(session: Session, files: Files, user: User) -> None:
    with pytest.raises(Invalid, match="No subject"):
        keep(session, files, user, png(), MapKind.SILHOUETTE)


def test_a_depth_map_comes_from_the_engine(session: Session, files: Files, user: User) -> None:
    made = keep(session, files, user, kind=MapKind.DEPTH)
    with Picture.open(files.path(Kind.MAPS, made.sha256)) as kept:
        assert (kept.mode, kept.size) == ("L", (made.width, made.height))
    assert made.source_sha256
