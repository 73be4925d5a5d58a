"""Rights of references in exports."""

import csv
import io
import json
from datetime import date, timedelta

from sqlalchemy.orm import Session

from app.days import today
from app.exports import approved, provenance, service, set_facts
from app.exports.options import ExportOptions
from app.exports.preparer import Preparer
from app.models import Export, ImageSet, Reference, User
from app.rights import service as rights
from app.rights.spec import Reason
from app.styles.spec import ReferenceSpec
from tests.exports.conftest import Make
from tests.factory import Factory


def approved_set(make: Factory, user: User, **values: object) -> ImageSet:
    image_set = make.finished_set(user, prompts="a fox", **values)
    for image in image_set.images:
        make.decide(image)
    return image_set


def read(session: Session, export: Export, preparer: Preparer, name: str) -> bytes:
    archive = service.archive(session, export, preparer.store)
    (member,) = (each for each in archive.members if each.name.endswith(name))
    return member.path.read_bytes()


def test_the_manifests_say_what_was_stated(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user(name="Mori Haruka")
    style = make.style(user, reference=make.reference(user))
    reference = style.versions[0].references[0].reference
    until = today() - timedelta(days=3)
    image_set = approved_set(make, user, style=style)
    make.right(
        reference,
        owned_by="=Mori",
        allows="all media\n, but billboards",
        territory="DACH",
        valid_from="2024-04-03",
        valid_until=until.isoformat(),
    )
    document = rights.add_file(session, user, reference, rights.keep_document(make.files, b"%PDF-1.7"), "contract.pdf")
    export = ready(user, set_id=image_set.id)
    (row,) = csv.DictReader(io.StringIO(read(session, export, preparer, ".csv").decode("utf-8-sig"), newline=""))
    told = ("owner", "licence", "from", "until", "territory", "allows")
    assert {name: row[f"rights {name}"] for name in told} == {
        "owner": "'=Mori",
        "licence": "Commissioned",
        "from": "2024-04-03",
        "until": until.isoformat(),
        "territory": "DACH",
        "allows": "all media\n, but billboards",
    }
    assert row["rights standing"] == "ended"
    (entry,) = json.loads(read(session, export, preparer, ".json"))["files"]
    told = entry["references"][0]["rights record"]
    assert date.fromisoformat(told.pop("recorded at")[:10]) == today()
    assert told == {
        "standing": "ended",
        "supplied_by": "",
        "owned_by": "=Mori",
        "licence": "Commissioned",
        "allows": "all media\n, but billboards",
        "territory": "DACH",
        "valid_from": "2024-04-03",
        "valid_until": until.isoformat(),
        "source_url": "",
        "note": "",
        "person": "",
        "consent": "",
        "consent_scope": "",
        "consent_from": None,
        "consent_until": None,
        "withdrawn": False,
        "reason": "",
        "recorded by": "Mori Haruka",
        "files": [{"name": "contract.pdf", "sha256": document.sha256, "bytes": 8}],
    }


def test_a_cell_has_one_part_for_each_reference(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    parts = tuple(ReferenceSpec(reference_id=make.reference(user).id) for _ in range(3))
    style = make.style(user, references=parts)
    unstated, held, withdrawn = (part.reference for part in style.versions[0].references)
    image_set = approved_set(make, user, style=style)
    make.right(held, valid_until="2999-12-31")
    make.right(withdrawn, owned_by="Ito")
    rights.withdraw(session, user, withdrawn, Reason(reason="Stop"))
    export = ready(user, set_id=image_set.id)
    (row,) = csv.DictReader(io.StringIO(read(session, export, preparer, ".csv").decode("utf-8-sig"), newline=""))
    assert row["references"].split()[0] == unstated.sha256
    assert row["rights owner"] == "; Mori Design Studio; Ito"
    assert row["rights until"] == "; 2999-12-31; "
    assert row["rights standing"] == "unstated; valid; withdrawn"


def test_what_is_not_stated_is_null(session: Session, make: Factory, preparer: Preparer, ready: Make) -> None:
    user = make.user()
    export = ready(user, set_id=approved_set(make, user).id)
    (entry,) = json.loads(read(session, export, preparer, ".json"))["files"]
    assert entry["references"][0]["rights record"] is None


def test_changed_rights_are_exported_again(session: Session, make: Factory, ready: Make) -> None:
    user = make.user()
    style = make.style(user, reference=make.reference(user))
    image_set = approved_set(make, user, style=style)
    first = ready(user, set_id=image_set.id)
    assert ready(user, set_id=image_set.id).id == first.id
    reference = style.versions[0].references[0].reference
    make.right(reference)
    second = ready(user, set_id=image_set.id)
    assert second.id != first.id
    rights.withdraw(session, user, reference, Reason(reason="Stop"))
    assert ready(user, set_id=image_set.id).id not in (first.id, second.id)


def described(session: Session, export: Export, preparer: Preparer) -> str:
    found = provenance.verified(read(session, export, preparer, ".png"), "image/png")
    ingredients = found["manifests"][found["active_manifest"]]["ingredients"]
    return str(next(each for each in ingredients if each["title"] != "demo")["description"])


def test_a_picture_names_the_owner_before_what_the_file_says(
    session: Session, make: Factory, preparer: Preparer, ready: Make
) -> None:
    user = make.user()
    style = make.style(user, reference=make.reference(user))
    reference = style.versions[0].references[0].reference
    reference.rights = {"creator": "Ito", "copyright": "© 2020 Ito"}
    image_set = approved_set(make, user, style=style)
    assert described(session, ready(user, set_id=image_set.id), preparer).endswith("Rights: Ito, © 2020 Ito")
    make.right(reference)
    assert described(session, ready(user, set_id=image_set.id), preparer).endswith(
        "Rights: Mori Design Studio, Commissioned"
    )


def test_pictures_whose_right_does_not_hold_are_counted(session: Session, make: Factory) -> None:
    user = make.user()
    style, other, third = (make.style(user, reference=make.reference(user)) for _ in range(3))
    region = {"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": other.code}
    in_region = approved_set(make, user, style=style, count=2, regions=json.dumps([region]))
    approved_set(make, user, style=third)
    ended: Reference = other.versions[0].references[0].reference
    make.right(ended, valid_until=(today() - timedelta(days=1)).isoformat())
    taken = approved.by_set(session, user)
    facts = set_facts.of_sets(session, (each.set_id for each in taken))
    assert [source.held.reference_id for source in facts[in_region.id].sources] == [
        style.versions[0].references[0].reference_id,
        ended.id,
    ]
    count, helds = service.restrained(taken, facts)
    assert (count, [held.reference_id for held in helds]) == (2, [ended.id])
    wanted = service.selection(session, user, set_id=in_region.id)
    assert service.create(session, user, service.plan(session, user, wanted, ExportOptions())).pictures == 2, (
        "it warns, and does not stop"
    )
