"""The file of an unsent form, a LoRA or a licence, is kept in its draft: for its person alone, until it is sent."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any

import httpx2
import pytest

from app.drafts import service
from app.files import Kind
from app.models import Draft, DraftFile, Subject, What, now
from app.quotas import queries as quotas
from app.upkeep.needed import needed, still_needed
from tests.web.server import Browser, Server, making

LORA = b"lora sks lamp"


@dataclass(frozen=True)
class Form:
    """A form with a file."""

    page: str
    action: str
    kind: Kind
    data: bytes
    name: str
    typed: dict[str, str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def ours(self, browser: Browser) -> dict[str, str]:
        """The fields of its draft and of its kept file, as its page has them."""
        html = browser.get(self.page).text.split(f'action="{self.action}"')[1].split("</form>")[0]
        fields = re.findall(r'type="hidden"\s+name="([a-z_-]*)"\s+value="([^"]*)"', html)
        return {name: unescape(value) for name, value in fields}

    def send(self, browser: Browser, file: bool = True, **more: str) -> httpx2.Response:
        sent: dict[str, Any] = {"files": {"file": (self.name, self.data)}} if file else {}
        return browser.post(self.action, data=self.ours(browser) | self.typed | more, **sent)

    def keep(self, browser: Browser) -> dict[str, Any]:
        answer = self.send(browser, **{"draft-keep": "1"})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def shown(self, browser: Browser) -> bool:
        """Whether the page shows the file."""
        return self.ours(browser)["kept_file"] == self.sha256 and self.name in browser.get(self.page).text


@pytest.fixture
def lora() -> Form:
    typed = {"name": "Lamp", "phrase": "sks lamp"}
    return Form("/subjects/new", "/subjects/lora", Kind.LORAS, LORA, "lamp.safetensors", typed)


@pytest.fixture(params=["lora", "licence"])
def form(request: pytest.FixtureRequest, server: Server, designer: Browser, lora: Form) -> Form:
    if request.param == "lora":
        return lora
    with making(server) as make:
        page = f"/references/{make.reference(designer.user).id}"
    return Form(page, f"{page}/rights/files", Kind.RIGHTS, b"%PDF-1.7", "同意書.pdf", {})


def files(server: Server) -> list[tuple[str, str]]:
    with server.resources.database.read() as session:
        return [(kind, sha256) for kind, sha256 in session.query(DraftFile.kind, DraftFile.sha256)]


def used(server: Server, browser: Browser) -> dict[What, int]:
    with server.resources.database.read() as session:
        return {what: use.used for what, use in quotas.uses(session, browser.user).items()}


def test_a_chosen_file_is_there_again_and_is_sent(server: Server, designer: Browser, form: Form) -> None:
    before = used(server, designer)
    told = form.keep(designer)
    assert (told["sha256"], told["name"], told["size"]) == (form.sha256, form.name, f"{len(form.data)} bytes")
    assert form.shown(designer)
    assert "Draft from" in designer.get(form.page).text
    kept = used(server, designer)
    answer = form.send(designer, file=False)
    assert answer.status_code == 303, answer.text
    assert files(server) == []
    assert form.name in designer.get(form.page).text or "@lamp" in designer.get("/subjects").text
    sent = used(server, designer)
    assert [kept[what] - before[what] for what in (What.UPLOADS, What.STORAGE)] == [1, 0]
    assert [sent[what] - kept[what] for what in (What.UPLOADS, What.STORAGE)] == [0, len(form.data)]


def test_typing_afterwards_and_another_tab_keep_it(server: Server, designer: Browser, lora: Form) -> None:
    begun = lora.ours(designer)
    lora.keep(designer)
    save = lora.ours(designer) | lora.typed
    assert designer.post("/drafts", data=save).is_success
    assert lora.shown(designer)
    other = designer.post("/drafts", data=save | {"draft-revision": begun["draft-revision"]}).json()
    assert other["key"] != save["draft"]
    assert lora.shown(designer), "as the draft of the other tab"
    designer.post("/drafts/discard", data={"draft": f"{save['draft']} {lora.page}"})
    assert files(server) == [(lora.kind, lora.sha256)]
    assert lora.send(designer, file=False).status_code == 303


def test_nobody_else_can_use_it(
    server: Server, designer: Browser, form: Form, admin: Browser, sign_in: Callable[..., Browser]
) -> None:
    """Not even who knows its SHA-256, and is an administrator or types it into a draft of their own."""
    form.keep(designer)
    for other in (admin, sign_in()):
        if form.kind is Kind.RIGHTS and other is not admin:
            continue  # has no such form
        assert not form.shown(other)
        assert form.send(other, file=False, kept_file=form.sha256, **{"draft-tab": "their-tab"}).status_code == 422
        stolen = {"kept_file": form.sha256, "draft": designer_key(server)}
        assert designer_key(server) not in other.post("/drafts", data=form.ours(other) | stolen).text
        assert not form.shown(other)
        refused = form.send(other, file=False, kept_file=form.sha256)
        assert refused.status_code == 422
        assert "The server no longer has this file. Choose it again." in refused.text
        other.post("/drafts/discard", data={"file": f"{designer_key(server)} {form.page}"})
    assert form.shown(designer)


def designer_key(server: Server) -> str:
    with server.resources.database.read() as session:
        return session.query(Draft).order_by(Draft.id).first().key  # type: ignore[union-attr]


def test_removing_it_leaves_what_was_typed(server: Server, designer: Browser, lora: Form) -> None:
    lora.keep(designer)
    button = {"file": f"{lora.ours(designer)['draft']} {lora.ours(designer)['draft-place']}"}
    answer = designer.post("/drafts/discard", data=button)
    assert answer.headers["location"].partition("#")[0] == lora.page
    assert not lora.shown(designer)
    assert files(server) == []
    assert all(f'value="{value}"' in designer.get(lora.page).text for value in lora.typed.values())
    assert lora.send(designer, file=False, kept_file=lora.sha256).status_code == 422
    assert designer.post("/drafts/discard", data=button, headers={"accept": "application/json"}).status_code == 204


def test_another_file_takes_its_place(server: Server, designer: Browser, lora: Form) -> None:
    lora.keep(designer)
    better = Form(lora.page, lora.action, lora.kind, lora.data + b" better", "better", lora.typed)
    better.keep(designer)
    assert files(server) == [(lora.kind, better.sha256)]
    assert better.shown(designer)


def test_a_refused_form_keeps_its_file_without_scripts(server: Server, designer: Browser, lora: Form) -> None:
    refused = lora.send(designer, name="")
    assert refused.status_code == 422
    assert "lamp.safetensors" in refused.text
    assert 'value="sks lamp"' in refused.text
    assert lora.shown(designer)
    assert lora.send(designer, file=False).status_code == 303
    with server.resources.database.read() as session:
        assert session.query(Subject.handle, Subject.sha256).one() == ("lamp", lora.sha256)


def test_what_is_refused_is_not_kept(server: Server, designer: Browser, lora: Form) -> None:
    junk = Form(lora.page, lora.action, lora.kind, b"junk\0", lora.name, lora.typed)
    assert junk.send(designer, **{"draft-keep": "1"}).status_code == 422
    assert files(server) == []


def test_it_stays_as_long_as_its_draft(server: Server, designer: Browser, form: Form) -> None:
    form.keep(designer)
    with server.resources.database.write() as session:
        assert still_needed(session, form.kind, [form.sha256]) == {form.sha256}
        assert form.sha256 in needed(session)[form.kind]
        session.query(Draft).update({"updated_at": now() - timedelta(days=8)})
        assert service.forget_old(session) == 1
        assert still_needed(session, form.kind, [form.sha256]) == set()


def test_a_lost_file_is_said_in_the_form(server: Server, designer: Browser, lora: Form) -> None:
    lora.keep(designer)
    server.resources.files.path(lora.kind, lora.sha256).unlink()
    refused = lora.send(designer, file=False)
    assert refused.status_code == 422
    assert f"The server lost the file of {lora.name}." in refused.text


def test_the_oldest_make_room(server: Server, designer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ALL_BYTES", 2 * len(LORA))
    with making(server) as make:
        pages = [f"/references/{make.reference(designer.user).id}" for _ in range(3)]
    forms = [Form(page, f"{page}/rights/files", Kind.RIGHTS, LORA, "a.txt", {}) for page in pages]
    for form in forms:
        form.keep(designer)
    assert [form.shown(designer) for form in forms] == [False, True, True]
