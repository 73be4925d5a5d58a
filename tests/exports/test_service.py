"""Approved pictures as a zip."""

import csv
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.exports import queries, service
from app.files import Files, Kind
from app.models import Act, AuditEvent, Image, ImageSet, Role, User, Verdict, now
from tests.factory import Factory
from tests.statements import counted


def approved_set(make: Factory, user: User | None = None, **values: object) -> ImageSet:
    """A finished set, all of it approved."""
    image_set = make.finished_set(user, **values)  # type: ignore[arg-type]
    for image in image_set.images:
        make.decide(image)
    return image_set


def unzipped(plan: service.ExportPlan) -> zipfile.ZipFile:
    download = service.stream(plan)
    data = b"".join(download.chunks)
    assert len(data) == download.length
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    data = archive.read("manifest.csv")
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_zip_holds_the_approved(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox\nan owl\na pear\na bell", name="Autumn table")
    for image, verdict in zip(image_set.images, [Verdict.APPROVED, Verdict.REJECTED, Verdict.APPROVED], strict=False):
        make.decide(image, verdict)
    plan = service.approved(session, user, files, set_id=image_set.id)
    archive = unzipped(plan)
    assert archive.namelist() == ["autumn-table/001-a-fox.png", "autumn-table/003-a-pear.png", "manifest.csv"]
    for number in (0, 2):
        image = image_set.images[number]
        data = files.path(Kind.IMAGES, image.sha256 or "").read_bytes()
        assert archive.read(archive.namelist()[number // 2]) == data
    assert (plan.count, plan.name) == (2, "autumn-table-approved.zip")
    assert plan.total == sum(archive.getinfo(name).file_size for name in archive.namelist()[:2])


def test_manifest_says_how_each_was_made(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    style = make.style(name="Retro sunburst", strength=1.5)
    image_set = make.finished_set(
        user,
        style,
        prompts="a fox\n露のついたぶどう",
        seed=7,
        size="384x256",
        scheduler="ddim",
        name='Set, with “quotes"',
    )
    ito = make.user(Role.REVIEWER, name="Ito Kenji")
    make.decide(image_set.images[1], reviewer=ito)
    (row,) = manifest(unzipped(service.approved(session, user, files, set_id=image_set.id)))
    approved_at = row.pop("approved at")
    assert row == {
        "file": "set-with-quotes/002-露のついたぶどう.png",
        "image": str(image_set.images[1].id),
        "prompt": "露のついたぶどう",
        "seed": "8",
        "set": 'Set, with “quotes"',
        "style": "Retro sunburst",
        "style code": style.code,
        "version": "1",
        "model": "demo",
        "size": "384x256",
        "steps": "20",
        "guidance": "5.0",
        "scheduler": "ddim",
        "strength": "1.5",
        "approved by": "Ito Kenji",
    }
    assert approved_at.endswith("+00:00")
    assert abs((now() - now().fromisoformat(approved_at)).total_seconds()) < 60


def test_manifest_names_who_approved_last(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image = make.finished_set(user, prompts="a fox").images[0]
    make.decide(image, Verdict.APPROVED, make.user(Role.REVIEWER, name="First"))
    make.decide(image, Verdict.REJECTED, make.user(Role.REVIEWER, name="Second"))
    make.decide(image, Verdict.APPROVED, make.user(Role.REVIEWER, name="Third"))
    rows = manifest(unzipped(service.approved(session, user, files, set_id=image.set_id)))
    assert [row["approved by"] for row in rows] == ["Third"]


@pytest.mark.parametrize(
    ("prompt", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝cmd", "'＝cmd"),
        ("a = b", "a = b"),
    ],
)
def test_manifest_runs_no_formula(session: Session, make: Factory, files: Files, prompt: str, cell: str) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts=prompt)
    (row,) = manifest(unzipped(service.approved(session, user, files, set_id=image_set.id)))
    assert row["prompt"] == row["set"] == cell


@given(st.text())
def test_no_text_is_a_formula(text: str) -> None:
    cell = str(service.harmless(text))
    assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")
    assert cell.endswith(text)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("🦊", "001.png"),
        ("../../etc/passwd", "001-etc-passwd.png"),
        ("C:\\Windows\\con", "001-c-windows-con.png"),
        ("雪をかぶった富士山", "001-雪をかぶった富士山.png"),
        ("a" * 500, f"001-{'a' * 40}.png"),
    ],
)
def test_names_are_ours(session: Session, make: Factory, files: Files, prompt: str, name: str) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts=prompt, name="Set")
    archive = unzipped(service.approved(session, user, files, set_id=image_set.id))
    assert archive.namelist()[0] == f"set/{name}"


def test_no_name_comes_twice(session: Session, make: Factory, files: Files) -> None:
    """The same prompts, the same set names, and a set named as the rule against that would name another."""
    manager = make.user(Role.MANAGER)
    style = make.style()
    last = make.finished_set(style=style, campaign="Other").id
    names = ["Fox", "fox!", f"fox {last + 4}", "FOX", "🦊", "🦊"]
    made = [approved_set(make, style=style, name=name, prompts="a fox\na fox", campaign="Spring") for name in names]
    plan = service.approved(session, manager, files, campaign_id=made[0].campaign_id)
    found = unzipped(plan).namelist()
    assert len({name.lower() for name in found}) == len(found) == 13
    assert {name.split("/")[0] for name in found} == {
        "fox",
        f"fox-{made[1].id}",
        f"fox-{last + 4}",
        f"fox-{last + 4}-{made[3].id}",
        f"set-{made[4].id}",
        f"set-{made[5].id}",
        "manifest.csv",
    }


def test_order_is_by_set_and_position(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    style = make.style()
    first = approved_set(make, user, style=style, prompts="c\nb\na", name="Z")
    second = approved_set(make, user, style=style, prompts="b\na", name="A")
    names = [entry.name for entry in service.approved(session, user, files, campaign_id=first.campaign_id).entries]
    assert names == ["z/001-c.png", "z/002-b.png", "z/003-a.png", "a/001-b.png", "a/002-a.png"]
    chosen = [second.images[1].id, first.images[2].id, first.images[2].id]
    names = [entry.name for entry in service.approved(session, user, files, image_ids=chosen).entries]
    assert names == ["z/003-a.png", "a/002-a.png"]


@pytest.mark.parametrize("number", [1, 40])
def test_length_is_exact(session: Session, make: Factory, files: Files, number: int) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="\n".join(f"露のついたぶどう {n}" for n in range(number)))
    unzipped(service.approved(session, user, files, set_id=image_set.id))


def test_plan_needs_the_database_no_more(session: Session, make: Factory, files: Files, database: Database) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    plan = service.approved(session, user, files, set_id=image_set.id)
    session.commit()
    session.close()
    with counted(database) as seen:
        assert len(unzipped(plan).namelist()) == 3
    assert seen == []


def test_reading_takes_one_statement(session: Session, make: Factory, database: Database) -> None:
    user = make.user()
    approved_set(make, user, prompts="a fox\n" * 20)
    session.commit()
    with database.read() as reading, counted(database) as seen:
        assert len(queries.approved(reading, user)) == 20
    assert len(seen) == 1


# Who may


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_others_download_set_403(session: Session, make: Factory, files: Files, role: Role) -> None:
    image_set = approved_set(make, make.user(name="Mori Haruka"))
    with pytest.raises(Forbidden, match="Only Mori Haruka or a manager"):
        service.approved(session, make.user(role), files, set_id=image_set.id)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_download_any_set(session: Session, make: Factory, files: Files, role: Role) -> None:
    image_set = approved_set(make)
    assert service.approved(session, make.user(role), files, set_id=image_set.id).count == 2


def test_designers_get_their_own_of_a_campaign(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    own, other = approved_set(make, user, prompts="mine"), approved_set(make, prompts="theirs")
    plan = service.approved(session, user, files, campaign_id=own.campaign_id)
    assert [entry.row.prompt for entry in plan.entries] == ["mine"]
    both = [own.images[0].id, other.images[0].id]
    assert service.approved(session, user, files, image_ids=both).count == 1
    assert service.approved(session, make.user(Role.MANAGER), files, image_ids=both).count == 2
    with pytest.raises(Forbidden, match="other people's"):
        service.approved(session, user, files, image_ids=both[1:])


def test_closed_account_download_404(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    user.active = False
    with pytest.raises(NotFound):
        service.approved(session, user, files, set_id=image_set.id)
    with pytest.raises(Conflict):
        service.approved(session, user, files, image_ids=[image_set.images[0].id])


def test_nothing_approved_409(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = make.finished_set(user)
    with pytest.raises(Conflict, match="nothing to download"):
        service.approved(session, user, files, set_id=image_set.id)


def test_unknown_404(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    with pytest.raises(NotFound):
        service.approved(session, user, files, set_id=404)
    with pytest.raises(NotFound):
        service.approved(session, user, files, campaign_id=404)
    with pytest.raises(Invalid):
        service.approved(session, user, files, image_ids=[])


def test_lost_file_is_told_before_a_byte_is_sent(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = approved_set(make, user, name="Autumn")
    files.path(Kind.IMAGES, image_set.images[1].sha256 or "").unlink()
    with pytest.raises(Conflict, match="The file of picture 2 in Autumn is lost"):
        service.approved(session, user, files, set_id=image_set.id)


def test_download_is_recorded(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    chosen: list[Image] = image_set.images[1:]
    service.approved(session, user, files, set_id=image_set.id)
    service.approved(session, user, files, campaign_id=image_set.campaign_id)
    service.approved(session, user, files, image_ids=[image.id for image in chosen])
    session.flush()
    events = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.EXPORT).order_by(AuditEvent.id)).all()
    assert [(event.subject, event.subject_id) for event in events] == [
        ("image_sets", image_set.id),
        ("campaigns", image_set.campaign_id),
        ("images", chosen[0].id),
    ]
    assert {event.user_id for event in events} == {user.id}
    assert events[2].details == {"pictures": 1, "bytes": chosen[0].bytes, "chosen": [chosen[0].id]}
