"""Metadata of a delivered picture, read by third-party libraries."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from c2pa import C2paError
from PIL import Image, ImageCms

from app.exports import certificates, provenance
from app.exports.certificates import SigningIdentity
from app.exports.options import FORMATS, PictureFormat
from app.exports.provenance import SOURCE_TYPE, Input, Origin, Source
from app.settings import Settings
from tests.exports.test_certificates import own

ORIGIN = Origin(
    prompt='a fox, "quick" & <brown> 狐',
    model="demo",
    made_at=datetime(2026, 11, 23, 15, 45, tzinfo=UTC),
    style="Retro sunburst (SOR-7K2Q, version 2)",
    sources=(Source("poster.png", "ab" * 32, creator="Mori Haruka", copyright="© 2026 Mori"),),
)
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
PIXELS = {"PNG": b"IDAT", "JPEG": b"\xff\xda", "WEBP": b"VP8 ", "AVIF": b"mdat"}  # the marker before the pixels


def pixels_at(data: bytes, kind: str) -> int:
    """Where the marker is. A JPEG's is only two bytes, which a signature has by chance: walk its segments to it."""
    if kind != "JPEG":
        return data.index(PIXELS[kind])
    at = 2
    while data[at : at + 2] != PIXELS[kind]:
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return at


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> SigningIdentity:
    return certificates.identity(Settings(data=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.effect_noise((96, 64), 60).convert("RGB")


@pytest.fixture(params=FORMATS.values(), ids=lambda form: form.title)
def form(request: pytest.FixtureRequest) -> PictureFormat:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def delivered(picture: Image.Image, form: PictureFormat, identity: SigningIdentity) -> bytes:
    return provenance.signed(provenance.encoded(picture, form, 90, ORIGIN), form, ORIGIN, identity)


def active(found: Any) -> Any:
    return found["manifests"][found["active_manifest"]]


def test_a_reader_that_trusts_our_authority_trusts_the_picture(
    delivered: bytes, form: PictureFormat, identity: SigningIdentity
) -> None:
    found = provenance.verified(delivered, form.media_type, identity.authority)
    assert found["validation_state"] == "Trusted"
    assert found["validation_results"]["activeManifest"]["failure"] == []


def test_a_reader_that_does_not_know_our_authority_finds_the_rest_valid(delivered: bytes, form: PictureFormat) -> None:
    found = provenance.verified(delivered, form.media_type)
    failures = found["validation_results"]["activeManifest"]["failure"]
    assert [failure["code"] for failure in failures] == ["signingCredential.untrusted"]


def test_it_was_created_by_a_trained_algorithm_from_the_reference(delivered: bytes, form: PictureFormat) -> None:
    manifest = active(provenance.verified(delivered, form.media_type))
    (actions,) = [each for each in manifest["assertions"] if each["label"].startswith("c2pa.actions")]
    (action,) = actions["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == SOURCE_TYPE
    assert action["softwareAgent"] == {"name": "Soroe", "version": provenance.software()}
    assert action["when"] == "2026-11-23T15:45:00Z"
    assert ORIGIN.prompt in action["description"]
    assert len(action["parameters"]["ingredients"]) == 2
    reference, model = manifest["ingredients"]
    assert (reference["title"], reference["relationship"]) == ("poster.png", "inputTo")
    assert reference["instance_id"] == f"urn:sha256:{'ab' * 32}"
    assert "Mori Haruka" in reference["description"]
    assert (model["title"], model["relationship"]) == ("demo", "inputTo")
    assert model["data_types"] == [{"type": "c2pa.types.model"}]
    assert manifest["claim_generator_info"][0]["name"] == "Soroe"
    assert manifest["signature_info"]["alg"] == "Es256"


def test_it_says_what_was_done_for_its_size_and_what_else_went_into_it(
    picture: Image.Image, form: PictureFormat, identity: SigningIdentity
) -> None:
    origin = replace(
        ORIGIN,
        steps=("cropped", "resized", "padded"),
        inputs=(
            Input("square.png", "cd" * 32, "Structure map (edges)"),
            Input("Blue mug", "ef" * 32, "Subject @mug", model=True),
        ),
    )
    data = provenance.signed(provenance.encoded(picture, form, 90, origin), form, origin, identity)
    found = provenance.verified(data, form.media_type, identity.authority)
    assert found["validation_state"] == "Trusted"
    manifest = active(found)
    (actions,) = [each for each in manifest["assertions"] if each["label"].startswith("c2pa.actions")]
    done = [action["action"] for action in actions["data"]["actions"]]
    assert done == ["c2pa.created", "c2pa.cropped", "c2pa.resized", "c2pa.edited"]
    assert len(actions["data"]["actions"][0]["parameters"]["ingredients"]) == 4
    told = [(each["title"], each["relationship"], each["instance_id"][-4:]) for each in manifest["ingredients"][1:3]]
    assert told == [("square.png", "inputTo", "cdcd"), ("Blue mug", "inputTo", "efef")]


@pytest.mark.parametrize("offset", [20, 200, 900])
def test_a_changed_byte_of_the_pixels_is_found(
    delivered: bytes, form: PictureFormat, identity: SigningIdentity, offset: int
) -> None:
    changed = bytearray(delivered)
    changed[pixels_at(delivered, form.kind) + offset] ^= 1
    found = provenance.verified(bytes(changed), form.media_type, identity.authority)
    assert found["validation_state"] == "Invalid"
    codes = {failure["code"] for failure in found["validation_results"]["activeManifest"]["failure"]}
    assert codes & {"assertion.dataHash.mismatch", "assertion.bmffHash.mismatch"}


def test_a_changed_word_of_the_metadata_is_found(
    delivered: bytes, form: PictureFormat, identity: SigningIdentity
) -> None:
    changed = delivered.replace(b"trainedAlgorithmicMedia", b"digitalCapture_________", 1)
    assert changed != delivered
    assert provenance.verified(changed, form.media_type, identity.authority)["validation_state"] == "Invalid"


def test_a_picture_saved_by_another_program_has_no_manifest(delivered: bytes, form: PictureFormat) -> None:
    again = io.BytesIO()
    with Image.open(io.BytesIO(delivered)) as opened:
        opened.save(again, form.kind)
    with pytest.raises(C2paError):
        provenance.verified(again.getvalue(), form.media_type)


def test_iptc_fields_are_in_the_file(delivered: bytes) -> None:
    with Image.open(io.BytesIO(delivered)) as opened:
        opened.load()
        packet = opened.info.get("xmp") or opened.info["XML:com.adobe.xmp"]
    (description,) = ElementTree.fromstring(packet)[0]  # noqa: S314  (our own)
    assert description.get(f"{IPTC}DigitalSourceType") == SOURCE_TYPE
    assert description.get(f"{IPTC}AISystemUsed") == "Soroe with demo"
    assert description.get(f"{IPTC}AISystemVersionUsed") == provenance.software()
    assert description.get(f"{IPTC}AIPromptInformation") == ORIGIN.prompt


def test_a_hidden_prompt_is_nowhere(picture: Image.Image, form: PictureFormat, identity: SigningIdentity) -> None:
    silent = Origin("", ORIGIN.model, ORIGIN.made_at, ORIGIN.style, ORIGIN.sources)
    data = provenance.signed(provenance.encoded(picture, form, 90, silent), form, silent, identity)
    assert b"AIPromptInformation" not in data
    assert provenance.verified(data, form.media_type, identity.authority)["validation_state"] == "Trusted"


def test_the_pixels_are_srgb_and_say_so(delivered: bytes, picture: Image.Image, form: PictureFormat) -> None:
    with Image.open(io.BytesIO(delivered)) as opened:
        assert opened.format == form.kind
        profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        assert opened.size == picture.size
        if not form.lossy:
            assert opened.convert("RGB").tobytes() == picture.tobytes()


def test_the_teams_own_certificate_signs(tmp_path: Any, picture: Image.Image, form: PictureFormat) -> None:
    identity = certificates.identity(own(tmp_path))
    data = provenance.signed(provenance.encoded(picture, form, 90, ORIGIN), form, ORIGIN, identity)
    found = provenance.verified(data, form.media_type, identity.authority)
    assert found["validation_state"] == "Trusted"
    assert active(found)["signature_info"]["common_name"] == "Example Studio"
