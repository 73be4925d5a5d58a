"""The subjects that the form of a set offers."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.models import User
from app.specs import read_json
from app.subjects import queries
from app.web.deps import Resources


def offered(session: Session, resources: Resources, me: User, form: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subjects that a set's form offers, with its values for them."""
    chosen = asked(form.get("subjects", ""))
    return [
        {
            "id": subject.id,
            "handle": subject.handle,
            "name": subject.name,
            "picture": bool(subject.pictures),
            "chosen": subject.id in chosen,
            "weight": chosen.get(subject.id, 1.0),
        }
        for subject in queries.choices(session, me, resources.engine.model.name)
    ]


def asked(value: str) -> dict[int, float]:
    """Weights by subject, from the form's hidden field; ignores the unreadable, which the service reports."""
    try:
        return {int(part["id"]): float(part.get("weight", 1)) for part in read_json(value or "[]")}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
