"""Metadata in a delivered picture: IPTC's fields in XMP, then a signed C2PA manifest over the whole file.

Both say that a trained algorithm made it, which, from what, and by which prompt. Sources: C2PA 2.x, "Actions" and
"Ingredient"; IPTC Photo Metadata 2025.1, "AI" properties; the digital source types of IPTC's NewsCodes.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import c2pa
from PIL import Image, ImageCms, PngImagePlugin

from app import days, slow
from app.exports import certificates
from app.exports.certificates import SigningIdentity
from app.exports.options import PictureFormat
from app.text import shorten

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
TITLE_LENGTH = 80
PROGRESSIVE_PIXELS = 2**24  # of a JPEG; for a larger one, the encoder would hold six bytes more per pixel
# What was done to a picture for its size, in C2PA 2.x terms. C2PA has no term for padding, so it counts as an edit.
ACTIONS = {
    "cropped": ("c2pa.cropped", "Cropped to the requested shape"),  # English
    "resized": ("c2pa.resized", "Resized to the requested size"),  # English
    "padded": ("c2pa.edited", "Padded with its edge colour"),  # English
}
PNG_XMP = "XML:com.adobe.xmp"  # the keyword under which PNG keeps XMP


@dataclass(frozen=True)
class Source:
    """A reference whose look the picture has."""

    name: str
    sha256: str
    creator: str = ""  # or the owner of the right
    copyright: str = ""  # or the licence


@dataclass(frozen=True)
class Input:
    """Other inputs of the picture: a map that it follows, a picture or file that a subject was learned from."""

    title: str
    sha256: str
    what: str  # such as "Structure map (edges)"
    model: bool = False  # a file with weights, not a picture


@dataclass(frozen=True)
class Origin:
    """How a picture was made."""

    prompt: str  # "" to leave it out
    model: str
    made_at: datetime
    style: str  # such as "Retro sunburst (SOR-7K2Q, version 2)"
    sources: tuple[Source, ...]
    inputs: tuple[Input, ...] = ()
    steps: tuple[str, ...] = ()  # what was done for its size, as `shapes.steps` names it


@cache
def software() -> str:
    """Our own version."""
    return version("soroe")


# The file


def encoded(picture: Image.Image, form: PictureFormat, quality: int, origin: Origin) -> bytes:
    """Encode an RGB picture as a file with the sRGB profile and IPTC's fields, not signed yet."""
    packet = xmp(origin)
    written = io.BytesIO()
    options: dict[str, Any] = {"icc_profile": srgb()}
    if form.kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(PNG_XMP, packet.decode())
        options |= {"pnginfo": text, "compress_level": 6}
    else:
        options |= {"xmp": packet, "quality": quality}
        if form.kind == "JPEG":
            # Halve the colour resolution only at low qualities.
            options |= {"subsampling": 0 if quality >= 85 else 2}
            if picture.width * picture.height <= PROGRESSIVE_PIXELS:
                options |= {"optimize": True, "progressive": True}
        elif form.kind == "AVIF":
            options |= {"speed": 6, "max_threads": 1}
    picture.save(written, form.kind, **options)
    return written.getvalue()


@cache
def srgb() -> bytes:
    """An ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# IPTC


def xmp(origin: Origin) -> bytes:
    """An XMP packet."""
    fields = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "Iptc4xmpExt:AISystemUsed": f"Soroe with {origin.model}",
        "Iptc4xmpExt:AISystemVersionUsed": software(),
        "Iptc4xmpExt:AIPromptInformation": origin.prompt,
        "xmp:CreatorTool": f"Soroe {software()}",
        "xmp:CreateDate": days.stamped(origin.made_at),
    }
    attributes = "".join(f"\n  {name}={quoteattr(text)}" for name, text in fields.items() if text)
    title = escape(_title(origin))
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about=""
  xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"{attributes}>
  <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
 </rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>""".encode()


# C2PA


@slow.outside
def signed(data: bytes, form: PictureFormat, origin: Origin, identity: SigningIdentity) -> bytes:
    """Embed a signed C2PA manifest in `data`: verification detects any later change of the file."""
    made = io.BytesIO()
    with (
        certificates.signer(identity) as signer,
        c2pa.Builder(json.dumps(manifest(origin), ensure_ascii=False), _context()) as builder,
    ):
        builder.sign(signer, form.media_type, io.BytesIO(data), made)
    return made.getvalue()


def manifest(origin: Origin) -> dict[str, Any]:
    """The statement to sign: created here by a trained algorithm; its inputs; what was done for its size."""
    ingredients = [_reference(number, source) for number, source in enumerate(origin.sources, start=1)]
    ingredients += [_input(number, given) for number, given in enumerate(origin.inputs, start=1)]
    ingredients.append(
        {
            "label": "model",
            "title": origin.model,
            "format": "application/octet-stream",
            "relationship": "inputTo",
            "data_types": [{"type": "c2pa.types.model"}],
        }
    )
    agent = {"name": "Soroe", "version": software()}
    created = {
        "action": "c2pa.created",
        "when": origin.made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "softwareAgent": agent,
        "digitalSourceType": SOURCE_TYPE,
        "description": f"Made by {origin.model} in the style {origin.style}"
        + (f" from the prompt: {origin.prompt}" if origin.prompt else ""),
        "parameters": {"ingredientIds": [ingredient["label"] for ingredient in ingredients]},
    }
    return {
        "claim_generator_info": [agent],
        "title": _title(origin),
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created, *map(_action, origin.steps)]}}],
        "ingredients": ingredients,
    }


def verified(data: bytes, media_type: str, authority: str = "") -> Mapping[str, Any]:
    """What a C2PA reader finds: `validation_state` ("Trusted", "Valid" or "Invalid"), `manifests` and more.

    `authority` is the trusted PEM. Raises C2paError if there is no manifest.
    """
    trust = {"trust": {"user_anchors": authority}} if authority else {}
    with (
        c2pa.Context(c2pa.Settings.from_dict({"verify": {"verify_trust": True}, **trust})) as context,
        c2pa.Reader(media_type, io.BytesIO(data), None, context) as reader,
    ):
        found: Mapping[str, Any] = json.loads(reader.json())
        return found


def _reference(number: int, source: Source) -> dict[str, Any]:
    rights = ", ".join(filter(None, (source.creator, source.copyright)))
    return {
        "label": f"reference-{number}",
        "title": source.name,
        "format": "image/png",
        "instance_id": f"urn:sha256:{source.sha256}",
        "relationship": "inputTo",
        "description": f"Reference picture, SHA-256 {source.sha256}" + (f". Rights: {rights}" if rights else ""),
    }


def _input(number: int, given: Input) -> dict[str, Any]:
    return {
        "label": f"input-{number}",
        "title": given.title,
        "format": "application/octet-stream" if given.model else "image/png",
        "instance_id": f"urn:sha256:{given.sha256}",
        "relationship": "inputTo",
        "description": f"{given.what}, SHA-256 {given.sha256}",
        **({"data_types": [{"type": "c2pa.types.model"}]} if given.model else {}),
    }


def _action(step: str) -> dict[str, Any]:
    name, what = ACTIONS[step]
    return {"action": name, "softwareAgent": {"name": "Soroe", "version": software()}, "description": what}


def _title(origin: Origin) -> str:
    return shorten(origin.prompt, TITLE_LENGTH) or "Picture made by Soroe"


@cache
def _context() -> c2pa.Context:
    # No thumbnails: they would add a tenth to every file. Nothing is fetched from the network.
    return c2pa.Context(c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}}))
