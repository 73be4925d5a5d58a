"""Lookalikes of a set: pairs and series that only colour tells apart, found once and remembered."""

from collections.abc import Sequence

import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from sqlalchemy.orm import Session

from app.files import Files, Kind
from app.models import ImageSet, Role, User, now
from app.quality.vision import Vision, seen_picture
from app.sets import alike
from app.sets.alike import Alike, ComparedPicture
from tests.factory import Factory, encoded

RED = (184, 80, 60)


def as_seen(vision: Vision) -> tuple[int, ...]:
    """Another colour, which is the same to `vision`."""
    found = seen_picture(Picture.new("RGB", (1, 1), RED), vision).getpixel((0, 0))
    assert isinstance(found, tuple)
    return found


def sign(ink: Sequence[int], at: int = 0) -> bytes:
    picture = Picture.new("RGB", (64, 64), "#f4f0e6")
    ImageDraw.Draw(picture).ellipse((at, at, at + 54, at + 54), fill=tuple(ink))
    return encoded(picture)


@pytest.fixture
def user(make: Factory) -> User:
    return make.user(Role.DESIGNER)


def painted(make: Factory, user: User, pictures: Sequence[bytes], **values: object) -> ImageSet:
    image_set = make.finished_set(user, **values)
    for image, png in zip(image_set.images, pictures, strict=True):
        image.sha256 = make.files.put(Kind.IMAGES, png)
    make.session.flush()
    return image_set


def test_a_pair_is_told_once_with_all_its_visions(make: Factory, session: Session, files: Files, user: User) -> None:
    black = sign((16, 16, 16))
    made = painted(make, user, [sign(RED), black, sign(as_seen(Vision.DEUTERANOPIA))], prompts="a\nb\nc")
    found = Alike(files).of(alike.pictures(session, user, made.id))
    assert [(pair.first.position, pair.second.position, pair.series) for pair in found.pairs] == [(1, 3, False)]
    assert Vision.DEUTERANOPIA in found.pairs[0].visions
    assert (found.compared, found.total) == (3, 3)


def test_series_are_told_instead_of_their_pictures(make: Factory, session: Session, files: Files, user: User) -> None:
    other = as_seen(Vision.DEUTERANOPIA)
    pictures = [sign(RED, 0), sign(RED, 8), sign(other, 0), sign(other, 8)]
    made = painted(make, user, pictures, prompts="red\ngreen", count=2)
    shown = alike.pictures(session, user, made.id)
    by_prompt = sorted(shown, key=lambda each: each.prompt == "green")
    for each, png in zip(by_prompt, pictures, strict=True):
        image = next(image for image in made.images if image.id == each.id)
        image.sha256 = files.put(Kind.IMAGES, png)
    session.flush()
    found = Alike(files).of(alike.pictures(session, user, made.id))
    assert [(pair.first.prompt, pair.second.prompt, pair.series) for pair in found.pairs] == [("red", "green", True)]


def test_deleted_and_unfinished_pictures_are_not_compared(
    make: Factory, session: Session, files: Files, user: User
) -> None:
    made = painted(make, user, [sign(RED), sign(as_seen(Vision.DEUTERANOPIA))], prompts="a\nb")
    made.images[1].deleted_at, made.images[1].shown = now(), False
    session.flush()
    assert [each.position for each in alike.pictures(session, user, made.id)] == [1]
    queued = make.image_set(user)
    session.flush()
    assert alike.pictures(session, user, queued.id) == []
    assert Alike(files).of([]).pairs == ()


def test_the_result_is_remembered_until_a_picture_changes(
    make: Factory, session: Session, files: Files, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = painted(make, user, [sign(RED), sign(as_seen(Vision.DEUTERANOPIA))], prompts="a\nb")
    finder, compared = Alike(files), []
    whole = finder._compare
    monkeypatch.setattr(finder, "_compare", lambda *asked: compared.append(asked) or whole(*asked))
    for _ in range(3):
        assert len(finder.of(alike.pictures(session, user, made.id)).pairs) == 1
    assert len(compared) == 1
    made.images[1].sha256 = files.put(Kind.IMAGES, sign((16, 16, 16)))
    session.flush()
    assert finder.of(alike.pictures(session, user, made.id)).pairs == ()
    assert len(compared) == 2


def test_a_lost_picture_is_left_out(make: Factory, session: Session, files: Files, user: User) -> None:
    made = painted(make, user, [sign(RED), sign(as_seen(Vision.DEUTERANOPIA))], prompts="a\nb")
    shown = alike.pictures(session, user, made.id)
    found = Alike(files).of([*shown, ComparedPicture(404, 3, "c", "0" * 64)])
    assert (len(found.pairs), found.compared, found.total) == (1, 2, 3)


def test_of_a_large_set_the_first_pictures_are_compared(
    make: Factory, session: Session, files: Files, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "MOST", 2)
    made = painted(make, user, [sign(RED)] * 2 + [sign(as_seen(Vision.DEUTERANOPIA))], prompts="a\nb\nc")
    found = Alike(files).of(alike.pictures(session, user, made.id))
    assert (found.pairs, found.compared, found.total) == ((), 2, 3)
