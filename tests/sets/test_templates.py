"""Templates of the form of a set, and recent prompts."""

import pytest
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Role, TemplateKind
from app.sets import templates
from tests.factory import Factory

FORM = {"style": "SOR-7K2Q", "count": "4", "size": "256x256", "prompts": "a fox", "name": "Mine", "seed": "7"}


def names(session: Session, user: object) -> list[str]:
    return [each.name for each in templates.listed(session, user)]  # type: ignore[arg-type]


def test_a_template_keeps_settings_and_leaves_prompts(make: Factory, session: Session) -> None:
    user = make.user()
    made = templates.save(session, user, TemplateKind.SET, "  Autumn banners ", FORM)
    assert made.values == {"style": "SOR-7K2Q", "count": "4", "size": "256x256"}
    again = templates.save(session, user, TemplateKind.SET, "Autumn banners", FORM | {"count": "2"})
    assert (again.id, again.values["count"]) == (made.id, "2"), "saved again under its name"
    with pytest.raises(Invalid, match="Write a negative prompt first"):
        templates.save(session, user, TemplateKind.NEGATIVE, "Clean", {"negative_prompt": " "})
    templates.save(session, user, TemplateKind.NEGATIVE, "Autumn banners", {"negative_prompt": "text"})
    with pytest.raises(Invalid, match="Enter a name"):
        templates.save(session, user, TemplateKind.SET, " ", FORM)


def test_others_use_what_is_shared_and_managers_change_it(make: Factory, session: Session) -> None:
    owner, other, manager = make.user(name="Ada"), make.user(), make.user(Role.MANAGER)
    own = templates.save(session, owner, TemplateKind.SET, "Mine", FORM)
    shared = templates.save(session, owner, TemplateKind.SET, "Ours", FORM, shared=True)
    assert names(session, owner) == ["Mine", "Ours"]
    assert names(session, other) == ["Ours"]
    with pytest.raises(NotFound):
        templates.get(session, other, own.id)
    with pytest.raises(NotFound):
        templates.change(session, manager, own.id, "Theirs", True)
    with pytest.raises(Forbidden, match="Only Ada or a manager"):
        templates.remove(session, other, shared.id)
    templates.change(session, manager, shared.id, "Everyone's", True)
    assert names(session, other) == ["Everyone's"]
    with pytest.raises(Invalid, match="already a template"):
        templates.change(session, owner, shared.id, "Mine", True)


def test_a_deleted_template_can_be_restored(make: Factory, session: Session) -> None:
    user, other = make.user(), make.user()
    first = templates.save(session, user, TemplateKind.SET, "Autumn", FORM, shared=True)
    templates.remove(session, user, first.id)
    assert names(session, user) == []
    with pytest.raises(Forbidden):
        templates.restore(session, other, first.id)
    second = templates.save(session, user, TemplateKind.SET, "Autumn", FORM)
    with pytest.raises(Conflict, match="newer template"):
        templates.restore(session, user, first.id)
    templates.change(session, user, second.id, "Winter", False)
    templates.restore(session, user, first.id)
    assert names(session, user) == ["Autumn", "Winter"]


def test_recent_prompts_are_ones_own_each_once_and_removable(make: Factory, session: Session) -> None:
    user, other = make.user(), make.user()
    make.image_set(user, prompts="a fox\nan owl")
    make.image_set(user, prompts="a pear\na fox")
    assert [each.prompt for each in templates.recent(session, user)] == ["a pear", "a fox", "an owl"]
    assert templates.recent(session, other) == []
    fox = templates.recent(session, user)[1]
    templates.forget_prompt(session, other, fox.id)
    templates.forget_prompt(session, user, fox.id)
    assert [each.prompt for each in templates.recent(session, user)] == ["a pear", "an owl"]
    make.image_set(user, prompts="\n".join(f"thing {number}" for number in range(80)))
    kept = [each.prompt for each in templates.recent(session, user)]
    assert (len(kept), kept[0]) == (templates.RECENT, "thing 0")
