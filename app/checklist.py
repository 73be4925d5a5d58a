"""First steps: what a person of each role does first, and which of it they have done.

The audit log says what really happened, so nothing has to be ticked, and what the sample campaign shows does not count.
The list ends when everything in it is done. It can be hidden before.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, literal, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import MY_ID, asks
from app.accounts.service import need_active
from app.languages import N_, translated
from app.models import Act, AuditEvent, Role, User

DESIGNER, REVIEWER, MANAGER, ADMIN = Role.DESIGNER, Role.REVIEWER, Role.MANAGER, Role.ADMIN


def _did(*acts: Act) -> ColumnElement[bool]:
    """Whether the person has done one of these."""
    return or_(*(exists(select(1).where(AuditEvent.act == act, AuditEvent.user_id == MY_ID)) for act in acts))


def _somebody_did(*acts: Act) -> ColumnElement[bool]:
    return or_(*(exists(select(1).where(AuditEvent.act == act)) for act in acts))


@dataclass(frozen=True)
class ChecklistItem:
    name: str
    label: str  # a message
    hint: str  # a message
    url: str
    roles: frozenset[Role]
    done: ColumnElement[bool]


def _step(name: str, label: str, hint: str, url: str, done: ColumnElement[bool], *roles: Role) -> ChecklistItem:
    return ChecklistItem(name, label, hint, url, frozenset(roles), done)


STEPS = (
    _step(
        "style",
        N_("Choose a reference"),
        N_("Upload a picture whose look you want, and save it as a style."),
        "/styles/new",
        _did(Act.STYLE_CREATE),
        DESIGNER,
        MANAGER,
        ADMIN,
    ),
    _step(
        "set",
        N_("Create a set"),
        N_("One prompt per line; each becomes a picture in that look."),
        "/sets/new",
        _did(Act.SET_CREATE),
        DESIGNER,
        MANAGER,
        ADMIN,
    ),
    _step(
        "review",
        N_("Review a picture"),
        N_("Approve it, request changes or reject it."),
        "/review",
        _did(Act.DECIDE),
        REVIEWER,
        MANAGER,
        ADMIN,
    ),
    _step(
        "comment",
        N_("Comment on a picture"),
        N_("Set a pin to show which spot you mean, and write @ to mention someone."),
        "/pictures",
        _did(Act.COMMENT),
        DESIGNER,
        REVIEWER,
    ),
    _step(
        "export",
        N_("Download an export"),
        N_("A zip of approved pictures, in the sizes that you need."),
        "/exports",
        _did(Act.EXPORT, Act.IMAGE_DOWNLOAD),
        DESIGNER,
        MANAGER,
        ADMIN,
    ),
    _step(
        "rules",
        N_("Set the review rules"),
        N_("Reasons to reject, how many approvals a picture needs, and who may approve their own."),
        "/review/settings",
        _somebody_did(Act.REASONS_CHANGE, Act.CAMPAIGN_CHANGE),
        MANAGER,
        ADMIN,
    ),
    _step(
        "invite",
        N_("Invite people"),
        N_("Each gets a link for an account, with the role that you choose."),
        "/people",
        or_(_did(Act.ACCOUNT_INVITE), exists(select(1).where(User.id != MY_ID))),
        ADMIN,
    ),
    _step(
        "factor",
        N_("Protect your account"),
        N_("Add a passkey or an authenticator app, because administrators can do everything."),
        "/account/security",
        _did(Act.FACTOR_ADD),
        ADMIN,
    ),
    _step(
        "backup",
        N_("Back up the data"),
        N_("Run “soroe backup FOLDER” on the server, with a folder on another disk."),
        "",
        _somebody_did(Act.BACKUP),
        ADMIN,
    ),
)
_DONE = select(*(step.done.label(step.name) for step in STEPS), literal(True))


@dataclass(frozen=True)
class ShownItem:
    """A first step as the page shows it."""

    label: str
    hint: str
    url: str  # of the form where it is done; "": not in the browser
    done: bool


def steps(session: Session, user: User) -> list[ShownItem]:
    """The first steps of the role of `user`, in order; none if they hid them or have done them all."""
    return [] if user.checklist_hidden or not user.active else left(session, user)


def left(session: Session, user: User) -> list[ShownItem]:
    """`steps`, hidden or not."""
    done = session.execute(_DONE, asks(user)).one()._mapping
    listed = [step for step in STEPS if user.role in step.roles]
    found = [
        ShownItem(translated(each.label), translated(each.hint), each.url, bool(done[each.name])) for each in listed
    ]
    return [] if all(each.done for each in found) else found


def show(session: Session, user: User, shown: bool) -> None:
    """Show the first steps on the home page of `user`, or hide them."""
    need_active(user)
    session.get_one(User, user.id).checklist_hidden = not shown
