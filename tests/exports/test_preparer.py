"""Prepared exports: converted, signed, stored, with their manifests, as one zip."""

import csv
import hashlib
import io
import json
import os
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.queries import of
from app.csv import harmless
from app.customs import queries as customs
from app.customs import sheets
from app.errors import Conflict
from app.exports import certificates, provenance, queries, removal, service
from app.exports.archive import FileChanged
from app.exports.options import FORMATS, ExportOptions
from app.exports.preparer import Preparer
from app.files import Files, Kind
from app.models import (
    Act,
    AuditEvent,
    Export,
    ExportFile,
    ExportState,
    ItemAnswer,
    PictureMeasures,
    Role,
    SetStructure,
    Share,
    Verdict,
    now,
)
from app.reviews import requirements
from app.reviews import service as reviews
from app.reviews.queries import latest
from app.sets import versions
from app.sets.versions import RedoSpec
from tests.exports.conftest import Make
from tests.exports.test_service import approved_set
from tests.factory import MODEL, Factory


def unzipped(session: Session, export: Export, preparer: Preparer) -> zipfile.ZipFile:
    archive = service.archive(session, export, preparer.store)
    data = b"".join(archive.read())
    assert len(data) == archive.length == export.bytes
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    return opened


def lines(opened: zipfile.ZipFile) -> list[dict[str, str]]:
    data = opened.read("manifest.csv")
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("name", FORMATS)
def test_the_zip_has_signed_pictures_in_every_size(
    session: Session, make: Factory, preparer: Preparer, ready: Make, name: str
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    options = ExportOptions(format=name, sizes=("original", "90x160"), template="{size}")  # type: ignore[arg-type]
    opened = unzipped(session, ready(user, options, set_id=image_set.id), preparer)
    authority = certificates.identity(preparer.settings).authority
    form = FORMATS[name]
    for size in ("original", "90x160"):
        data = opened.read(size + form.suffix)
        with Picture.open(io.BytesIO(data)) as picture:
            assert picture.format == form.kind
            assert picture.size == ((96, 64) if size == "original" else (90, 160))
        assert provenance.verified(data, form.media_type, authority)["validation_state"] == "Trusted"
    assert opened.read(service.AUTHORITY).decode() == authority


def test_the_original_keeps_every_pixel(
    session: Session, make: Factory, files: Files, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    opened = unzipped(session, ready(user, set_id=image_set.id), preparer)
    with (
        Picture.open(files.path(Kind.IMAGES, image_set.images[0].sha256 or "")) as made,
        Picture.open(io.BytesIO(opened.read(opened.namelist()[0]))) as delivered,
    ):
        assert made.tobytes() == delivered.tobytes()


def test_manifests_say_how_each_was_made(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user, style = make.user(), make.style(name="Retro sunburst", strength=1.5, text="vintage")
    reference = style.versions[0].references[0].reference
    reference.rights = {"creator": "Mori Haruka", "copyright": "© 2026"}
    make.right(reference)
    values = {"prompts": "a fox\n露のついたぶどう", "seed": 7, "size": "384x256", "scheduler": "ddim"}
    image_set = make.finished_set(user, style, name='Set, with “quotes"', campaign="Spring", **values)
    image = image_set.images[1]
    first = make.user(Role.REVIEWER, name="First")
    make.decide(image, Verdict.REJECTED, first)
    make.decide(image, reviewer=first)
    measured = session.get_one(PictureMeasures, image.id)
    measured.numbers, measured.flags = {"hue_reference": 31.2, "blank": 4.0}, {"hue_reference": 20.0}
    measured.embedders = {"clip": "bundled CLIP"}
    seen = latest(session, image.id)
    assert seen
    reviews.decide(session, make.user(Role.REVIEWER, name="Ito Kenji"), image.id, Verdict.APPROVED, seen.id)
    opened = unzipped(session, ready(user, set_id=image_set.id), preparer)
    (row,) = lines(opened)
    data = opened.read(row["file"])
    approved_at = row.pop("approved at")
    assert abs((now() - now().fromisoformat(approved_at)).total_seconds()) < 60
    assert row == {
        "file": "spring-retro-sunburst-001-露のついたぶどう.png",
        "image": str(image.id),
        "on brand": "",
        "picture version": "1",
        "prompt": "露のついたぶどう",
        "drawn as": "",
        "seed": "8",
        "campaign": "Spring",
        "set": 'Set, with “quotes"',
        "style": "Retro sunburst",
        "style code": style.code,
        "version": "1",
        "references": reference.sha256,
        "rights": "creator: Mori Haruka, copyright: © 2026",
        "rights owner": "Mori Design Studio",
        "rights licence": "Commissioned",
        "rights from": "",
        "rights until": "",
        "rights standing": "valid",
        "rights territory": "",
        "rights allows": "",
        "real people": "",
        "consent": "",
        "consent until": "",
        "model": "demo",
        "size": "384x256",
        "made as": "384x256",
        "steps": "20",
        "guidance": "5.0",
        "scheduler": "ddim",
        "strength": "1.5",
        "decisions": "rejected by First; approved by First; approved by Ito Kenji",
        "checklists": "",
        "approved by": "First; Ito Kenji",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": str(len(data)),
        "measures": "hue_reference=31.2; blank=4",
        "flags": "hue_reference",
        "note": "",
    }
    told = json.loads(opened.read("manifest.json"))
    (entry,) = told["files"]
    assert entry["sha256"] == row["sha256"]
    assert entry["references"][0]["rights"] == reference.rights
    assert entry["settings"]["style text"] == "vintage"
    assert entry["measures"] == measured.numbers
    assert entry["flags"] == {"hue_reference": 20.0}
    assert entry["measured by"] == {"clip": "bundled CLIP"}
    assert [(each["verdict"], each["by"]) for each in entry["decisions"]] == [
        ("rejected", "First"),
        ("approved", "First"),
        ("approved", "Ito Kenji"),
    ]


def test_a_redone_picture_states_its_version_strength_and_campaign(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox\nan owl", strength="1", campaign="Spring")
    autumn = make.image_set(campaign="Autumn").campaign
    old, other = image_set.images
    old.campaign = autumn
    draft = RedoSpec.parse({"prompt": "a red fox", "strength": "0.5"})
    (new,) = versions.redo(session, user, old.id, draft, MODEL, unit_size=4)
    make.finish(image_set)
    for image in (new, other):
        make.decide(image)
    opened = unzipped(session, ready(user, set_id=image_set.id), preparer)
    told = [(row["file"], row["picture version"], row["strength"], row["campaign"]) for row in lines(opened)]
    assert told == [
        ("autumn-retro-sunburst-001-a-red-fox.png", "2", "0.5", "Autumn"),
        ("spring-retro-sunburst-002-an-owl.png", "1", "1.0", "Spring"),
    ]
    entries = json.loads(opened.read("manifest.json"))["files"]
    assert [(each["version"], each["settings"]["strength"]) for each in entries] == [(2, 0.5), (1, 1.0)]
    assert [row["file"] for row in lines(unzipped(session, ready(user, campaign_id=autumn.id), preparer))] == [
        told[0][0]
    ]


def test_answers_to_checklists_are_in_both_manifests(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user, manager = make.user(), make.user(Role.MANAGER, "Mori")
    image_set = make.finished_set(user, prompts="a fox\nan owl")
    requirements.require(session, manager, image_set.campaign_id, [1])
    items = customs.required(session, [1])[1].items
    for image in image_set.images:
        given = {(1, item.key, item.stamp): sheets.Given(ItemAnswer.FINE) for item in items}
        given |= {(1, items[0].key, items[0].stamp): sheets.Given(ItemAnswer.NOT_APPLICABLE, "no gift")}
        sheets.save(session, manager, image, given)
        make.decide(image, reviewer=manager)
    opened = unzipped(session, ready(user, set_id=image_set.id), preparer)
    said = f"Japan 0: {len(items) - 1} fine, 1 not applicable"
    assert [row["checklists"] for row in lines(opened)] == [said, said]
    told = json.loads(opened.read("manifest.json"))
    decisions = [each["decisions"][-1] for each in told["files"]]
    (proof,) = told["answers"]
    assert [(each["checklists"], each["answers"]) for each in decisions] == [([said], proof)] * 2
    content = told["answers"][proof]
    assert sheets.hash_of(content) == proof
    first = content["lists"][0]["items"][0]
    assert (first["text"], first["answer"], first["note"]) == (items[0].text, "not_applicable", "no gift")


def test_a_picture_names_its_maps_and_what_its_subjects_were_learned_from(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user, square = make.user(), make.structure_map()
    mug = make.finished_subject(user)
    image_set = approved_set(make, user, prompts="a fox\nan owl", subjects=json.dumps([{"id": mug.id}]))
    image_set.structures = (SetStructure(control="edges", maps=(square.id, 404)),)
    session.flush()
    options = ExportOptions(template="{n}", sizes=("32x32",))
    opened = unzipped(session, ready(user, options, set_id=image_set.id), preparer)

    def told(name: str) -> tuple[list[str], list[str]]:
        found = provenance.verified(opened.read(name), "image/png")
        active = found["manifests"][found["active_manifest"]]
        (actions,) = [each for each in active["assertions"] if each["label"].startswith("c2pa.actions")]
        titles = [each["title"] for each in active["ingredients"][1:-1]]
        return titles, [each["action"] for each in actions["data"]["actions"]]

    pictures = [f"Blue mug, picture {number}" for number in (1, 2, 3)]
    done = ["c2pa.created", "c2pa.resized"]
    assert told("1.png") == (["square.png", *pictures], done)
    assert told("2.png") == (pictures, done)


def test_a_ready_export_keeps_a_picture_that_is_redone(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox\nan owl")
    export = ready(user, set_id=image_set.id)
    before = unzipped(session, export, preparer).namelist()
    versions.redo(session, user, image_set.images[0].id, RedoSpec(prompt="a red fox"), MODEL, unit_size=4)
    make.finish(image_set)
    session.commit()
    assert unzipped(session, export, preparer).namelist() == before
    after = unzipped(session, ready(user, set_id=image_set.id), preparer)
    assert [row["prompt"] for row in lines(after)] == ["an owl"], "the new one is not approved"
    service.rebuild(session, user, export.id)
    session.commit()
    assert preparer.prepare(export.id)
    session.refresh(export)
    assert unzipped(session, export, preparer).namelist() == before


def test_a_decision_after_the_export_was_requested_does_not_change_it(
    session: Session, make: Factory, preparer: Preparer
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    export = service.create(
        session,
        user,
        service.plan(session, user, service.selection(session, user, set_id=image_set.id), ExportOptions()),
    )
    make.decide(image_set.images[0], Verdict.WITHDRAWN)
    session.commit()
    preparer.prepare(export.id)
    session.refresh(export)
    (entry,) = json.loads(unzipped(session, export, preparer).read("manifest.json"))["files"]
    assert [each["verdict"] for each in entry["decisions"]] == ["approved"]


def test_manifest_runs_no_formula(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    (row,) = lines(unzipped(session, ready(user, set_id=approved_set(make, user, prompts="=1+1").id), preparer))
    assert row["prompt"] == row["set"] == "'=1+1"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝cmd", "'＝cmd"),
        ("a = b", "a = b"),
    ],
)
def test_a_formula_is_marked_as_text(text: str, cell: str) -> None:
    assert harmless(text) == cell


@given(st.text())
def test_no_text_is_a_formula(text: str) -> None:
    cell = str(harmless(text))
    assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")
    assert cell.endswith(text)


def test_excluded_parts_are_left_out(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a secret fox")
    options = ExportOptions(manifests=False, certificate=False, prompts=False, template="{n}")
    opened = unzipped(session, ready(user, options, set_id=image_set.id), preparer)
    assert opened.namelist() == ["1.png"]
    assert b"secret" not in opened.read("1.png")


def test_a_lost_file_is_named_and_stops_nothing(
    session: Session, make: Factory, files: Files, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox\nan owl\na pear\na bell")
    files.path(Kind.IMAGES, image_set.images[1].sha256 or "").unlink()
    files.path(Kind.IMAGES, image_set.images[2].sha256 or "").write_bytes(b"damaged")
    export = ready(user, ExportOptions(template="{n}-{slug}"), set_id=image_set.id)
    assert (export.state, export.done, export.lost) == (ExportState.READY, 4, 2)
    opened = unzipped(session, export, preparer)
    assert [name for name in opened.namelist() if name.endswith(".png")] == ["1-a-fox.png", "4-a-bell.png"]
    assert [(row["file"], bool(row["note"])) for row in lines(opened)] == [
        ("1-a-fox.png", False),
        ("2-an-owl.png", True),
        ("3-a-pear.png", True),
        ("4-a-bell.png", False),
    ]
    assert [entry.get("lost") for entry in json.loads(opened.read("manifest.json"))["files"]] == [
        None,
        "2-an-owl.png",
        "3-a-pear.png",
        None,
    ]
    note = opened.read("missing-files.txt").decode("utf-8-sig")
    assert "2-an-owl.png" in note
    assert "3-a-pear.png" in note


def test_when_everything_is_lost_the_export_fails_and_can_be_rebuilt(
    session: Session, make: Factory, files: Files, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    path = files.path(Kind.IMAGES, image_set.images[0].sha256 or "")
    png = path.read_bytes()
    path.unlink()
    export = ready(user, set_id=image_set.id)
    assert export.state == ExportState.FAILED
    assert "The server lost" in (export.error or "")
    with pytest.raises(Conflict, match="The server lost all files of these"):
        service.archive(session, export, preparer.store)
    path.write_bytes(png)
    service.rebuild(session, user, export.id)
    session.commit()
    preparer.prepare(export.id)
    session.refresh(export)
    assert len(unzipped(session, export, preparer).namelist()) == 4


def test_a_picture_is_converted_once(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    """The second export has the same files, including the bytes of their signatures.

    Only the one more picture is new.
    """
    user = make.user()
    image_set = make.finished_set(user, prompts="a fox\nan owl")
    make.decide(image_set.images[0])
    cache = preparer.store.root / "cache"
    first = ready(user, set_id=image_set.id)
    (kept,) = cache.glob("*/*/*")
    written = kept.stat().st_mtime_ns
    make.decide(image_set.images[1])
    second = ready(user, ExportOptions(template="{n}"), set_id=image_set.id)
    assert len(list(cache.glob("*/*/*"))) == 2
    assert kept.stat().st_mtime_ns == written
    old, new = unzipped(session, first, preparer), unzipped(session, second, preparer)
    assert old.read(old.namelist()[0]) == new.read("1.png")


def test_signing_again_never_overwrites_another_exports_file(
    session: Session, make: Factory, preparer: Preparer, ready: Make, tmp_path: Path
) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox\nan owl")
    cache = preparer.store.root / "cache"
    first = ready(user, set_id=image_set.id)
    cache.rename(tmp_path / "away")
    second = ready(user, ExportOptions(template="{n}"), set_id=image_set.id)
    with pytest.raises(Conflict, match="deleted to free space"):
        service.archive(session, first, preparer.store)
    shutil.copytree(tmp_path / "away", cache, dirs_exist_ok=True)
    assert len(list(cache.glob("*/*/*"))) == 4, "two files of each recipe, signed at two times"
    for export in (first, second):
        unzipped(session, export, preparer)


def test_a_damaged_cache_file_is_not_used(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    image_set = approved_set(make, user, prompts="a fox")
    ready(user, set_id=image_set.id)
    (kept,) = (preparer.store.root / "cache").glob("*/*/*")
    kept.write_bytes(bytes(kept.stat().st_size))
    unzipped(session, ready(user, ExportOptions(template="{n}"), set_id=image_set.id), preparer)


def test_the_etag_stays_until_a_byte_changes(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    export = ready(user, set_id=image_set.id)
    before = b"".join(service.archive(session, export, preparer.store).read()), export.etag
    assert b"".join(service.archive(session, export, preparer.store).read()) == before[0]
    next((preparer.store.root / "cache").glob("*/*/*")).unlink()
    with pytest.raises(Conflict, match="deleted to free space"):
        service.archive(session, export, preparer.store)
    service.rebuild(session, user, export.id)
    session.commit()
    preparer.prepare(export.id)
    session.refresh(export)
    assert export.etag != before[1], "the picture was signed again"
    assert export.state == ExportState.READY


def test_interrupted_work_resumes_after_a_crash(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user, prompts="a\nb\nc").id)
    file = session.scalars(select(ExportFile).where(ExportFile.position == 2)).one()
    file.key = file.sha256 = file.bytes = file.crc32 = None
    export.state, export.done = ExportState.PREPARING, 2
    session.commit()
    assert queries.waiting(session) == [(export.id, user.id)]
    session.commit()
    preparer.prepare(export.id)
    session.refresh(export)
    assert (export.state, export.done) == (ExportState.READY, 3)
    assert len([name for name in unzipped(session, export, preparer).namelist() if name.endswith(".png")]) == 3


def test_without_a_certificate_that_can_sign_the_export_fails_with_the_reason(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    preparer.settings.signing_certificate = preparer.settings.signing_key = "/nothing/here.pem"
    user = make.user()
    export = ready(user, set_id=approved_set(make, user).id)
    assert export.state == ExportState.FAILED
    assert "/nothing/here.pem cannot be read" in (export.error or "")


def test_an_export_that_is_not_ready_is_not_downloaded(session: Session, make: Factory, preparer: Preparer) -> None:
    user = make.user()
    image_set = approved_set(make, user)
    export = service.create(
        session,
        user,
        service.plan(session, user, service.selection(session, user, set_id=image_set.id), ExportOptions()),
    )
    with pytest.raises(Conflict, match="is not ready yet"):
        service.archive(session, export, preparer.store)


def test_old_exports_are_forgotten_unless_an_open_link_leads_to_them(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    old, shared, young = (
        ready(user, ExportOptions(quality=quality, format="webp"), set_id=approved_set(make, user).id)
        for quality in (70, 80, 90)
    )
    for export in (old, shared):
        export.created_at = now() - timedelta(days=preparer.settings.export_days + 1)
    session.add(Share(export_id=shared.id, token_hash="-", made_by_id=user.id, expires_at=now() + timedelta(days=1)))
    unused = preparer.store.picture("ab" * 32, "cd" * 32, ".webp")
    unused.parent.mkdir(parents=True)
    unused.touch()
    os.utime(unused, (0, 0))
    session.commit()
    preparer.tidy()
    session.expire_all()
    assert {export.id for export in session.scalars(select(Export))} == {shared.id, young.id}
    assert {path.name for path in (preparer.store.root / "made").iterdir()} == {str(shared.id), str(young.id)}
    assert not unused.parent.exists()
    unzipped(session, young, preparer)


def test_a_downloadable_export_is_not_prepared_again(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user).id)
    assert service.is_whole(session, user, export.id, preparer.store)
    next((preparer.store.root / "cache").glob("*/*/*")).unlink()
    assert not service.is_whole(session, user, export.id, preparer.store)
    service.rebuild(session, user, export.id)
    session.flush()
    assert export.state == ExportState.QUEUED
    assert [event.act for event in of(session, export)] == [Act.EXPORT_REBUILD, Act.EXPORT_READY, Act.EXPORT_CREATE]


def test_ready_failed_and_ended_are_recorded(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user).id)
    finished = of(session, export)[0]
    assert (finished.act, finished.user_id) == (Act.EXPORT_READY, None)
    assert finished.details == {"name": export.name, "files": export.total, "lost": None, "bytes": export.bytes}
    export.created_at = now() - timedelta(days=preparer.settings.export_days + 1)
    session.commit()
    preparer.tidy()
    session.expire_all()
    assert session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first().act == Act.EXPORT_EXPIRE  # type: ignore[union-attr]
    preparer.settings.signing_certificate = preparer.settings.signing_key = "/nothing/here.pem"
    failed = of(session, ready(user, set_id=approved_set(make, user).id))[0]
    assert failed.act == Act.EXPORT_FAIL
    assert "/nothing/here.pem" in failed.details["error"]


def test_downloads_share_one_list_of_files_and_parts_look_only_at_their_own(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user, prompts="a fox\nan owl").id)
    made = service.archive(session, export, preparer.store)
    assert service.laid_out(session, export, preparer.store) is made
    made.members[1].path.unlink()
    assert service.laid_out(session, export, preparer.store) is made
    in_first = made.members[0].bytes
    service.need_files(export, preparer.store, made, 0, in_first)
    assert service.is_there(session, export, preparer.store) is False
    with pytest.raises(Conflict, match="deleted to free space"):
        service.need_files(export, preparer.store, made, in_first, in_first + 1000)
    for _ in range(service.ARCHIVES):
        service.archive(session, ready(user, set_id=approved_set(make, user).id), preparer.store)
    assert service.laid_out(session, export, preparer.store) is not made, "a few are kept"


def test_a_page_knows_what_a_download_missed(
    session: Session, make: Factory, preparer: Preparer, ready: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOKED_AT", 1)
    user = make.user()
    export = ready(user, set_id=approved_set(make, user, prompts="a\nb\nc").id)
    path = service.archive(session, export, preparer.store).members[0].path
    data = path.read_bytes()
    path.unlink()
    assert service.is_there(session, export, preparer.store), "it looks at some of many"
    with pytest.raises(Conflict):
        service.archive(session, export, preparer.store)
    assert not service.is_there(session, export, preparer.store)
    path.write_bytes(data)
    service.archive(session, export, preparer.store)
    assert service.is_there(session, export, preparer.store)


def test_a_damaged_file_is_not_delivered_and_can_be_rebuilt(
    session: Session, make: Factory, preparer: Preparer, ready: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user, prompts="a fox").id)
    archive = service.archive(session, export, preparer.store)
    path = archive.members[0].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileChanged, match="is damaged"):
        list(archive.read())
    with pytest.raises(FileChanged, match="is damaged"):
        list(archive.read(100, 200))
    with pytest.raises(Conflict, match=r"A file of this export is damaged on the server\. Open its page and rebuild"):
        service.archive(session, export, preparer.store)
    assert not service.is_there(session, export, preparer.store)
    monkeypatch.setattr(service, "READ_BYTES", 0)
    assert not service.is_whole(session, user, export.id, preparer.store), "which reads all, however large"
    service.rebuild(session, user, export.id)
    session.commit()
    preparer.prepare(export.id)
    session.refresh(export)
    unzipped(session, export, preparer)


def test_a_half_listed_export_is_not_prepared_and_a_crash_leaves_none(
    session: Session, make: Factory, preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make.user()
    wanted = service.selection(session, user, set_id=approved_set(make, user, prompts="a fox\nan owl\na pear").id)
    planned = service.plan(session, user, wanted, ExportOptions())
    monkeypatch.setattr(service, "ROWS", 2)
    half = service.create(session, user, planned)
    session.commit()
    assert half.state == ExportState.LISTING
    assert not queries.waiting(session)
    assert service.rebuild(session, user, half.id).state == ExportState.LISTING
    session.commit()
    assert preparer.ask(user, wanted, ExportOptions()).id == half.id, "asked for twice it is one"
    preparer.recover()
    assert session.scalars(select(ExportFile)).all() == []
    session.commit()
    whole = preparer.ask(user, wanted, ExportOptions())
    assert preparer.prepare(whole.id)
    session.expire_all()
    assert session.get_one(Export, whole.id).state == ExportState.READY


def test_a_large_export_is_removed_a_part_at_a_time(
    session: Session, make: Factory, preparer: Preparer, ready: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user, prompts="a fox\nan owl\na pear").id)
    session.add(Share(export_id=export.id, token_hash="-", made_by_id=user.id, expires_at=now() + timedelta(days=1)))
    session.commit()
    monkeypatch.setattr(removal, "ROWS", 2)
    preparer.delete(user, export.id)
    session.expire_all()
    assert session.scalars(select(Share)).all() == session.scalars(select(ExportFile)).all() == []
    assert [event.act for event in session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(2))] == [
        Act.EXPORT_DELETE,
        Act.SHARE_REVOKE,
    ]


def test_deleting_ends_the_links(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user).id)
    session.add(Share(export_id=export.id, token_hash="-", made_by_id=user.id, expires_at=now() + timedelta(days=1)))
    session.commit()
    preparer.delete(user, export.id)
    session.expire_all()
    assert session.scalars(select(Share)).all() == session.scalars(select(ExportFile)).all() == []
