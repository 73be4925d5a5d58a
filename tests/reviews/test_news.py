"""What others did, in sentences for the review room."""

import pytest
from sqlalchemy.orm import Session

from app.models import Image, ImageSet, Role, User
from app.reviews import news, queries, service
from app.reviews.news import News
from app.sets import versions
from app.sets.versions import RedoSpec
from tests.factory import MODEL, Factory


@pytest.fixture
def image_set(make: Factory) -> ImageSet:
    return make.finished_set(make.user(name="Mori Haruka"), prompts="a fox\na teapot")


@pytest.fixture
def me(make: Factory) -> User:
    return make.user(Role.REVIEWER, "佐藤 美咲")


@pytest.fixture
def ito(make: Factory) -> User:
    return make.user(Role.MANAGER, "Ito Kenji")


def heard(session: Session, user: User, set_id: int, before: int) -> int:
    """The latest event that the open room of `user` hears of, which knows all up to `before`."""
    return max(before, news.of_others(news.latest(session, user, set_id), user))


def told(session: Session, user: User, image: Image, after: int) -> list[str]:
    return [each.words for each in news.told(session, user, image, after)]


def test_what_others_did_to_the_picture_and_its_set(session: Session, image_set: ImageSet, me: User, ito: User) -> None:
    fox, teapot = image_set.images
    before = news.known(session)
    service.decide(session, ito, fox.id, "rejected", None, "Off the look")
    said = service.comment(session, ito, teapot.id, "Elsewhere")
    assert told(session, me, fox, before) == ["Ito Kenji rejected this picture."]
    assert told(session, me, teapot, before) == ["Ito Kenji commented on this picture."]
    assert heard(session, me, image_set.id, before) == news.known(session)
    between = news.known(session)
    service.resolve(session, ito, said.thread_id)
    service.lock(session, ito, image_set.id)
    sentences = ["Ito Kenji resolved a comment on this picture.", "Ito Kenji locked the decisions of this set."]
    assert told(session, me, teapot, between) == sentences
    assert told(session, me, fox, between) == sentences[1:]
    assert told(session, me, fox, news.known(session)) == []


def test_own_acts_and_other_sets_are_not_news(
    session: Session, make: Factory, image_set: ImageSet, me: User, ito: User
) -> None:
    other = make.finished_set()
    before = news.known(session)
    fox = image_set.images[0]
    service.decide(session, me, fox.id, "approved", None)
    service.comment(session, ito, other.images[0].id, "Hello")
    service.lock(session, ito, other.id)
    assert heard(session, me, image_set.id, before) == before
    assert told(session, me, fox, before) == []
    assert told(session, ito, fox, before) == ["佐藤 美咲 approved this picture."]


def test_mentioned_people_are_notified(session: Session, image_set: ImageSet, me: User, ito: User) -> None:
    fox = image_set.images[0]
    before = news.known(session)
    service.comment(session, ito, fox.id, "@佐藤 美咲, the ear?")
    assert told(session, me, fox, before) == ["Ito Kenji mentioned you in a comment on this picture."]
    assert told(session, image_set.owner, fox, before) == ["Ito Kenji commented on this picture."]


def test_versions(session: Session, make: Factory, image_set: ImageSet, me: User) -> None:
    fox = image_set.images[0]
    before = news.known(session)
    (second,) = versions.redo(session, image_set.owner, fox.id, RedoSpec(prompt="a red fox"), MODEL, 1)
    make.finish(image_set)
    asked = News("Mori Haruka", "Mori Haruka redid this picture.")
    assert news.told(session, me, fox, before) == [asked, News("", "Version 2 of this picture is finished.")]
    assert told(session, me, second, before)[-1] == "This picture is finished."
    service.comment(session, image_set.owner, fox.id, "The first was better")
    assert told(session, me, second, before)[-1] == "Mori Haruka commented on version 1 of this picture."


def test_the_latest_are_reported_and_each_sentence_once(
    session: Session, image_set: ImageSet, me: User, ito: User
) -> None:
    fox = image_set.images[0]
    before = news.known(session)
    service.lock(session, ito, image_set.id)
    service.unlock(session, ito, image_set.id)
    for body in "abc":
        thread = service.comment(session, ito, fox.id, body).thread_id
    service.resolve(session, ito, thread)
    assert told(session, me, fox, before) == [
        "Ito Kenji unlocked the decisions of this set.",
        "Ito Kenji commented on this picture.",
        "Ito Kenji resolved a comment on this picture.",
    ]


def test_a_closed_account_hears_nothing(session: Session, image_set: ImageSet, me: User, ito: User) -> None:
    before = news.known(session)
    service.comment(session, ito, image_set.images[0].id, "Hello")
    me.active = False
    session.flush()
    assert heard(session, me, image_set.id, before) == before
    assert told(session, me, image_set.images[0], before) == []


def test_whose_decision_was_withdrawn(
    session: Session, make: Factory, image_set: ImageSet, me: User, ito: User
) -> None:
    fox, manager = image_set.images[0], make.user(Role.MANAGER, "Max Manager")
    mine = service.decide(session, me, fox.id, "approved", None)
    session.flush()
    before = news.known(session)
    service.withdraw(session, manager, mine.id)
    assert told(session, me, fox, before) == ["Max Manager withdrew your decision on this picture."]
    assert told(session, ito, fox, before) == ["Max Manager withdrew 佐藤 美咲’s decision on this picture."]
    own = service.decide(session, manager, fox.id, "approved", queries.latest(session, fox.id).id)  # type: ignore[union-attr]
    session.flush()
    before = news.known(session)
    service.withdraw(session, manager, own.id)
    assert told(session, me, fox, before) == ["Max Manager withdrew the decision on this picture."]


def test_another_number_of_approvals(session: Session, make: Factory, image_set: ImageSet, me: User, ito: User) -> None:
    other = make.finished_set(campaign="Winter")
    before = news.known(session)
    service.set_approvals(session, ito, image_set.campaign_id, 2)
    assert heard(session, me, image_set.id, before) == news.known(session)
    assert heard(session, me, other.id, before) == before
    sentence = "Ito Kenji set the approvals needed in this campaign to 2."
    assert told(session, me, image_set.images[0], before) == [sentence]
    assert told(session, me, other.images[0], before) == []
    assert told(session, ito, image_set.images[0], before) == []
