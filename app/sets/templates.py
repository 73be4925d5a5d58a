"""Templates: settings of the form of a new set under a name, one's own or shared, and recent prompts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session, joinedload

from app.accounts.queries import signed_in
from app.accounts.service import may_change, need_active
from app.audit.service import record
from app.blocked import queries as blocked
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.languages import gettext as _
from app.models import Act, FormTemplate, RecentPrompt, TemplateKind, User, now
from app.sets.spec import json_list
from app.text import clean_line, clean_prompt

FIELDS = {
    TemplateKind.SET: (
        *("style", "strength", "size", "width", "height", "count", "campaign"),
        *("steps", "guidance", "scheduler", "negative_prompt", "seamless", "structures", "subjects", "regions"),
    ),
    TemplateKind.NEGATIVE: ("negative_prompt",),
}
NAME_LENGTH = 60
MOST_TEMPLATES = 100  # of one person
RESTORABLE = timedelta(days=30)
RECENT = 50  # prompts of a person


def listed(session: Session, user: User, *, deleted: bool = False) -> Sequence[FormTemplate]:
    """One's own templates, then those that others share; or one's own `deleted` ones, the latest first."""
    own = FormTemplate.owner_id == user.id
    found = select(FormTemplate).where(signed_in(user)).options(joinedload(FormTemplate.owner))
    if deleted:
        gone = found.where(own, FormTemplate.deleted_at.is_not(None))
        return session.scalars(gone.order_by(FormTemplate.deleted_at.desc())).all()
    kept = found.where(or_(own, FormTemplate.shared), FormTemplate.deleted_at.is_(None))
    return session.scalars(kept.order_by(~own, func.lower(FormTemplate.name), FormTemplate.id)).all()


def get(session: Session, user: User, template_id: int) -> FormTemplate:
    """A template that someone may use. Raises NotFound."""
    template = session.get(FormTemplate, template_id)
    if not template or template.deleted_at or not (template.shared or template.owner_id == user.id):
        raise NotFound(_("There is no such template; it may have been deleted."))
    return template


def save(
    session: Session, user: User, kind: TemplateKind, name: str, values: Mapping[str, Any], shared: bool = False
) -> FormTemplate:
    """Save a form's `values` under a name; replaces one's own of that name. Raises Invalid of "template_name"."""
    need_active(user)
    name = _named(name)
    kept = {field: values[field] for field in FIELDS[kind] if field in values}
    if kind is TemplateKind.NEGATIVE and not clean_line(kept.get("negative_prompt", "")):
        raise Invalid("template_name", _("Write a negative prompt first, then save it."))
    if why := blocked.problem(session, user, _region_prompts(kept)):
        raise Invalid("template_name", why)
    template = _own(session, user, kind, name) or _new(session, user, kind, name)
    template.values, template.shared = kept, shared
    session.add(template)
    record(session, user, Act.TEMPLATE_SAVE, template, name=name, shared=shared)
    return template


def _region_prompts(values: Mapping[str, Any]) -> list[str]:
    """The prompts of a form's regions, as far as they can be read."""
    try:
        parts = json_list(values.get("regions") or "[]")
    except ValueError:
        return []
    given = [part.get("prompt") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [clean_prompt(prompt) for prompt in given if isinstance(prompt, str)]


def change(session: Session, user: User, template_id: int, name: str, shared: bool) -> FormTemplate:
    """Rename a template, and share it or not. Raises NotFound, Forbidden and Invalid of "template_name"."""
    template = _changeable(session, user, template_id)
    name = _named(name)
    other = _own(session, template.owner, template.kind, name)
    if other and other.id != template.id:
        taken = _("There is already a template '%(name)s'. Choose another name.", name=name)
        raise Invalid("template_name", taken)
    if (template.name, template.shared) != (name, shared):
        before = {"before": template.name} if template.name != name else {}
        template.name, template.shared = name, shared
        record(session, user, Act.TEMPLATE_CHANGE, template, name=name, shared=shared, **before)
    return template


def remove(session: Session, user: User, template_id: int) -> FormTemplate:
    """Delete a template; it can be restored for 30 days. Raises NotFound and Forbidden."""
    template = _changeable(session, user, template_id)
    template.deleted_at = now()
    record(session, user, Act.TEMPLATE_DELETE, template, name=template.name)
    return template


def restore(session: Session, user: User, template_id: int) -> FormTemplate:
    """Restore a deleted template. Raises NotFound, Forbidden, and Conflict if its name was given to another."""
    template = session.get(FormTemplate, template_id)
    if not template or not template.deleted_at:
        raise NotFound(_("There is no deleted template of that kind. It may be restored already."))
    _need_right(user, template)
    if _own(session, template.owner, template.kind, template.name):
        raise Conflict(
            _(
                "There is a newer template '%(name)s'. Rename that one first, then restore this one.",
                name=template.name,
            )
        )
    template.deleted_at = None
    record(session, user, Act.TEMPLATE_RESTORE, template, name=template.name)
    return template


def forget_deleted(session: Session, before: datetime) -> int:
    """Remove templates that were deleted before a time, and count them."""
    gone = delete(FormTemplate).where(FormTemplate.deleted_at < before)
    return len(session.scalars(gone.returning(FormTemplate.id)).all())


def _named(name: str) -> str:
    name = clean_line(name)
    if not name:
        raise Invalid("template_name", _("Enter a name for the template."))
    if len(name) > NAME_LENGTH:
        long = _("The name has %(length)s characters; at most %(most)s fit.", length=len(name), most=NAME_LENGTH)
        raise Invalid("template_name", long)
    return name


def _own(session: Session, user: User, kind: TemplateKind, name: str) -> FormTemplate | None:
    own = FormTemplate.owner_id == user.id, FormTemplate.kind == kind, FormTemplate.deleted_at.is_(None)
    return session.scalar(select(FormTemplate).where(*own, FormTemplate.name == name))


def _new(session: Session, user: User, kind: TemplateKind, name: str) -> FormTemplate:
    kept = FormTemplate.owner_id == user.id, FormTemplate.deleted_at.is_(None)
    if (session.scalar(select(func.count()).where(*kept)) or 0) >= MOST_TEMPLATES:
        full = _("You have %(number)s templates, the most there can be. Delete one first.", number=MOST_TEMPLATES)
        raise Invalid("template_name", full)
    return FormTemplate(owner_id=user.id, kind=kind, name=name)


def _changeable(session: Session, user: User, template_id: int) -> FormTemplate:
    template = get(session, user, template_id)
    _need_right(user, template)
    return template


def _need_right(user: User, template: FormTemplate) -> None:
    if not may_change(user, template):
        raise Forbidden(_("Only %(name)s or a manager can change this template.", name=template.owner.name))


# Recent prompts


def remember(session: Session, user: User, prompts: Sequence[str]) -> None:
    """Put prompts on top of a person's recent ones, the first uppermost, and drop the oldest."""
    kept = list(dict.fromkeys(prompts))[:RECENT]
    rows = [{"owner_id": user.id, "prompt": prompt, "used_at": now()} for prompt in reversed(kept)]
    gone = delete(RecentPrompt).where(RecentPrompt.owner_id == user.id)
    session.execute(gone.where(RecentPrompt.prompt.in_(kept)))  # so that its id, which orders them, is new
    session.execute(insert(RecentPrompt), rows)
    newest = select(RecentPrompt.id).where(RecentPrompt.owner_id == user.id)
    session.execute(gone.where(RecentPrompt.id.not_in(newest.order_by(RecentPrompt.id.desc()).limit(RECENT))))


def recent(session: Session, user: User) -> Sequence[RecentPrompt]:
    """A person's recent prompts, the latest first."""
    own = select(RecentPrompt).where(RecentPrompt.owner_id == user.id, signed_in(user))
    return session.scalars(own.order_by(RecentPrompt.id.desc())).all()


def forget_prompt(session: Session, user: User, prompt_id: int) -> None:
    """Remove a prompt from a person's own recent ones; does nothing if it is gone."""
    session.execute(delete(RecentPrompt).where(RecentPrompt.id == prompt_id, RecentPrompt.owner_id == user.id))
