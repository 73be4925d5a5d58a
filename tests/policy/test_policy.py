"""The usage policy: its versions, who must accept which, and what changed between two."""

from time import process_time

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.models import Act, AuditEvent, PolicyAcceptance, Role, User
from app.policy import queries, service
from app.policy.blocks import Block, blocks
from app.policy.service import PolicySpec
from tests import clock
from tests.factory import Factory


def publish(session: Session, admin: User, english: str = "Be kind.", seen: int = 0, **values: object) -> int:
    made = service.publish(session, admin, PolicySpec.parse({"english": english, "seen": seen, **values}))
    session.flush()
    return made.number


def needs(session: Session, token: str) -> bool:
    session.flush()
    session.expire_all()
    found = accounts.login_for_token(session, token)
    assert found
    assert (accounts.user_for_token(session, token) is None) == found.needs_policy
    assert bool(accounts.people_of_tokens(session, [token])) != found.needs_policy
    return found.needs_policy


def test_everyone_accepts_each_version_but_no_correction(session: Session, make: Factory) -> None:
    admin, person, other = make.user(Role.ADMIN), make.user(), make.user()
    token, of_other = (accounts.start_session(session, each) for each in (person, other))
    assert not needs(session, token), "without a policy nothing is asked"
    publish(session, admin)
    assert needs(session, token)
    service.accept(session, person, 1, "ja")
    assert not needs(session, token)
    assert needs(session, of_other), "what one accepts, another has not"
    publish(session, admin, "Be kinder.", 1, correction=True, note="A word")
    assert not needs(session, token), "a correction asks nobody again"
    assert needs(session, of_other), "but those who have not accepted the version before"
    service.accept(session, other, 2, "en")
    assert not needs(session, of_other)
    publish(session, admin, "Be kindest.", 2)
    assert needs(session, token)
    assert needs(session, of_other)
    service.end(session, admin, 3)
    assert not needs(session, token), "an ended policy asks nothing"
    publish(session, admin, "Be kind again.", 4)
    assert needs(session, token)


def test_who_accepted_what_and_when_is_shown_and_recorded(session: Session, make: Factory) -> None:
    admin, person = make.user(Role.ADMIN), make.user()
    closed = make.user(active=False)
    publish(session, admin, japanese="親切に。")
    given = service.accept(session, person, 1, "ja")
    assert service.accept(session, person, 1, "en") is given, "twice is once"
    session.flush()
    event = session.scalars(select(AuditEvent).filter_by(act=Act.POLICY_ACCEPT)).one()
    assert (event.user_id, event.subject, event.subject_id) == (person.id, "policy_versions", given.version_id)
    assert event.details == {"version": 1, "language": "ja"}
    rows = {row.person.id: row for row in queries.standings(session, admin)}
    assert closed.id not in rows
    assert (rows[person.id].acceptance, rows[person.id].asked) == (given, False)
    assert (rows[admin.id].acceptance, rows[admin.id].asked) == (None, True)
    assert queries.counts(session, admin) == (1, 2)
    publish(session, admin, "Be kind to all.", 1)
    assert queries.counts(session, admin) == (0, 2)
    rows = {row.person.id: row for row in queries.standings(session, admin)}
    assert (rows[person.id].acceptance, rows[person.id].asked) == (given, True)


def test_what_was_not_read_cannot_be_accepted(session: Session, make: Factory) -> None:
    admin, person = make.user(Role.ADMIN), make.user()
    with pytest.raises(Conflict):
        service.accept(session, person, 1, "en")
    publish(session, admin)
    publish(session, admin, "Be kinder.", 1)
    with pytest.raises(Conflict, match="changed while you read it"):
        service.accept(session, person, 1, "en")
    assert service.accept(session, person, 2, "ja").language == "en", "there is no other text to read"
    service.end(session, admin, 2)
    with pytest.raises(Conflict):
        service.accept(session, person, 3, "en")
    assert session.query(PolicyAcceptance).count() == 1


def test_only_administrators_publish_and_nobody_over_another(session: Session, make: Factory) -> None:
    admin, other, manager = make.user(Role.ADMIN, "Aoki"), make.user(Role.ADMIN), make.user(Role.MANAGER)
    for act in (
        lambda: publish(session, manager),
        lambda: service.end(session, manager, 0),
        lambda: queries.standings(session, manager),
        lambda: queries.counts(session, manager),
    ):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(Conflict, match="no policy to end"):
        service.end(session, admin, 0)
    with pytest.raises(Conflict, match="no policy to correct"):
        publish(session, admin, correction=True, note="A word")
    publish(session, admin)
    for act in (lambda: publish(session, other, "Mine."), lambda: service.end(session, other, 0)):
        with pytest.raises(Conflict, match="Aoki published version 1 since"):
            act()
    with pytest.raises(Conflict, match="exactly this"):
        publish(session, other, seen=1)
    with pytest.raises(NotFound):
        queries.version(session, admin, 2)


def test_a_version_is_refused_with_all_its_faults() -> None:
    with pytest.raises(Invalid) as refused:
        PolicySpec.checked(" \n ", "あ" * 20_001, "x" * 301, False, 0)
    assert list(refused.value.errors) == ["japanese", "note"]
    with pytest.raises(Invalid, match="at least one language"):
        PolicySpec.checked("", "", "", False, 0)
    with pytest.raises(Invalid, match="what you corrected"):
        PolicySpec.checked("Be kind.", "", "", True, 1)
    with pytest.raises(Invalid, match="lines"):
        PolicySpec.checked("a\n" * 501 + "a", "", "", False, 0)


def test_the_text_is_in_the_readers_language_or_the_only_one(session: Session, make: Factory) -> None:
    admin = make.user(Role.ADMIN)
    publish(session, admin, japanese="親切に。")
    both = queries.present(session)
    assert both
    assert queries.text_of(both, "ja") == ("ja", "親切に。")
    assert queries.text_of(both, "en") == queries.text_of(both, "fr") == ("en", "Be kind.")
    publish(session, admin, seen=1)
    only = queries.present(session)
    assert only
    assert queries.text_of(only, "ja") == ("en", "Be kind.")


def test_marks_make_headings_and_lists_and_everything_else_is_text() -> None:
    text = "# Use\nBe kind.\nAlways.\n\n- No logos\n・実在の人物\n2. Ask\n#hashtag <b>\n\nLast -"
    assert blocks(text) == [
        Block("heading", ["Use"]),
        Block("paragraph", ["Be kind.", "Always."]),
        Block("list", ["No logos", "実在の人物"]),
        Block("numbered", ["Ask"]),
        Block("paragraph", ["#hashtag <b>"]),
        Block("paragraph", ["Last -"]),
    ]


def test_two_versions_are_compared_line_by_line() -> None:
    found = queries.compared("Use\n\nBe kind.\nNo logos", "Use\n\nBe kinder.\nNo logos\nAsk")
    assert [(line.kind, line.text) for line in found] == [
        ("same", "Use"),
        ("removed", "Be kind."),
        ("added", "Be kinder."),
        ("same", "No logos"),
        ("added", "Ask"),
    ]


def test_the_longest_versions_are_compared_in_little_time() -> None:
    lines = service.TEXT_LINES
    for before, after in ((["a"] * lines, ["a", "b"] * (lines // 2)), (list(map(str, range(lines))), ["x"] * lines)):
        began = process_time()
        queries.compared("\n".join(before), "\n".join(after))
        assert not clock.exceeds(process_time() - began, 0.5)
