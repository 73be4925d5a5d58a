"""Making styles."""

import re
from itertools import chain, repeat

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Invalid
from app.files import Files, Kind
from app.models import Act, AuditEvent, Blend, Reference, Role, Style, StyleReference, User
from app.pictures import Limits
from app.rights import service as rights
from app.rights.spec import Reason
from app.styles import queries, service
from app.styles.spec import CropSpec, ReferenceSpec, StyleSpec
from tests.factory import Factory, encoded, png

FORM = {
    "name": "Retro sunburst",
    "text": "vintage poster",
    "reference_prompt": "a train",
    "method": "ddim",
    "strength": "1.5",
    "scale": "0.8",
    "share_group_norm": "on",
    "crop_x": "0.1",
    "crop_y": "0",
    "crop_width": "0.8",
    "crop_height": "1",
}


def form(reference: Reference, **values: str) -> dict[str, str]:
    return {**FORM, "reference_id": str(reference.id), **values}


def upload(
    session: Session, files: Files, user: User, data: bytes, name: str, limits: Limits | None = None
) -> Reference:
    return service.upload_reference(session, user, service.keep_picture(user, files, data, limits), name)


# References


def test_upload_reference(session: Session, make: Factory, files: Files) -> None:
    user = make.user()
    reference = upload(session, files, user, png(size=(96, 64)), "train.png")
    session.flush()
    assert (reference.width, reference.height, reference.original_name) == (96, 64, "train.png")
    assert reference.uploaded_by_id == user.id
    path = files.path(Kind.REFERENCES, reference.sha256)
    assert path.stat().st_size == reference.bytes
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == Act.REFERENCE_UPLOAD)).one()
    assert (event.subject, event.subject_id, event.user_id) == ("references", reference.id, user.id)


def test_same_picture_is_one_reference(session: Session, make: Factory, files: Files) -> None:
    first = upload(session, files, make.user(), png(), "a.png")
    again = upload(session, files, make.user(), png(), "b.png")
    assert again is first


def test_rights_that_the_first_copy_lost_are_added(session: Session, make: Factory, files: Files) -> None:
    texts = PngInfo()
    texts.add_text("Author", "Mori Haruka")
    texts.add_text("Copyright", "Mori Studio")
    full = encoded(Image.new("RGB", (96, 64), "teal"), pnginfo=texts)
    owner = make.user()
    reference = upload(session, files, owner, png(), "a.png")
    reference.rights = {"creator": "Ito Kenji"}
    for stranger in (make.user(), make.user(Role.REVIEWER)):
        assert upload(session, files, stranger, full, "b.png") is reference
        assert reference.rights == {"creator": "Ito Kenji"}, "facts come from who may change them"
        assert (reference.uploaded_by_id, reference.original_name) == (owner.id, "a.png")
    withdrawal = rights.withdraw(session, owner, reference, Reason(reason="A mistake"))
    upload(session, files, owner, full, "b.png")
    assert reference.rights == {"creator": "Ito Kenji"}, "nothing changes until it is restored"
    rights.restore(session, owner, reference, Reason(reason="None"), withdrawal.id)
    assert upload(session, files, owner, full, "b.png") is reference
    assert reference.rights == {"creator": "Ito Kenji", "copyright": "Mori Studio"}


@pytest.mark.parametrize(
    ("name", "kept"), [("../../etc/passwd\0.png", "../../etc/passwd.png"), ("", "picture"), ("富" * 300, "富" * 255)]
)
def test_original_name_is_only_kept_as_text(
    session: Session, make: Factory, files: Files, name: str, kept: str
) -> None:
    assert upload(session, files, make.user(), png(), name).original_name == kept


def test_upload_refused_leaves_nothing(session: Session, make: Factory, files: Files) -> None:
    with pytest.raises(Invalid):
        upload(session, files, make.user(), b"<svg/>", "a.png")
    with pytest.raises(Invalid, match=r"at most 0\.001 million"):
        upload(session, files, make.user(), png(), "a.png", Limits(pixels=1000))
    assert session.scalars(select(Reference)).all() == []
    assert not files.root.exists()


def test_closed_account_upload_403(session: Session, make: Factory, files: Files) -> None:
    with pytest.raises(Forbidden):
        upload(session, files, make.user(active=False), png(), "a.png")


# Drafts


def test_draft_from_form(make: Factory) -> None:
    reference = make.reference()
    draft = StyleSpec.from_form(form(reference))
    assert draft.name == "Retro sunburst"
    assert (draft.method, draft.strength, draft.scale) == ("ddim", 1.5, 0.8)
    assert (draft.share_group_norm, draft.adain_values) == (True, False)
    assert draft.references[0].reference_id == reference.id
    assert draft.references[0].crop == CropSpec(x=0.1, y=0, width=0.8, height=1)


def test_draft_from_an_almost_empty_form(make: Factory) -> None:
    reference = make.reference()
    draft = StyleSpec.from_form({"name": "A", "strength": "", "reference_id": str(reference.id)})
    assert (draft.strength, draft.method, draft.references[0].crop) == (1.0, "noise", CropSpec())


def test_draft_reports_all_wrong_fields_together() -> None:
    with pytest.raises(Invalid) as raised:
        StyleSpec.from_form({"name": "  ", "strength": "2.5", "scale": "nan", "method": "magic"})
    assert raised.value.errors == {
        "name": "Name is missing.",
        "method": "Method must be 'noise' or 'ddim'; 'magic' was given.",
        "strength": "Strength must be a number from 0 to 2; '2.5' was given.",
        "scale": "Scale must be a number from 0 to 2; 'nan' was given.",
        "picture": "Upload a picture, then choose the part to use.",
    }


@pytest.mark.parametrize("crop", [{"crop_x": "-0.1"}, {"crop_width": "1.1"}, {"crop_y": "wide"}])
def test_draft_with_an_impossible_crop_422(make: Factory, crop: dict[str, str]) -> None:
    with pytest.raises(Invalid) as raised:
        StyleSpec.from_form(form(make.reference(), **crop))
    assert raised.value.field == "picture"


# Styles


def test_create(session: Session, make: Factory) -> None:
    user, reference = make.user(), make.reference()
    style = service.create(session, user, StyleSpec.from_form(form(reference)))
    session.flush()
    session.expire_all()
    version = queries.by_code(session, user, style.code).versions[0]
    assert re.fullmatch(f"SOR-[{service.CODE_LETTERS}]{{4}}", style.code)
    assert (version.number, version.text, version.reference_prompt) == (1, "vintage poster", "a train")
    part = version.references[0]
    assert (part.position, part.reference_id, part.weight) == (1, reference.id, 1.0)
    assert (part.crop_x, part.crop_y, part.crop_width, part.crop_height) == (0.1, 0.0, 0.8, 1.0)


def test_create_is_recorded(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user, make.reference())
    acts = session.scalars(select(AuditEvent.act).where(AuditEvent.user_id == user.id)).all()
    assert acts == [Act.STYLE_CREATE, Act.STYLE_VERSION]
    assert style.owner_id == user.id


def test_code_has_no_letters_that_look_alike() -> None:
    assert not set(service.CODE_LETTERS) & set("01OILU")
    assert len(service.CODE_LETTERS) == len(set(service.CODE_LETTERS)) == 30


def test_taken_code_is_drawn_again(session: Session, make: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = chain("222222222222", repeat("3"))
    monkeypatch.setattr("app.styles.service.secrets.choice", lambda _: next(drawn))
    first = make.style()
    second = make.style()
    assert (first.code, second.code) == ("SOR-2222", "SOR-3333")
    assert len(session.scalars(select(Style)).all()) == 2


@pytest.mark.parametrize("references", [(), (404,)])
def test_create_without_picture_422(session: Session, make: Factory, references: tuple[int, ...]) -> None:
    parts = tuple(ReferenceSpec(reference_id=number) for number in references)
    with pytest.raises(Invalid) as raised:
        service.create(session, make.user(), StyleSpec(name="A", references=parts))
    assert raised.value.field == "picture"


@pytest.mark.parametrize(
    ("crop", "sentence"),
    [
        ({"crop_x": "0.5", "crop_width": "0.6"}, "reaches beyond the picture"),
        ({"crop_width": "0.5"}, "The crop is 48 × 64 px; each side needs at least 64 px"),
        ({"crop_width": "0"}, "The crop is 0 × 64 px"),
    ],
)
def test_create_with_a_poor_crop_422(session: Session, make: Factory, crop: dict[str, str], sentence: str) -> None:
    draft = StyleSpec.from_form(form(make.reference(), **{"crop_x": "0", **crop}))
    with pytest.raises(Invalid, match=sentence):
        service.create(session, make.user(), draft)


def test_closed_account_create_403(session: Session, make: Factory) -> None:
    with pytest.raises(Forbidden):
        service.create(session, make.user(active=False), make.draft())


def test_several_references_keep_their_order_and_weights(session: Session, make: Factory) -> None:
    references = make.reference(), make.reference()
    parts = tuple(
        ReferenceSpec(reference_id=reference.id, weight=weight)
        for reference, weight in zip(references, (0.7, 0.3), strict=True)
    )
    style = service.create(session, make.user(), StyleSpec(name="Both", references=parts))
    session.flush()
    rows = session.execute(select(StyleReference.reference_id, StyleReference.weight).order_by(StyleReference.position))
    assert rows.all() == [(references[0].id, 0.7), (references[1].id, 0.3)]
    assert style.versions[0].number == 1


# Versions


def test_edit_makes_the_next_version(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    reference = style.versions[0].references[0].reference
    version = service.add_version(session, user, style, make.draft(reference, strength=2, name="Sunburst"))
    session.flush()
    session.expire_all()
    assert version.number == 2
    assert [(row.number, row.strength) for row in style.versions] == [(2, 2.0), (1, 1.0)]
    assert style.name == "Sunburst"


def test_edit_that_changes_nothing_makes_no_version(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    reference = style.versions[0].references[0].reference
    version = service.add_version(session, user, style, make.draft(reference, name="New name"))
    assert version.number == 1
    assert style.name == "New name"


def test_edit_of_the_crop_alone_makes_a_version(session: Session, make: Factory) -> None:
    user = make.user()
    reference = make.reference()
    style = service.create(session, user, StyleSpec.from_form(form(reference)))
    session.flush()
    cropped = StyleSpec.from_form(form(reference, crop_x="0.2"))
    assert service.add_version(session, user, style, cropped).number == 2


@pytest.mark.parametrize("role", [Role.DESIGNER, Role.REVIEWER])
def test_others_change_style_403(session: Session, make: Factory, role: Role) -> None:
    style, user = make.style(), make.user(role)
    for act in (service.archive, service.unarchive):
        with pytest.raises(Forbidden):
            act(session, user, style)
    with pytest.raises(Forbidden):
        service.add_version(session, user, style, make.draft())


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_change_any_style(session: Session, make: Factory, role: Role) -> None:
    style = make.style()
    assert service.add_version(session, make.user(role), style, make.draft()).number == 2


def test_archive_and_back(session: Session, make: Factory) -> None:
    user = make.user()
    style = make.style(user)
    service.archive(session, user, style)
    with pytest.raises(Conflict, match="already archived"):
        service.archive(session, user, style)
    session.flush()
    assert queries.choices(session, user) == []
    service.unarchive(session, user, style)
    with pytest.raises(Conflict):
        service.unarchive(session, user, style)
    session.flush()
    assert [card.code for card in queries.choices(session, user)] == [style.code]


def test_further_references_stay_when_a_form_with_one_picture_is_saved(make: Factory, session: Session) -> None:
    owner = make.user()
    first, second, new = (make.reference(owner) for _ in range(3))
    parts = tuple(ReferenceSpec(reference_id=each.id, weight=weight) for each, weight in ((first, 1), (second, 2.5)))
    style = service.create(session, owner, StyleSpec(name="Duo", references=parts, blend=Blend.SPHERE))
    sent = StyleSpec.from_form(form(new, blend="weight"))
    version = service.add_version(session, owner, style, service.with_further(style, sent))
    assert [(use.reference_id, use.weight) for use in version.references] == [(new.id, 1.0), (second.id, 2.5)]
    assert version.blend == Blend.WEIGHT
    again = service.with_further(style, StyleSpec.from_form(form(second)))
    assert [part.reference_id for part in again.references] == [second.id], "none is there twice"
