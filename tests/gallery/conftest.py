"""A gallery of random pictures, and the same rules in plain Python to compare queries with."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from app.gallery.search import PictureFilter, words
from app.models import Image, ImageTag, Role, Star, State, User, Verdict, now
from app.ranking import rank
from app.sets.queries import NOT_REVIEWED
from tests.factory import Factory

PROMPTS = [
    "a fox",
    "A Fox on a table",
    "an owl, 100% awake",
    'a 6" disc',
    "snake_case and 'quotes'",
    "SQL -- ; OR 1=1 * NEAR(",
    "露のついたぶどうの房",
    "花火",
    "夏の花火と猫",
    "猫",
    "🦊 fox 👨‍👩‍👧 family",
    "backslash \\ and a ^ hat",
    "seed 42 or 4242",
    "café Élan",
]
DRAWN_AS = {"花火": "fireworks", "猫": "a cat, 100%", "夏の花火と猫": "fireworks and a fox"}
WORDS = [
    "fox", "FOX", "owl", "100%", "%", "_", "e_c", '"', '6"', "'", "--", "OR", "*", "NEAR(", "prompt:fox", "ぶどう",
    "花火", "猫", "の", "🦊", "👨‍👩‍👧", "\\", "^", "42", "4242", "70", "7", "afé", "zebra", "zz", "a", "OW", "_c", "0%",
    "works", "ca",
]  # fmt: skip
DAY = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Gallery:
    images: list[Image]  # all of them, shown or not
    people: list[User]
    stars: set[tuple[int, int]]  # user id, image id
    tags: dict[int, set[str]]
    codes: dict[int, str]  # of styles, by id
    references: dict[int, set[int]]  # of sets, by id

    def wanted(self, user: User, wanted: PictureFilter) -> list[Image]:
        """The pictures that match a filter, in order."""
        left = [image for image in self.images if image.shown and self.fits(image, user, wanted)]
        left.sort(key=lambda image: image.id, reverse=not wanted.oldest)
        ranked = " ".join(word.text for word in words(wanted.q) if not word.only_code)
        return sorted(left, key=lambda image: -rank(f"{texts(image)} {image.seed}", ranked))

    def fits(self, image: Image, user: User, wanted: PictureFilter) -> bool:
        day = image.finished_at.date() if image.finished_at else None
        return (
            (not wanted.decision or (image.decision or NOT_REVIEWED) in wanted.decision)
            and (not wanted.style or self.codes[image.style_id] in wanted.style)
            and (not wanted.campaign or image.campaign_id in wanted.campaign)
            and (not wanted.owner or image.owner_id in wanted.owner)
            and (not wanted.tag or bool(self.tags.get(image.id, set()) & set(wanted.tag)))
            and (wanted.set is None or image.set_id == wanted.set)
            and (wanted.reference is None or wanted.reference in self.references[image.set_id])
            and (not wanted.starred or (user.id, image.id) in self.stars)
            and (wanted.since is None or (day is not None and day >= wanted.since))
            and (wanted.until is None or (day is not None and day <= wanted.until))
            and all(self.says(image, word) for word in wanted.q.split())
        )

    def says(self, image: Image, word: str) -> bool:
        if len(word) == 1 and word.isascii() and not word.isdecimal():
            return True  # no filter
        code = self.codes[image.style_id]
        if word.upper() == code:
            return True
        seed = word.isascii() and word.isdecimal() and image.seed == int(word)
        named = f"SOR-{word.upper()}" == code
        return word.lower() in texts(image).lower() or seed or named


def texts(image: Image) -> str:
    """As typed, and as drawn."""
    return " ".join(filter(None, (image.prompt, image.drawn_as)))


@pytest.fixture(scope="module")
def strewn(tmp_path_factory: pytest.TempPathFactory, migrated: object) -> Iterator[Factory]:
    """A factory on one database for all tests of a module, which only read."""
    import shutil
    from pathlib import Path

    from app.database import Database
    from app.files import Files
    from app.settings import Settings

    settings = Settings(data=tmp_path_factory.mktemp("gallery"))
    shutil.copy(Path(str(migrated)), settings.data)
    database = Database(settings)
    with Session(database.engine.execution_options(writes=True), expire_on_commit=False) as session:
        yield Factory(session, Files(settings.data / "files"))
    database.close()


@pytest.fixture(scope="module")
def gallery(strewn: Factory) -> Gallery:
    chance = random.Random(7)
    people = [strewn.user(Role.MANAGER if not n else Role.DESIGNER) for n in range(3)]
    styles = [strewn.style(name=f"Style {n}") for n in range(3)]
    images: list[Image] = []
    for number in range(8):
        prompts = "\n".join(chance.sample(PROMPTS, 6))
        values = {"prompts": prompts, "campaign": f"Campaign {number % 3}", "seed": 70 + number}
        made = strewn.image_set(chance.choice(people), chance.choice(styles), **values)
        images += made.images
    strewn.session.flush()
    for image in images:
        strew(image, chance)
    strewn.session.flush()
    stars = {(person.id, image.id) for person in people for image in images if chance.random() < 0.2}
    tags = {image.id: set(chance.sample(["hero", "秋", "print"], chance.randrange(3))) for image in images}
    strewn.session.add_all(Star(user_id=user, image_id=image) for user, image in stars)
    strewn.session.add_all(ImageTag(image_id=id, tag=tag, added_by_id=1) for id, some in tags.items() for tag in some)
    strewn.session.commit()
    return Gallery(
        images,
        people,
        stars,
        tags,
        {style.id: style.code for style in styles},
        {image.set_id: {use.reference_id for use in image.image_set.style_version.references} for image in images},
    )


def strew(image: Image, chance: random.Random) -> None:
    """Give an image a random state."""
    image.drawn_as = DRAWN_AS.get(image.prompt)
    if chance.random() < 0.1:
        return
    image.state, image.sha256, image.bytes = State.FINISHED, f"{image.id:064x}", 1
    image.finished_at = DAY + timedelta(hours=chance.randrange(24 * 6))
    image.superseded = chance.random() < 0.1
    image.deleted_at = now() if chance.random() < 0.1 else None
    image.shown = not image.superseded and image.deleted_at is None
    image.decision = chance.choice([None, None, *Verdict])
