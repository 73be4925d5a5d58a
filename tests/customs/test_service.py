"""Managers edit checklists: every change is a version, and the original comes back."""

import pytest
from sqlalchemy.orm import Session

from app.customs import queries, service
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import speaking
from app.models import Role, User
from app.reviews import requirements
from tests.factory import Factory

JAPAN = 1


@pytest.fixture
def manager(make: Factory) -> User:
    return make.user(Role.MANAGER, "Mori")


def keys(session: Session) -> list[str]:
    return [item.key for item in queries.required(session, [JAPAN])[JAPAN].items]


def test_the_lists_of_the_markets_are_there_in_the_language_of_now(session: Session, manager: User) -> None:
    names = [each.name for each in queries.listed(session, manager)]
    assert names == ["Japan", "China", "South Korea", "European Union", "United States", "Gulf states"]
    with speaking("ja"):
        shown = queries.listed(session, manager)[0]
    assert shown.name == "日本"
    assert shown.by_key["four-nine"].text.startswith("贈り物")


def test_only_managers_edit(session: Session, make: Factory) -> None:
    reviewer = make.user(Role.REVIEWER)
    for act in (
        lambda: service.create(session, reviewer, "Brand"),
        lambda: service.add(session, reviewer, JAPAN, "other", "No logo.", "Because."),
        lambda: service.remove(session, reviewer, JAPAN, "four-nine"),
        lambda: service.restore_version(session, reviewer, JAPAN, 0),
    ):
        with pytest.raises(Forbidden, match="Only managers"):
            act()


def test_items_are_added_changed_removed_and_restored_and_versions_are_kept(session: Session, manager: User) -> None:
    original = keys(session)
    own = service.add(session, manager, JAPAN, "other", " No logos of others. ", "They belong to others.", "Brand book")
    assert keys(session) == [*original, own]
    service.remove(session, manager, JAPAN, "four-nine")
    seen = queries.view(queries.row(session, manager, JAPAN)).by_key["kimono"].stamp
    service.change(session, manager, JAPAN, "kimono", seen, "dress", "Left over right.", "Tradition.")
    shown = queries.view(queries.row(session, manager, JAPAN))
    assert "four-nine" not in shown.by_key
    assert (shown.by_key["kimono"].text, shown.by_key["kimono"].delivered) == ("Left over right.", False)
    assert shown.by_key[own].text == "No logos of others."
    assert shown.version == 3
    with pytest.raises(Conflict, match="just changed"):
        service.change(session, manager, JAPAN, "kimono", seen, "dress", "Other.", "Other.")
    service.restore_item(session, manager, JAPAN, "kimono")
    service.restore_item(session, manager, JAPAN, "four-nine")
    assert keys(session) == [*original, own]
    assert queries.view(queries.row(session, manager, JAPAN)).by_key["kimono"].stamp == seen
    service.restore_version(session, manager, JAPAN, 2)
    assert "four-nine" not in keys(session)
    service.restore_version(session, manager, JAPAN, 0)
    assert keys(session) == original
    assert [each.number for each in queries.versions(session, manager, JAPAN)] == [7, 6, 5, 4, 3, 2, 1]


def test_what_cannot_be_stored_is_a_sentence(session: Session, manager: User) -> None:
    with pytest.raises(Invalid) as refused:
        service.add(session, manager, JAPAN, "nonsense", " ", "w" * 501, "")
    assert refused.value.errors.keys() == {"topic", "text", "why"}
    existing = queries.view(queries.row(session, manager, JAPAN)).items[0].text
    with pytest.raises(Invalid, match="already in"):
        service.add(session, manager, JAPAN, "other", existing.upper(), "Why.")
    with pytest.raises(NotFound):
        service.remove(session, manager, JAPAN, "nothing")
    with pytest.raises(NotFound):
        service.restore_item(session, manager, JAPAN, "own-1")
    with pytest.raises(NotFound):
        service.restore_version(session, manager, JAPAN, 9)
    with pytest.raises(Invalid, match="already a checklist"):
        service.create(session, manager, "japan")


def test_own_lists_are_created_renamed_and_deleted_unless_required(
    session: Session, make: Factory, manager: User
) -> None:
    brand = service.create(session, manager, "Brand")
    session.flush()
    campaign_id = make.image_set(manager, campaign="Spring").campaign_id
    with pytest.raises(Invalid, match="no items yet"):
        requirements.require(session, manager, campaign_id, [brand.id])
    service.add(session, manager, brand.id, "other", "The logo has its margin.", "The brand book says so.")
    requirements.require(session, manager, campaign_id, [brand.id])
    with pytest.raises(Conflict, match="Spring requires Brand"):
        service.delete(session, manager, brand.id)
    requirements.require(session, manager, campaign_id, [])
    service.rename(session, manager, brand.id, "House style")
    service.delete(session, manager, brand.id)
    assert "House style" not in [each.name for each in queries.listed(session, manager)]
    with pytest.raises(Conflict, match="Restore it first"):
        service.add(session, manager, brand.id, "other", "x", "y")
    newer = service.create(session, manager, "House style")
    session.flush()
    with pytest.raises(Conflict, match="newer checklist"):
        service.restore(session, manager, brand.id)
    service.delete(session, manager, newer.id)
    service.restore(session, manager, brand.id)
    with pytest.raises(Conflict, match="comes with Soroe"):
        service.delete(session, manager, JAPAN)
