"""How much one person may use per day, counted where it is used."""

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from app import days
from app.database import Database
from app.errors import Invalid
from app.exports import service as exports
from app.exports.options import ExportOptions
from app.files import Files
from app.models import HELD, Role, Usage, User, What
from app.quotas import queries, service
from app.quotas.service import Full, Spent
from app.sets import masks, versions
from app.sets import service as sets
from app.sets.versions import RedoSpec
from app.settings import Settings
from app.styles import service as styles
from app.subjects import service as subjects
from tests.factory import MODEL, Factory, png

ROOMY = {str(what): 10_000_000 for what in What}


@pytest.fixture
def person(make: Factory) -> User:
    make.session.info["quotas"] = {}
    return make.user()


def limit(make: Factory, **most: int) -> None:
    make.session.info["quotas"] = {**ROOMY, **most}


def used(make: Factory, user: User) -> dict[What, int]:
    return {what: share.used for what, share in queries.uses(make.session, user).items() if share.used}


def test_every_quota_is_a_setting_and_every_setting_a_quota() -> None:
    assert set(Settings(_env_file=None).quotas) == {str(what) for what in What}
    assert all(Settings(_env_file=None).quotas.values()), "each has a sensible default"


def test_a_set_counts_itself_and_its_pictures(make: Factory, person: User) -> None:
    style = make.style(make.user())
    limit(make, pictures=5)
    make.image_set(person, style, prompts="a fox\na cat", count=2)
    assert used(make, person) == {What.SETS: 1, What.PICTURES: 4}
    with pytest.raises(Spent) as refusal:
        make.image_set(person, style, prompts="a fox\na cat")
    assert str(refusal.value) == (
        "You have made 4 of 5 pictures today, so 1 is left and 2 pictures are too many; "
        "the count resets at midnight, 00:00 UTC."
    )
    assert refusal.value.field == "form"
    assert 0 < refusal.value.retry_after <= 86_400
    make.session.rollback()


def test_when_nothing_is_left_it_says_so(make: Factory, person: User) -> None:
    limit(make, trainings=2)
    for _ in range(2):
        service.take(make.session, person, "form", {What.TRAININGS: 1})
    with pytest.raises(Spent, match="You have begun 2 of 2 trainings today; the count resets at midnight"):
        service.take(make.session, person, "form", {What.TRAININGS: 1})


def test_new_versions_count_and_retries_do_not(make: Factory, person: User) -> None:
    image_set = make.finished_set(person, prompts="a fox")
    before = used(make, person)[What.PICTURES]
    draft = RedoSpec.parse({"prompt": "a red fox", "strength": 1, "count": 2})
    versions.redo(make.session, person, image_set.images[0].id, draft, MODEL, 4)
    assert used(make, person)[What.PICTURES] == before + 2
    failed = make.image_set(person, prompts="a cat")
    sets.cancel(make.session, person, failed.id)
    sets.retry_set(make.session, person, failed.id, 4)
    assert used(make, person)[What.PICTURES] == before + 3, "what failed is made again for nothing"
    limit(make, pictures=before + 3)
    with pytest.raises(Spent) as refusal:
        versions.redo(make.session, person, image_set.images[0].id, draft, MODEL, 4)
    assert refusal.value.field == "count", "the form shows it, with what was typed"


def test_uploads_count_by_number_and_bytes_and_what_is_kept_is_held(make: Factory, person: User, files: Files) -> None:
    data = png()
    reference = styles.upload_reference(make.session, person, styles.keep_picture(person, files, data), "a.png")
    assert used(make, person) == {What.UPLOADS: 1, What.UPLOAD_BYTES: len(data), What.STORAGE: reference.bytes}
    styles.upload_reference(make.session, person, styles.keep_picture(person, files, data), "a.png")
    assert used(make, person)[What.UPLOADS] == 2
    assert used(make, person)[What.STORAGE] == reference.bytes, "the same picture is kept once"
    masks.note(make.session, person, "0" * 64, 100, 100)
    subjects.note_pictures(make.session, person, [10, 20], 30)
    make.structure_map(person)
    assert used(make, person)[What.UPLOADS] >= 5
    limit(make, storage=used(make, person)[What.STORAGE] + 50)
    with pytest.raises(Full, match=r"You have .* allowed, and this file has 100 bytes; ask an admin"):
        masks.note(make.session, person, "1" * 64, 100, 100)
    limit(make, upload_bytes=used(make, person)[What.UPLOAD_BYTES])
    with pytest.raises(Spent, match=r"You have uploaded .* today"):
        subjects.note_pictures(make.session, person, [1000], 1000)


def test_trainings_and_exports_count(make: Factory, person: User) -> None:
    make.subject(person)
    assert used(make, person)[What.TRAININGS] == 1
    image_set = make.finished_set(person, prompts="a fox\na cat")
    for image in image_set.images:
        make.decide(image)
    wanted = exports.selection(make.session, person, set_id=image_set.id)
    exports.create(make.session, person, exports.plan(make.session, person, wanted, ExportOptions()))
    exports.create(make.session, person, exports.plan(make.session, person, wanted, ExportOptions()))
    assert (used(make, person)[What.EXPORTS], used(make, person)[What.EXPORT_PICTURES]) == (1, 2), (
        "one is there already"
    )
    limit(make, export_pictures=3)
    with pytest.raises(Spent, match="You have exported 2 of 3 pictures today, so 1 is left"):
        exports.create(
            make.session, person, exports.plan(make.session, person, wanted, ExportOptions.parse({"format": "jpeg"}))
        )


def test_zero_means_no_limit_and_administrators_have_none(make: Factory, person: User) -> None:
    limit(make, sets=0, pictures=1)
    for _ in range(5):
        service.take(make.session, person, "form", {What.SETS: 1})
    admin = make.user(Role.ADMIN)
    service.take(make.session, admin, "form", {What.PICTURES: 500})
    assert used(make, admin) == {What.PICTURES: 500}, "they are counted all the same"
    assert queries.uses(make.session, admin)[What.PICTURES].left is None


def test_days_are_those_of_the_servers_time_zone(make: Factory, person: User) -> None:
    limit(make, sets=1)
    service.take(make.session, person, "form", {What.SETS: 1})
    row = make.session.get_one(Usage, (person.id, days.today(), What.SETS))
    row.day -= timedelta(days=1)
    make.session.flush()
    service.take(make.session, person, "form", {What.SETS: 1})
    try:
        days.use("Asia/Tokyo")
        with suppress(Spent):
            service.take(make.session, person, "form", {What.SETS: 1})
        with pytest.raises(Spent, match="midnight, 00:00 JST") as refusal:
            service.take(make.session, person, "form", {What.SETS: 1})
        left = days.begin(days.today() + timedelta(days=1)) - datetime.now(UTC)
        assert abs(refusal.value.retry_after - left.total_seconds()) < 5
    finally:
        days.use("UTC")


def test_low_quotas_are_shown(make: Factory, person: User) -> None:
    limit(make, pictures=10, sets=10)
    assert queries.scarcest(make.session, person, What.SETS, What.PICTURES) is None
    service.take(make.session, person, "form", {What.PICTURES: 8})
    scarce = queries.scarcest(make.session, person, What.SETS, What.PICTURES)
    assert scarce
    assert scarce.told == "You can make 2 more pictures today; the count resets at midnight, 00:00 UTC."


def test_two_at_once_cannot_both_have_the_last(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"quota_sets": 5}))
    with database.write() as session:
        person = User(email="a@example.com", name="A", role=Role.DESIGNER, password_hash="x")
        session.add(person)
    passed: list[bool] = []

    def try_it() -> None:
        try:
            with database.write() as session:
                service.take(session, person, "form", {What.SETS: 1})
            passed.append(True)
        except Invalid:
            passed.append(False)

    threads = [threading.Thread(target=try_it) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(True) == 5
    with database.read() as session:
        assert queries.uses(session, person)[What.SETS].used == 5, "what was refused used nothing"
        plan = "EXPLAIN QUERY PLAN SELECT amount FROM usage WHERE user_id = 1 AND day IN ('2026-01-01', '1970-01-01')"
        assert "SEARCH" in session.connection().exec_driver_sql(plan).one()[-1]
    assert days.today() > HELD
    database.close()
