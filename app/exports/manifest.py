"""`manifest.csv` and `manifest.json`: what each file of an export is, how it was made, and who approved it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app import csv, days
from app.customs.sheets import counted
from app.exports import provenance
from app.exports.contents import DecisionRow, FileRow
from app.exports.options import pixels
from app.exports.set_facts import SetRow
from app.models import Export, Verdict
from app.rights.queries import stated
from app.rights.standing import Held

CSV, JSON, MISSING = "manifest.csv", "manifest.json", "missing-files.txt"
LOST = "The server lost this picture's file, or it is damaged, so it is not in this zip."  # English

PEOPLE = ("person", "consent", "consent_until")  # of references and of subjects

COLUMNS = (
    "file",
    "image",
    "picture version",
    "prompt",
    "drawn as",
    "seed",
    "campaign",
    "set",
    "style",
    "style code",
    "version",
    "references",
    "rights",
    "rights owner",
    "rights licence",
    "rights from",
    "rights until",
    "rights standing",
    "rights territory",
    "rights allows",
    "real people",
    "consent",
    "consent until",
    "model",
    "size",
    "made as",
    "steps",
    "guidance",
    "scheduler",
    "strength",
    "decisions",
    "checklists",
    "on brand",
    "approved by",
    "approved at",
    "sha256",
    "bytes",
    "measures",
    "flags",
    "note",
)

Line = tuple[FileRow, SetRow, Sequence[DecisionRow]]


def as_csv(lines: Iterable[Line]) -> Iterator[bytes]:
    """A CSV that spreadsheets open correctly: with a byte-order mark and harmless cells."""
    yield csv.BEGIN
    yield csv.lines([COLUMNS])
    for line in lines:
        yield csv.lines([_cells(*line)])


def as_json(export: Export, lines: Iterable[Line]) -> Iterator[bytes]:
    """The same and more as JSON, one file per line."""
    head = {
        "export": export.id,
        "name": export.name,
        "made": days.stamped(export.created_at),
        "by": export.made_by.name,
        "software": f"Soroe {provenance.software()}",
        "options": export.options,
    }
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "files": ['
    before = b"\n"
    answers: dict[str, Any] = {}
    for file, image_set, decisions in lines:
        yield before + json.dumps(_entry(file, image_set, decisions), ensure_ascii=False).encode()
        before = b",\n"
        answers |= {each.sheet.sha256: each.sheet.content for each in decisions if each.sheet}
    yield b"\n]"
    if answers:  # once, however many decisions were made on the same ones
        yield b', "answers": ' + json.dumps(answers, ensure_ascii=False).encode()
    yield b"}\n"


def missing(names: Iterable[str]) -> bytes:
    """A note on what is missing from the zip."""
    said = "These pictures are approved, but their files are lost or damaged, so they are not in this zip."  # English
    return "\r\n".join([said, "", *names, ""]).encode("utf-8-sig")


def rights(sources: Iterable[Mapping[str, Any]]) -> str:
    """Creators, copyrights and credits of references, in one cell."""
    return "; ".join(", ".join(f"{name}: {text}" for name, text in each.items()) for each in sources if each)


def _stated(image_set: SetRow, name: str) -> str:
    """What the rights records of a set's references say under `name`, in one cell: one part each, in the same order."""
    helds = [source.held for source in image_set.sources]
    if name in PEOPLE:
        helds += [held for held, _documents in image_set.people]
    parts = [getattr(held.record, name, None) or "" for held in helds if name not in PEOPLE or _shows_person(held)]
    return "; ".join(map(str, parts)) if any(parts) else ""


def _shows_person(held: Held) -> bool:
    return held.record is not None and bool(held.record.person)


def _cells(file: FileRow, image_set: SetRow, decisions: Sequence[DecisionRow]) -> tuple[str | float, ...]:
    settings = _settings(file, image_set)
    approvals = [each for each in decisions if each.stands and each.verdict == Verdict.APPROVED]
    return (
        file.name,
        file.image_id,
        file.version,
        file.prompt,
        file.drawn_as or "",
        file.seed,
        file.campaign,
        image_set.name,
        image_set.style,
        image_set.code,
        image_set.version,
        " ".join(source.sha256 for source in image_set.sources),
        rights(source.rights for source in image_set.sources),
        _stated(image_set, "owned_by"),
        _stated(image_set, "licence"),
        _stated(image_set, "valid_from"),
        _stated(image_set, "valid_until"),
        "; ".join(source.held.standing.kind for source in image_set.sources),
        _stated(image_set, "territory"),
        _stated(image_set, "allows"),
        _stated(image_set, "person"),
        _stated(image_set, "consent"),
        _stated(image_set, "consent_until"),
        image_set.model,
        "x".join(map(str, _size(file, image_set))),
        settings["size"],
        settings["steps"],
        settings["guidance"],
        settings["scheduler"],
        settings["strength"],
        "; ".join(f"{each.verdict.replace('_', ' ')} by {each.by}" for each in decisions),
        "; ".join(dict.fromkeys(told for each in approvals if each.sheet for told in counted(each.sheet.content))),
        "" if file.on_brand is None else file.on_brand,
        "; ".join(each.by for each in approvals),
        days.stamped(approvals[-1].at),
        file.sha256 or "",
        file.bytes or "",
        "; ".join(f"{name}={number:g}" for name, number in (file.numbers or {}).items()),
        "; ".join(file.flags or ()),
        LOST if file.lost else "",
    )


def _entry(file: FileRow, image_set: SetRow, decisions: Sequence[DecisionRow]) -> dict[str, Any]:
    width, height = _size(file, image_set)
    return {
        "file": None if file.lost else file.name,
        **({"lost": file.name, "note": LOST} if file.lost else {}),
        "sha256": file.sha256,
        "bytes": file.bytes,
        "width": width,
        "height": height,
        "image": file.image_id,
        "version": file.version,
        "prompt": file.prompt,
        **({"drawn as": file.drawn_as} if file.drawn_as else {}),
        "seed": file.seed,
        "made": days.stamped(file.made_at),
        "campaign": file.campaign,
        "set": image_set.name,
        "style": {"name": image_set.style, "code": image_set.code, "version": image_set.version},
        "references": [
            {
                "sha256": each.sha256,
                "name": each.name,
                "weight": each.weight,
                "rights": each.rights,
                "rights record": stated(each.held, each.documents),
            }
            for each in image_set.sources
        ],
        **(
            {"subjects show": [stated(held, documents) for held, documents in image_set.people]}
            if image_set.people
            else {}
        ),
        "model": image_set.model,
        "settings": _settings(file, image_set),
        **({"on brand": {"score": file.on_brand, "parts": file.brand_parts}} if file.on_brand is not None else {}),
        "decisions": [_decision(each) for each in decisions],
        **_measured(file),
    }


def _measured(file: FileRow) -> dict[str, Any]:
    """What was measured of a picture, as docs/measures.md defines it; nothing if it was not."""
    if not file.numbers:
        return {}
    return {"measures": file.numbers, "flags": file.flags or {}, "measured by": file.embedders or {}}


def _decision(row: DecisionRow) -> dict[str, Any]:
    """`answers` names those to the checklists, which are at the end of the manifest."""
    told = {"verdict": row.verdict, "by": row.by, "at": days.stamped(row.at)}
    if row.sheet:
        return told | {"checklists": counted(row.sheet.content), "answers": row.sheet.sha256}
    return told


def _settings(file: FileRow, image_set: SetRow) -> dict[str, Any]:
    """The settings of the picture: its set's, except for a strength of its own."""
    return image_set.settings | {"strength": file.strength}


def _size(file: FileRow, image_set: SetRow) -> tuple[int, int]:
    return pixels(file.size) or (image_set.width, image_set.height)
