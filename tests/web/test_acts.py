"""Every change is in the audit log, and so is everything exported or refused."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from PIL import Image

from app.main import PAGES
from app.models import Act, AuditEvent, Role
from tests.factory import PASSWORD, encoded
from tests.web.server import Browser, Server, make_person, making, spend
from tests.web.test_record import rows

ROOT = Path(__file__).parents[2]

# What each form records, or, in a sentence, why it records nothing.
POSTS: dict[str, Act | str] = {
    "/setup/{token}": Act.ACCOUNT_CREATE,
    "/login": Act.SIGN_IN,
    "/login/second": Act.SIGN_IN,
    "/login/passkey/options": "A challenge changes nothing; the sign-in that answers it is recorded.",
    "/login/passkey": Act.SIGN_IN,
    "/logout": Act.SIGN_OUT,
    "/confirm/passkey/options": "A challenge changes nothing; the proof that answers it is recorded.",
    "/confirm/passkey": Act.CONFIRM,
    "/account/authenticator": Act.FACTOR_ADD,
    "/account/authenticator/codes": Act.RECOVERY_CODES,
    "/account/authenticator/remove": Act.FACTOR_REMOVE,
    "/account/passkeys/options": "A challenge changes nothing; the passkey that answers it is recorded.",
    "/account/passkeys": Act.FACTOR_ADD,
    "/account/passkeys/{passkey_id}/remove": Act.FACTOR_REMOVE,
    "/people/{person_id}/second-step/reset": Act.FACTOR_RESET,
    "/confirm": Act.CONFIRM,
    "/account/name": Act.ACCOUNT_CHANGE,
    "/account/password": Act.ACCOUNT_CHANGE,
    "/account/language": Act.ACCOUNT_CHANGE,
    "/login/language": "It is kept in a cookie of the browser, before anyone signs in.",
    "/account/sessions/end": Act.SIGN_OUT,
    "/people/second-step": Act.FACTOR_DEMAND,
    "/images/{image_id}/safety": Act.SAFETY_CLEAR,
    "/brand/{of}/{of_id}": Act.BRAND_CHANGE,
    "/brand/{of}/{of_id}/versions/{number}/restore": Act.BRAND_CHANGE,
    "/blind": Act.BLIND_CREATE,
    "/blind/{test_id}/judge": "An event would tell who answered how before the end; the last one leaves BLIND_FINISH.",
    "/blind/{test_id}/undo": "The same.",
    "/blind/{test_id}/invite": Act.BLIND_INVITE,
    "/blind/{test_id}/leave": Act.BLIND_LEAVE,
    "/blind/{test_id}/join": Act.BLIND_JOIN,
    "/blind/{test_id}/stop": Act.BLIND_STOP,
    "/images/{image_id}/report": Act.REPORT,
    "/shared/{token}/pictures/{position}/report": Act.REPORT,
    "/reports/{report_id}/hold": Act.REPORT_HOLD,
    "/reports/{report_id}/release": Act.REPORT_RELEASE,
    "/reports/{report_id}/decide": Act.REPORT_DECIDE,
    "/blocked": Act.WORD_ADD,
    "/blocked/import": Act.WORD_ADD,
    "/blocked/{word_id}": Act.WORD_CHANGE,
    "/blocked/{word_id}/remove": Act.WORD_REMOVE,
    "/policy/edit": Act.POLICY_PUBLISH,
    "/policy/accept": Act.POLICY_ACCEPT,
    "/policy/end": Act.POLICY_END,
    "/people/invite": Act.ACCOUNT_INVITE,
    "/people/{person_id}": Act.ACCOUNT_CHANGE,
    "/people/{person_id}/transfer": Act.ACCOUNT_TRANSFER,
    "/people/{person_id}/reset": Act.RESET_CREATE,
    "/people/{person_id}/sessions/end": Act.SIGN_OUT,
    "/people/invitations/{invitation_id}/revoke": Act.INVITATION_REVOKE,
    "/people/resets/{reset_id}/revoke": Act.RESET_REVOKE,
    "/reset/{token}": Act.RESET_USE,
    "/account/sessions/{session_id}/end": Act.SIGN_OUT,
    "/styles/preview": Act.REFERENCE_UPLOAD,
    "/styles": Act.STYLE_CREATE,
    "/styles/{code}": Act.STYLE_VERSION,
    "/styles/{code}/archive": Act.STYLE_ARCHIVE,
    "/styles/{code}/unarchive": Act.STYLE_ARCHIVE,
    "/readings": "Nothing changes: it says what the model reads of a text.",
    "/maps": Act.MAP_UPLOAD,
    "/maps/{map_id}/crop": Act.MAP_UPLOAD,
    "/subjects/pictures": "A picture is kept for the form; the subject that is made of it is recorded.",
    "/subjects": Act.SUBJECT_CREATE,
    "/subjects/lora": Act.SUBJECT_CREATE,
    "/subjects/{subject_id}/likeness": Act.LIKENESS_ADD,
    "/subjects/{subject_id}/likeness/{likeness_id}/remove": Act.LIKENESS_REMOVE,
    "/subjects/{subject_id}/cancel": Act.SUBJECT_CANCEL,
    "/subjects/{subject_id}/retry": Act.SUBJECT_RETRY,
    "/subjects/{subject_id}/archive": Act.SUBJECT_ARCHIVE,
    "/subjects/{subject_id}/unarchive": Act.SUBJECT_ARCHIVE,
    "/regions/masks": Act.MASK_UPLOAD,
    "/drafts": "A draft is for its person alone, who has not sent it yet.",
    "/drafts/discard": "A draft is for its person alone, who has not sent it yet.",
    "/sets": Act.SET_CREATE,
    "/sets/{set_id}/cancel": Act.SET_CANCEL,
    "/sets/{set_id}/retry": Act.SET_RETRY,
    "/sets/{set_id}/retry-now": Act.SET_RETRY,
    "/sets/{set_id}/held/retry": Act.SET_RETRY,
    "/sets/{set_id}/held/remove": Act.HELD_REMOVE,
    "/images/{image_id}/retry": Act.SET_RETRY,
    "/manage/set/{row_id}/move": Act.SET_MOVE,
    "/manage/{noun}/{row_id}/rename": Act.SET_RENAME,
    "/manage/{noun}/{row_id}/archive": Act.SET_ARCHIVE,
    "/manage/{noun}/{row_id}/unarchive": Act.SET_ARCHIVE,
    "/manage/{noun}/{row_id}/delete": Act.SET_DELETE,
    "/manage/{noun}/{row_id}/restore": Act.SET_RESTORE,
    "/images/{image_id}/cancel": Act.IMAGE_CANCEL,
    "/queue/pause": Act.QUEUE_PAUSE,
    "/queue/resume": Act.QUEUE_RESUME,
    "/queue/{noun}/{row_id}/move": Act.WORK_MOVE,
    "/queue/{noun}/{row_id}/pause": Act.WORK_PAUSE,
    "/queue/{noun}/{row_id}/resume": Act.WORK_RESUME,
    "/queue/{noun}/{row_id}/cancel": "Drafts are nobody's pictures, and a map changes nothing.",
    "/images/{image_id}/decision": Act.DECIDE,
    "/decisions/{decision_id}/withdraw": Act.DECIDE,
    "/decisions/{decision_id}/undo": Act.DECIDE,
    "/undo/{offer}": "What is undone is recorded as the opposite act.",
    "/images/{image_id}/comments": Act.COMMENT,
    "/threads/{thread_id}/replies": Act.COMMENT,
    "/comments/{comment_id}/edit": Act.COMMENT_EDIT,
    "/comments/{comment_id}/delete": Act.COMMENT_DELETE,
    "/comments/{comment_id}/restore": Act.COMMENT_RESTORE,
    "/threads/{thread_id}/resolve": Act.THREAD_RESOLVE,
    "/threads/{thread_id}/reopen": Act.THREAD_REOPEN,
    "/images/{image_id}/mentions": "Who has read where they were named is told to nobody.",
    "/sets/{set_id}/lock": Act.SET_LOCK,
    "/sets/{set_id}/unlock": Act.SET_UNLOCK,
    "/review/reasons": Act.REASONS_CHANGE,
    "/styles/{code}/bounds": Act.STYLE_BOUNDS,
    "/review/reasons/{reason_id}": Act.REASONS_CHANGE,
    "/review/reasons/{reason_id}/move": Act.REASONS_CHANGE,
    "/review/reasons/{reason_id}/remove": Act.REASONS_CHANGE,
    "/review/campaigns/{campaign_id}": Act.CAMPAIGN_CHANGE,
    "/review/campaigns/{campaign_id}/four-eyes": Act.CAMPAIGN_CHANGE,
    "/review/campaigns/{campaign_id}/checklists": Act.CAMPAIGN_CHANGE,
    "/images/{image_id}/checklists": "Answers are a person's own until they decide, which is recorded with them.",
    "/checklists": Act.CHECKLIST_CREATE,
    "/checklists/{list_id}/rename": Act.CHECKLIST_RENAME,
    "/checklists/{list_id}/items": Act.CHECKLIST_CHANGE,
    "/checklists/{list_id}/items/{key}": Act.CHECKLIST_CHANGE,
    "/checklists/{list_id}/items/{key}/remove": Act.CHECKLIST_CHANGE,
    "/checklists/{list_id}/items/{key}/restore": Act.CHECKLIST_CHANGE,
    "/checklists/{list_id}/versions/{version}/restore": Act.CHECKLIST_CHANGE,
    "/checklists/{list_id}/delete": Act.CHECKLIST_DELETE,
    "/checklists/{list_id}/restore": Act.CHECKLIST_RESTORE,
    "/images/{image_id}/again": Act.IMAGE_REDO,
    "/images/{image_id}/discard": Act.IMAGE_DISCARD,
    "/pictures/decide": Act.DECIDE,
    "/pictures/reject": Act.DECIDE,
    "/pictures/move": Act.IMAGE_MOVE,
    "/pictures/tag": Act.IMAGE_TAG,
    "/pictures/untag": Act.IMAGE_TAG,
    "/pictures/star": "A star is a mark for oneself, which nobody else sees.",
    "/pictures/delete": Act.IMAGE_DELETE,
    "/pictures/restore": Act.IMAGE_RESTORE,
    "/searches": Act.SEARCH_SAVE,
    "/searches/{search_id}/rename": Act.SEARCH_RENAME,
    "/searches/{search_id}/delete": Act.SEARCH_DELETE,
    "/references/{reference_id}/rights": Act.RIGHTS_SAVE,
    "/references/{reference_id}/rights/withdraw": Act.RIGHTS_WITHDRAW,
    "/references/{reference_id}/rights/restore": Act.RIGHTS_RESTORE,
    "/references/{reference_id}/rights/files": Act.RIGHTS_FILE_ADD,
    "/references/{reference_id}/rights/files/{file_id}/remove": Act.RIGHTS_FILE_REMOVE,
    "/exports": Act.EXPORT_CREATE,
    "/exports/{export_id}/again": Act.EXPORT_REBUILD,
    "/exports/{export_id}/anew": Act.EXPORT_CREATE,
    "/exports/{export_id}/delete": Act.EXPORT_DELETE,
    "/exports/{export_id}/shares": Act.SHARE_CREATE,
    "/exports/{export_id}/shares/revoke": Act.SHARE_REVOKE,
    "/exports/{export_id}/shares/{share_id}/revoke": Act.SHARE_REVOKE,
    "/exports/{export_id}/shares/{share_id}/resume": Act.SHARE_RESUME,
    "/shared/{token}": Act.SHARE_OPEN,
    "/record/check": Act.RECORD_CHECK,
    "/sample/open": Act.SAMPLE_OPEN,
    "/sample/remove": Act.SAMPLE_REMOVE,
    "/checklist/hide": "What somebody sees on their own home page concerns nobody else.",
    "/checklist/show": "The same.",
    "/templates": Act.TEMPLATE_SAVE,
    "/templates/{template_id}": Act.TEMPLATE_CHANGE,
    "/templates/{template_id}/delete": Act.TEMPLATE_DELETE,
    "/templates/{template_id}/restore": Act.TEMPLATE_RESTORE,
    "/templates/{template_id}/use": "It fills in a form and changes nothing.",
    "/templates/prompts/{prompt_id}/remove": "A person's recent prompts concern nobody else.",
    "/strips": "Drafts to choose a strength by are nobody's pictures, and are gone within an hour.",
    "/strips/{strip_id}/cancel": "The same.",
    "/tunings": "Drafts to choose a setting by are nobody's pictures, and are gone within a month.",
    "/tunings/begin": "It opens a form and changes nothing.",
    "/tunings/{tuning_id}/cancel": "The same.",
    "/tunings/{tuning_id}/take": Act.STYLE_VERSION,
    "/images/{image_id}/map": "A map shows how a picture was made, and changes nothing.",
    "/images/{image_id}/map/cancel": "The same.",
}


def test_every_form_leaves_an_act_or_says_why_not() -> None:
    routes = [route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute)]
    posts = {route.path for route in routes if not route.methods <= {"GET", "HEAD"}}
    assert posts == set(POSTS)
    assert all(isinstance(left, Act) or left.endswith(".") for left in POSTS.values())


@pytest.mark.parametrize("act", Act, ids=lambda act: act.name)
def test_every_act_is_recorded_somewhere(act: Act) -> None:
    told = {ROOT / "app/models/audit.py", ROOT / "app/audit/words.py"}
    sources = [path.read_text() for path in (ROOT / "app").rglob("*.py") if path not in told]
    assert any(f"Act.{act.name}" in source for source in sources)


def newest(server: Server, act: Act) -> AuditEvent:
    with server.resources.database.read() as session:
        found = session.query(AuditEvent).filter_by(act=act).order_by(AuditEvent.id.desc()).first()
        assert found, act
        return found


def count(server: Server, act: Act) -> int:
    with server.resources.database.read() as session:
        return session.query(AuditEvent).filter_by(act=act).count()


def test_downloads_and_uploads_are_recorded(server: Server, designer: Browser) -> None:
    with making(server) as make:
        subject = make.finished_subject(designer.user)
    assert designer.get(f"/subjects/{subject.id}/lora.safetensors").status_code == 200
    event = newest(server, Act.LORA_DOWNLOAD)
    assert (event.user_id, event.subject, event.subject_id) == (designer.user.id, "subjects", subject.id)
    mask = designer.post("/regions/masks", files={"mask": ("mask.png", white(), "image/png")}).json()["mask"]
    event = newest(server, Act.MASK_UPLOAD)
    assert (event.user_id, event.details) == (designer.user.id, {"mask": mask})


def white() -> bytes:
    return encoded(Image.new("L", (64, 64), "white"))


def test_only_shared_searches_are_recorded(server: Server, designer: Browser) -> None:
    acts: Sequence[Act] = (Act.SEARCH_SAVE, Act.SEARCH_RENAME, Act.SEARCH_DELETE)
    for number, shared in enumerate(("", "1")):
        designer.post("/searches", data={"name": "Foxes", "query": "q=fox", "shared": shared})
        designer.post("/searches/1/rename", data={"name": "Red foxes"})
        designer.post("/searches/1/delete")
        assert [count(server, act) for act in acts] == [number] * 3
    assert newest(server, Act.SEARCH_RENAME).details == {"before": "Foxes"}
    designer.post("/searches", data={"name": "Owls", "query": "q=owl", "shared": "1"})
    designer.post("/searches", data={"name": "Owls", "query": "q=owl"})
    assert newest(server, Act.SEARCH_DELETE).details["name"] == "Owls", "it is not shared any more"


def test_origin_and_refusals_are_recorded(server: Server, anonymous: Browser) -> None:
    person = make_person(server, Role.DESIGNER)
    here = {"address": "127.0.0.1", "browser": "Tester/1.0"}
    anonymous.headers["user-agent"] = "Tester/1.0"
    anonymous.sign_in(person.email, "wrong")
    while not count(server, Act.SIGN_IN_REFUSED):  # it is written after the answer
        anonymous.get("/login")
    assert newest(server, Act.SIGN_IN_REFUSED).details == {"reason": "wrong password"} | here
    anonymous.sign_in(person.email)
    assert newest(server, Act.SIGN_IN).details == here
    anonymous.post("/account/password", data={"current": "wrong", "password": "another long password"})
    event = newest(server, Act.PASSWORD_REFUSED)
    assert (event.user_id, event.details) == (person.id, here)
    anonymous.post("/account/password", data={"current": PASSWORD, "password": "short"})
    assert count(server, Act.PASSWORD_REFUSED) == 1, "the present one was right"


def test_too_many_tries_are_recorded_once_a_minute(
    server: Server, anonymous: Browser, sign_in: Callable[..., Browser]
) -> None:
    manager, person = sign_in(Role.MANAGER), make_person(server, Role.DESIGNER)
    spend(server, "sign-in", person.email)
    for email in (person.email, person.email, "nobody@example.com"):
        anonymous.sign_in(email)
    while not count(server, Act.SIGN_IN_REFUSED):
        anonymous.get("/login")
    found = rows(manager.get(f"/record.csv?act={Act.SIGN_IN_REFUSED}").text)
    assert len(found) == 1
    assert '"too many tries"' in found[0]["details"]
