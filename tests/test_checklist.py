"""First steps: by role, ticked by what really happened, and gone when all are done."""

import pytest
from sqlalchemy.orm import Session

from app import checklist
from app.audit.service import record
from app.checklist import STEPS
from app.models import Act, Role, User
from app.samples import service as samples
from tests.factory import Factory

BY_ROLE = {
    Role.DESIGNER: ["style", "set", "comment", "export"],
    Role.REVIEWER: ["review", "comment"],
    Role.MANAGER: ["style", "set", "review", "export", "rules"],
    Role.ADMIN: ["style", "set", "review", "export", "rules", "invite", "factor", "backup"],
}
DOES = {
    "style": Act.STYLE_CREATE,
    "set": Act.SET_CREATE,
    "review": Act.DECIDE,
    "comment": Act.COMMENT,
    "export": Act.EXPORT,
    "rules": Act.CAMPAIGN_CHANGE,
    "invite": Act.ACCOUNT_INVITE,
    "factor": Act.FACTOR_ADD,
    "backup": Act.BACKUP,
}
OF_THE_TEAM = {"rules", "backup"}


def open_steps(session: Session, user: User) -> list[str]:
    session.flush()
    left = {step.label for step in checklist.steps(session, user) if not step.done}
    return [step.name for step in STEPS if step.label in left]


@pytest.mark.parametrize("role", Role)
def test_each_role_has_its_own_and_the_list_ends_by_itself(session: Session, make: Factory, role: Role) -> None:
    user = make.user(role)
    assert open_steps(session, user) == BY_ROLE[role]
    for number, name in enumerate(BY_ROLE[role], start=1):
        assert len(checklist.steps(session, user)) == len(BY_ROLE[role])
        record(session, None if name == "backup" else user, DOES[name], user)
        assert open_steps(session, user) == BY_ROLE[role][number:]
    assert checklist.steps(session, user) == []


def test_what_others_did_counts_only_for_the_team(session: Session, make: Factory) -> None:
    user, other = make.user(Role.ADMIN), make.user(Role.ADMIN)
    for act in DOES.values():
        record(session, other, act, other)
    assert open_steps(session, user) == [
        name
        for name in BY_ROLE[Role.ADMIN]
        if name not in OF_THE_TEAM | {"invite"}  # there is somebody else
    ]


def test_a_sample_ticks_nothing(session: Session, make: Factory) -> None:
    user = make.user(Role.MANAGER)
    samples.open_sample(session, user, samples.store(make.files))
    assert open_steps(session, user) == BY_ROLE[Role.MANAGER]


def test_hidden_until_it_is_wanted_again(session: Session, make: Factory) -> None:
    user = make.user()
    session.flush()
    checklist.show(session, user, shown=False)
    assert checklist.steps(session, user) == []
    checklist.show(session, user, shown=True)
    assert open_steps(session, user) == BY_ROLE[Role.DESIGNER]
