"""Stating, withdrawing and restoring rights, and their effects."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.audit import queries as audit
from app.audit import words
from app.days import today
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.files import Files, Kind
from app.models import Act, Reference, RightsRecord, Role, State, Unit, User
from app.rights import queries, service
from app.rights.spec import Reason, RightsSpec
from app.rights.standing import ENDING_DAYS, Held, Standing, standing
from app.sets import service as sets
from app.sets import units
from app.styles import service as styles
from app.work import queue
from tests.factory import MODEL, Factory, png

TODAY = date(2026, 11, 23)
GONE = Reason(reason="The owner asked us to stop")
DAYS = st.none() | st.dates()


def draft(**values: object) -> RightsSpec:
    return RightsSpec.parse({"owned_by": "Mori Design Studio", "licence": "Commissioned", **values})


def record(**values: object) -> RightsRecord:
    return RightsRecord(**{"owned_by": "Mori", "licence": "CC BY", "withdrawn": False, **values})


def state(session: Session, user: User, reference: Reference, **values: object) -> RightsRecord:
    """Record rights, starting from the current record."""
    standing = queries.held(session, reference).record
    made = service.save(session, user, reference, draft(**values), standing.id if standing else None)
    session.flush()
    return made


def reference_of(session: Session, make: Factory, user: User) -> Reference:
    return queries.reference(session, user, make.reference(user).id)


# The status of rights


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, Standing("unstated")),
        (record(), Standing("valid")),
        (record(owned_by=""), Standing("unstated")),
        (record(valid_until=date(2026, 12, 8)), Standing("valid", date(2026, 12, 8), 15)),
        (record(valid_until=date(2026, 12, 7)), Standing("ending", date(2026, 12, 7), 14)),
        (record(valid_until=TODAY), Standing("ending", TODAY, 0)),
        (record(valid_until=date(2026, 11, 22)), Standing("ended", date(2026, 11, 22))),
        (record(valid_from=TODAY), Standing("valid")),
        (record(valid_from=date(2026, 11, 24)), Standing("not_yet", date(2026, 11, 24))),
        (
            record(withdrawn=True, valid_until=date(2020, 1, 1), created_at=datetime(2026, 11, 20, 23, tzinfo=UTC)),
            Standing("withdrawn", date(2026, 11, 20)),
        ),
    ],
)
def test_standing(given: RightsRecord | None, found: Standing) -> None:
    assert standing(given, TODAY) == found


@given(first=DAYS, last=DAYS, day=st.dates())
def test_a_right_holds_on_its_days_and_on_no_other(first: date | None, last: date | None, day: date) -> None:
    found = standing(record(valid_from=first, valid_until=last), day)
    assert found.usable == ((first or date.min) <= day <= (last or date.max))
    if found.usable and last:
        assert day + timedelta(days=found.days_left or 0) == last
        assert (found.kind == "ending") == (found.days_left <= ENDING_DAYS)  # type: ignore[operator]
    row = record(valid_from=first, valid_until=last, made_by=User(name="Ito", active=True))
    assert (Held(1, "a.png", row, found).refusal is None) == found.usable


@given(first=DAYS, last=DAYS, day=st.dates())
def test_a_withdrawn_right_holds_on_no_day(first: date | None, last: date | None, day: date) -> None:
    row = record(valid_from=first, valid_until=last, withdrawn=True, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert standing(row, day).kind == "withdrawn"


# Stating


def test_a_change_is_the_next_record(session: Session, make: Factory) -> None:
    user = make.user()
    reference = reference_of(session, make, user)
    first = state(session, user, reference, valid_until="2026-12-31")
    assert state(session, user, reference, valid_until="2026-12-31") is first, "nothing new was said"
    state(session, user, reference, valid_until="2027-12-31", territory=" Japan ")
    newest, oldest = queries.changes(session, user, reference.id)
    assert oldest.record is first
    assert newest.fields == [("Territory", "", "Japan"), ("Until", "31 Dec 2026", "31 Dec 2027")]
    assert [event.act for event in audit.of(session, reference)][:2] == [Act.RIGHTS_SAVE] * 2
    first.licence = "CC0"
    with pytest.raises(RuntimeError, match="rights_records rows are only ever added"):
        session.flush()


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"owned_by": " "}, "owned_by", "Owned by is missing."),
        ({"licence": ""}, "licence", "Licence is missing."),
        ({"valid_until": "31.12."}, "valid_until", "Write a date as 2026-12-31; '31.12.' was given."),
        ({"source_url": "javascript:alert(1)"}, "source_url", "begins with https://"),
        ({"source_url": "https://["}, "source_url", "begins with https://"),
        ({"territory": "x" * 201}, "territory", "Territory has 201 characters; at most 200 fit."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(values: dict[str, object], field: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        draft(**values)
    assert sentence in caught.value.errors[field]


def test_a_right_does_not_end_before_it_begins(session: Session, make: Factory) -> None:
    user = make.user()
    with pytest.raises(Invalid, match="would expire on 2026-01-01, before they start"):
        state(session, user, reference_of(session, make, user), valid_from="2026-02-01", valid_until="2026-01-01")


def test_who_may_change(session: Session, make: Factory) -> None:
    uploader, owner, other = make.user(), make.user(), make.user()
    reference = reference_of(session, make, uploader)
    make.style(owner, reference=reference)
    for user in (uploader, make.user(Role.MANAGER), make.user(Role.ADMIN)):
        assert service.may_change(user, reference)
    for user in (other, owner, make.user(Role.REVIEWER), make.user(Role.MANAGER, active=False)):
        assert not service.may_change(user, reference)
    for act in (
        lambda: service.save(session, other, reference, draft(), None),
        lambda: service.withdraw(session, other, reference, GONE),
        lambda: service.restore(session, other, reference, GONE, None),
        lambda: service.add_file(session, other, reference, service.keep_document(make.files, b"%PDF-1.7"), "a.pdf"),
        lambda: service.remove_file(session, other, reference, 1),
    ):
        with pytest.raises(Forbidden, match=f"Only {uploader.name}, who uploaded"):
            act()


def test_what_the_file_says_is_suggested(session: Session, make: Factory) -> None:
    user = make.user(name="Mori Haruka")
    reference = reference_of(session, make, user)
    assert service.suggested(reference)["supplied_by"] == "Mori Haruka"
    reference.rights = {"creator": "Ito", "copyright": "© Ito Studio", "credit": "Agency"}
    values = service.suggested(reference)
    assert (values["owned_by"], values["supplied_by"]) == ("© Ito Studio", "Agency")


# Concurrent changes


def test_concurrent_statements_are_not_overwritten(session: Session, make: Factory) -> None:
    user, other = make.user(name="Mori Haruka"), make.user(Role.MANAGER, "Ito Kenji")
    reference = reference_of(session, make, user)
    first = state(session, user, reference)
    second = state(session, other, reference, licence="CC BY", valid_until="2027-12-31")
    mine = draft(note="Ask the agency")
    sentence = (
        r"^Ito Kenji just changed “Licence” and “Until” of these rights, on .* UTC\. Check the changes, then save "
    )
    with pytest.raises(Conflict, match=sentence):
        service.save(session, user, reference, mine, first.id)
    with pytest.raises(Conflict, match=r"^You and Ito Kenji just recorded these rights, last on "):
        service.save(session, user, reference, mine, None)
    assert queries.held(session, reference).record is second
    service.save(session, user, reference, mine, second.id)
    session.flush()
    held = queries.held(session, reference).record
    assert held
    assert (held.licence, held.note) == ("Commissioned", "Ask the agency")


def test_typed_and_current_values_are_merged(session: Session, make: Factory) -> None:
    user = make.user()
    reference = reference_of(session, make, user)
    first = state(session, user, reference, territory="Japan", note="Old")
    state(session, user, reference, territory="Worldwide", note="New", allows="Print", valid_until="2027-12-31")
    found = queries.later_changes(session, reference.id, first.id)
    assert found
    mine = draft(territory="Japan", note="Mine", allows="Print")
    expected = {"territory": "Worldwide", "note": "Mine", "allows": "Print", "valid_until": "2027-12-31"}
    assert found.merged(mine).items() >= {"owned_by": "Mori Design Studio", **expected}.items()
    assert found.current_values(mine) == {
        "territory": "Changed by someone else and updated here. Before: Japan",
        "note": "Current value: New",
        "valid_until": "Changed by someone else and updated here. Before: nothing",
    }


def test_equivalent_changes_are_no_conflict(session: Session, make: Factory) -> None:
    """Then nothing is lost: a change and its reversal, a restored withdrawal, or the same statement by both."""
    user = make.user()
    reference = reference_of(session, make, user)
    first = state(session, user, reference)
    state(session, user, reference, territory="Japan")
    assert service.save(session, user, reference, draft(territory="Japan"), first.id).territory == "Japan"
    state(session, user, reference)
    service.restore(session, user, reference, GONE, service.withdraw(session, user, reference, GONE).id)
    assert service.save(session, user, reference, draft(note="Mine"), first.id).note == "Mine"


def test_withdrawing_and_restoring_changes_nothing(session: Session, make: Factory) -> None:
    user, other, third = make.user(), make.user(Role.MANAGER, "Ito Kenji"), make.user(Role.MANAGER, "Sato Aoi")
    reference = reference_of(session, make, user)
    first = state(session, user, reference)
    state(session, other, reference, licence="CC BY")
    service.restore(session, third, reference, GONE, service.withdraw(session, third, reference, GONE).id)
    with pytest.raises(Conflict, match=r"^Ito Kenji just changed “Licence” of these rights, on "):
        service.save(session, user, reference, draft(note="Mine"), first.id)


def test_a_record_of_another_reference_does_not_count_as_seen(session: Session, make: Factory) -> None:
    user = make.user()
    reference, other = reference_of(session, make, user), reference_of(session, make, user)
    state(session, user, reference)
    theirs = state(session, user, other)
    with pytest.raises(Conflict, match="You just recorded these rights"):
        service.save(session, user, reference, draft(note="Mine"), theirs.id)


# Withdrawing


def test_withdrawn_and_restored(session: Session, make: Factory) -> None:
    user = make.user(name="Mori Haruka")
    reference = reference_of(session, make, user)
    state(session, user, reference, territory="Japan")
    with pytest.raises(Conflict, match="are not withdrawn"):
        service.restore(session, user, reference, GONE, None)
    withdrawal = service.withdraw(session, user, reference, GONE)
    with pytest.raises(Conflict, match="are already withdrawn"):
        service.withdraw(session, user, reference, GONE)
    with pytest.raises(Conflict, match=r"You withdrew these rights on .* UTC\. Restore them first"):
        state(session, user, reference)
    held = queries.held(session, reference)
    assert held.standing.kind == "withdrawn"
    assert "(The owner asked us to stop), so nothing new can be made" in str(held.refusal)
    assert str(held.refusal).endswith("Ask Mori Haruka or a manager about it.")
    service.restore(session, user, reference, Reason(reason="A mistake"), withdrawal.id)
    held = queries.held(session, reference)
    assert (held.standing.kind, held.record and held.record.territory) == ("valid", "Japan")
    told = [words.did(event) for event in audit.of(session, reference)]
    assert told[:3] == ["restored the rights to", "withdrew the rights to", "recorded the rights to"]


def test_unrecorded_rights_can_be_withdrawn_too(session: Session, make: Factory) -> None:
    user = make.user()
    reference = reference_of(session, make, user)
    withdrawal = service.withdraw(session, user, reference, GONE)
    assert queries.held(session, reference).standing.kind == "withdrawn"
    service.restore(session, user, reference, GONE, withdrawal.id)
    assert queries.held(session, reference).standing.kind == "unstated"


def test_another_withdrawal_is_not_reversed_unseen(session: Session, make: Factory) -> None:
    user, other = make.user(), make.user(Role.MANAGER, "Ito Kenji")
    reference = reference_of(session, make, user)
    seen = service.withdraw(session, user, reference, GONE)
    service.restore(session, other, reference, GONE, seen.id)
    again = service.withdraw(session, other, reference, Reason(reason="The shop closed"))
    with pytest.raises(Conflict, match=r"^You withdrew these rights again on .* Check it first"):
        service.restore(session, other, reference, Reason(reason="A mistake"), seen.id)
    assert queries.held(session, reference).standing.kind == "withdrawn"
    assert not service.restore(session, other, reference, GONE, again.id).withdrawn


# Effects of an ended right


@pytest.fixture
def owner(make: Factory) -> User:
    return make.user(name="Mori Haruka")


def end(session: Session, user: User, reference: Reference) -> None:
    yesterday = today() - timedelta(days=1)
    state(session, user, reference, valid_until=yesterday.isoformat())


def test_a_style_is_not_used_once_a_right_has_ended(session: Session, make: Factory, owner: User) -> None:
    style = make.style(owner)
    reference = style.versions[0].references[0].reference
    image_set = make.image_set(owner, style)
    unit = queue.claim_next(session)
    assert unit
    assert units.engine_unit(session, unit, make.files).images
    end(session, owner, reference)
    sentence = (
        rf"The rights to the reference {reference.original_name} expired on .* Mori Haruka or a manager to renew it\."
    )
    with pytest.raises(Conflict, match=sentence):
        units.engine_unit(session, unit, make.files)
    with pytest.raises(Invalid, match=sentence) as caught:
        make.image_set(owner, style)
    assert caught.value.field == "style"
    queue.fail_unit(session, unit.id, "It ended.")
    with pytest.raises(Conflict, match=sentence):
        sets.retry_set(session, owner, image_set.id, 4)
    with pytest.raises(Conflict, match=sentence):
        sets.retry_image(session, owner, image_set.images[0].id)
    assert session.query(Unit).filter_by(state=State.QUEUED).count() == 0
    state(session, owner, reference)
    assert sets.retry_set(session, owner, image_set.id, 4) == 2


def test_not_in_a_region_either(session: Session, make: Factory, owner: User) -> None:
    style, other = make.style(owner), make.style(owner)
    region = {"prompt": "a fox", "box": [0, 0, 0.5, 0.5], "style_code": other.code}
    spec = make.spec(style, regions=json.dumps([region]))
    sets.create(session, owner, spec, MODEL, 4)
    session.flush()
    unit = queue.claim_next(session)
    assert unit
    service.withdraw(session, owner, other.versions[0].references[0].reference, GONE)
    with pytest.raises(Invalid, match="Region 1: The rights to the reference") as caught:
        sets.create(session, owner, spec, MODEL, 4)
    assert caught.value.field == "regions"
    with pytest.raises(Conflict, match="were withdrawn on"):
        units.engine_unit(session, unit, make.files)


def test_no_style_is_made_from_it(session: Session, make: Factory, owner: User) -> None:
    style = make.style(owner)
    reference = style.versions[0].references[0].reference
    end(session, owner, reference)
    with pytest.raises(Invalid, match="expired on") as caught:
        make.style(owner, reference=reference)
    assert caught.value.field == "picture"
    with pytest.raises(Invalid, match="expired on"):
        styles.add_version(session, owner, style, make.draft(reference, strength=1.5))
    styles.add_version(session, owner, style, make.draft(reference, name="Another name"))
    assert style.name == "Another name", "a name needs no right"
    styles.add_version(session, owner, style, make.draft(make.reference(owner)))
    assert make.image_set(owner, style), "the newest version counts"


# Files


@pytest.mark.parametrize(
    ("data", "name", "media_type", "saved_as"),
    [
        (b"%PDF-1.7 ...", "contract 0419.PDF", "application/pdf", "contract-0419.pdf"),
        (png(), "../../consent.exe", "image/png", "consent.png"),
        ("同意書\r\n".encode(), r"C:\papers\同意書.html", "text/plain", "同意書.txt"),
    ],
)
def test_a_file_is_what_it_contains(
    session: Session, make: Factory, owner: User, data: bytes, name: str, media_type: str, saved_as: str
) -> None:
    reference = reference_of(session, make, owner)
    row = service.add_file(session, owner, reference, service.keep_document(make.files, data), name)
    session.flush()
    assert (row.media_type, service.download_name(row)) == (media_type, saved_as)
    assert make.files.document(row.sha256).read_bytes() == data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"MZ\x90\0\x03", "not a PDF, PNG, JPEG, WebP or plain text"),
        (b"RIFF\0\0\0\0WAVE", "not a PDF"),
        (b"%PDF-" + bytes(service.FILE_BYTES), "larger than 20 MB"),
    ],
)
def test_other_files_than_licences_are_refused(
    session: Session, make: Factory, owner: User, files: Files, data: bytes, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        service.add_file(
            session, owner, reference_of(session, make, owner), service.keep_document(files, data), "a.pdf"
        )
    assert not list(files.root.glob("rights/*")), "nothing half-done stays behind"


def test_a_lost_file_is_back_once_it_is_sent_again(session: Session, make: Factory, owner: User, files: Files) -> None:
    reference = reference_of(session, make, owner)
    row = service.add_file(session, owner, reference, service.keep_document(files, b"%PDF-1"), "a.pdf")
    session.flush()
    files.path(Kind.RIGHTS, row.sha256).unlink()
    with pytest.raises(Invalid, match=r"had lost this file\. It is back, as a\.pdf\."):
        service.add_file(session, owner, reference, service.keep_document(files, b"%PDF-1"), "b.pdf")
    assert files.flaw(Kind.RIGHTS, row.sha256) is None


def test_a_removed_file_is_hidden_and_its_bytes_stay(
    session: Session, make: Factory, owner: User, files: Files
) -> None:
    reference = reference_of(session, make, owner)
    row = service.add_file(session, owner, reference, service.keep_document(files, b"%PDF-1"), "a.pdf")
    session.flush()
    with pytest.raises(Invalid, match=r"already here, as a\.pdf"):
        service.add_file(session, owner, reference, service.keep_document(files, b"%PDF-1"), "b.pdf")
    service.note_download(session, owner, reference, row.id)
    service.remove_file(session, owner, reference, row.id)
    session.flush()
    assert queries.files(session, owner, reference.id) == []
    with pytest.raises(NotFound):
        service.note_download(session, owner, reference, row.id)
    with pytest.raises(NotFound):
        queries.file(session, owner, make.reference().id, row.id)
    assert files.document(row.sha256).is_file()
    acts = [event.act for event in audit.of(session, reference)]
    assert acts[:3] == [Act.RIGHTS_FILE_REMOVE, Act.RIGHTS_FILE_DOWNLOAD, Act.RIGHTS_FILE_ADD]
