"""The pages of references and their rights."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.days import today
from app.models import Act, AuditEvent, Role
from app.rights import queries, service
from app.rights.spec import Reason
from app.styles.spec import ReferenceSpec
from tests.factory import png
from tests.web.server import Browser, Server, making, signed_in_browser

STATED = {"owned_by": "Mori Design Studio", "licence": "Commissioned, all media", "territory": "日本"}
YESTERDAY = (today() - timedelta(days=1)).isoformat()


@dataclass
class Known:
    reference: int
    code: str
    set_id: int
    image: int

    @property
    def page(self) -> str:
        return f"/references/{self.reference}"


@pytest.fixture
def mine(server: Server) -> Iterator[Browser]:
    """The browser of someone with a style and a finished set."""
    with making(server) as make:
        owner = make.user(name="Mori Haruka")
        style = make.style(owner, reference=make.reference(owner), name="Retro sunburst")
        make.finished_set(owner, style, name="Autumn table")
    with signed_in_browser(server, owner) as browser:
        yield browser


@pytest.fixture
def known(server: Server, mine: Browser) -> Known:
    with server.resources.database.read() as session:
        image_set = queries.ImageSet
        found = session.query(image_set).one()
        version = found.style_version
        return Known(version.references[0].reference_id, version.style.code, found.id, found.images[0].id)


def seen(html: str) -> str:
    """The record that a form started from."""
    found = re.search(r'name="seen" value="(\d*)"', html)
    assert found
    return found[1]


def state(browser: Browser, known: Known, **values: str) -> None:
    form = STATED | values | {"seen": seen(browser.get(f"{known.page}/rights").text)}
    assert browser.post(f"{known.page}/rights", data=form).headers["location"] == known.page


def test_a_reference_and_all_that_was_made_from_it(mine: Browser, known: Known) -> None:
    html = mine.get(known.page).text
    assert "No rights recorded" in html
    assert f'href="/styles/{known.code}"' in html
    assert f'href="/review?image={known.image}"' in html
    assert f'href="/pictures?reference={known.reference}"' in html
    assert mine.get("/references/99").status_code == 404


@pytest.mark.parametrize("path", ["/styles/{code}", "/sets/{set_id}", "/review?image={image}"])
def test_one_click_from_a_picture_to_its_reference(mine: Browser, known: Known, path: str) -> None:
    html = mine.get(path.format(**vars(known))).text
    assert re.search(rf'<a href="{known.page}"[^>]*aria-label="Rights to [^"]*: No rights recorded"', html)


@pytest.mark.parametrize("path", ["/sets/{set_id}", "/review?image={image}", "/images/{image}/again"])
def test_each_reference_of_a_set_is_one_click_away(server: Server, mine: Browser, path: str) -> None:
    with making(server) as make:
        owner = make.session.get_one(queries.User, mine.user.id)
        ids = [make.reference(owner).id for _ in range(3)]
        style = make.style(owner, references=tuple(ReferenceSpec(reference_id=id) for id in ids[:2]))
        other = make.style(owner, reference=queries.reference(make.session, owner, ids[2]))
        region = {"prompt": "an owl", "box": [0, 0, 0.5, 0.5], "style_code": other.code}
        set_id = make.finished_set(owner, style, prompts="a car", regions=json.dumps([region])).id
        withdrawn = queries.reference(make.session, owner, ids[2])
        service.withdraw(make.session, owner, withdrawn, Reason(reason="Stop"))
        image_id = make.session.get_one(queries.ImageSet, set_id).images[0].id
    html = mine.get(path.format(set_id=set_id, image=image_id)).text
    for reference_id, standing in zip(ids, ("No rights recorded", "No rights recorded", "Withdrawn"), strict=True):
        assert re.search(rf'<a href="/references/{reference_id}"[^>]*aria-label="Rights to [^"]*: {standing}"', html)


def test_the_pictures_of_references_stay_where_they_are(mine: Browser, known: Known) -> None:
    assert mine.get(f"{known.page}.png").headers["content-type"] == "image/png"
    assert mine.get(f"{known.page}/thumb-320.webp").headers["content-type"] == "image/webp"


def test_stating_changing_and_its_history(mine: Browser, known: Known) -> None:
    assert "Record rights" in mine.get(f"/styles/{known.code}").text
    assert 'value="Mori Haruka"' in mine.get(f"{known.page}/rights").text, "who uploaded it is suggested"
    state(mine, known, note="<b>bold</b>")
    state(mine, known, valid_until="2099-12-31")
    html = mine.get(known.page).text
    assert "Valid until 31 Dec 2099" in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "Mori Haruka</strong>" in html
    assert "Until: <span>nothing</span> → <span>31 Dec 2099</span>" in html
    style = mine.get(f"/styles/{known.code}").text
    assert "Mori Design Studio" in style
    assert "Record rights" not in style


def test_faults_are_shown_at_their_fields(mine: Browser, known: Known) -> None:
    form = STATED | {"owned_by": "", "valid_until": "soon", "source_url": "javascript:alert(1)"}
    answer = mine.post(f"{known.page}/rights", data=form)
    assert answer.status_code == 422
    for name in ("owned_by", "valid_until", "source_url"):
        assert f'id="{name}-error"' in answer.text
    assert "日本" in answer.text, "what was typed is kept"


def test_the_second_of_two_editors_looks_again(mine: Browser, known: Known, sign_in: Callable[..., Browser]) -> None:
    state(mine, known)
    path, manager = f"{known.page}/rights", sign_in(Role.MANAGER, "Ito Kenji")
    first = seen(mine.get(path).text)
    state(manager, known, licence="<i>CC BY</i>", valid_until="2099-12-31")
    mine.post(f"{path}/files", files={"file": ("consent.pdf", b"%PDF-1.7")})
    typed = STATED | {"licence": "Bought", "note": "Invoice 0419", "seen": first}
    wrong = mine.post(path, data=typed | {"source_url": "nowhere"})
    assert wrong.status_code == 422
    assert seen(wrong.text) == first, "a mistake in the form hides nothing"
    late = mine.post(path, data=typed)
    assert late.status_code == 409
    assert re.search(r"Ito Kenji just changed “Licence” and “Until” of these rights, on [^.]*\d UTC\.", late.text)
    for kept in ('value="Bought"', "Invoice 0419", "Current value: &lt;i&gt;CC BY&lt;/i&gt;", 'value="2099-12-31"'):
        assert kept in late.text
    html = mine.get(known.page).text
    assert "&lt;i&gt;CC BY&lt;/i&gt;" in html, "nothing was laid over it"
    assert "consent.pdf" in html
    assert mine.post(path, data=typed | {"seen": seen(late.text)}).status_code == 303
    assert "Licence: <span>&lt;i&gt;CC BY&lt;/i&gt;</span> → <span>Bought</span>" in mine.get(known.page).text


def test_a_style_whose_right_has_ended_is_not_generated_with(mine: Browser, known: Known) -> None:
    state(mine, known, valid_until=YESTERDAY)
    form = mine.get("/sets/new").text
    assert 'data-refusal="The rights to the reference' in form
    assert "chip--bad" in form
    answer = mine.post("/sets", data={"style": known.code, "prompts": "a fox"})
    assert answer.status_code == 422
    assert re.search(r"The rights to the reference \d+\.png expired on", answer.text)
    for path in (known.page, f"/styles/{known.code}"):
        assert "so nothing new can be made from it. Ask Mori Haruka or a manager to renew it." in mine.get(path).text
    again = mine.post("/styles", data={"name": "Again", "reference_id": str(known.reference)})
    assert again.status_code == 422
    assert 'id="picture-error"' in again.text
    state(mine, known, valid_until=(today() + timedelta(days=2)).isoformat())
    assert "chip--warn" in mine.get("/sets/new").text
    assert mine.post("/sets", data={"style": known.code, "prompts": "a fox"}).status_code == 303


def test_a_style_form_says_early_that_its_picture_cannot_be_used(mine: Browser, known: Known) -> None:
    new = f"/styles/new?reference={known.reference}"
    assert "View its rights" not in mine.get(new).text
    mine.post(f"{known.page}/rights/withdraw", data={"reason": "Stop"})
    html = mine.get(new).text
    assert "were withdrawn on" in html
    assert f'href="{known.page}">View its rights' in html


def test_withdrawn_and_restored(mine: Browser, known: Known) -> None:
    assert mine.post(f"{known.page}/rights/withdraw", data={"reason": ""}).status_code == 422
    assert mine.post(f"{known.page}/rights/withdraw", data={"reason": "The owner asked"}).status_code == 303
    html = mine.get(known.page).text
    assert "were withdrawn on" in html
    assert "(The owner asked)" in html
    assert "Restore rights" in html
    assert f'href="{known.page}/rights"' not in html, "it is restored before it is changed"
    late = mine.post(f"{known.page}/rights", data=STATED)
    assert late.status_code == 409
    assert "You withdrew these rights on" in late.text
    assert "日本" in late.text, "what was typed is kept"
    seen = re.search(r'name="seen" value="(\d+)"', html)
    assert seen
    again = {"reason": "A mistake", "seen": seen[1]}
    mine.post(f"{known.page}/rights/restore", data={**again, "seen": ""})
    assert "Restore rights" in mine.get(known.page).text, "not without the withdrawal that was read"
    assert mine.post(f"{known.page}/rights/restore", data=again).status_code == 303
    assert mine.post("/sets", data={"style": known.code, "prompts": "a fox"}).status_code == 303


def test_others_read_and_cannot_change(mine: Browser, known: Known, designer: Browser) -> None:
    state(mine, known)
    html = designer.get(known.page).text
    assert "Mori Design Studio" in html
    assert "<form" not in html.split('id="main"')[1].split('id="toasts"')[0]
    assert designer.get(f"{known.page}/rights").status_code == 403
    for path, form in (
        ("rights", STATED),
        ("rights/withdraw", {"reason": "x"}),
        ("rights/restore", {"reason": "x"}),
        ("rights/files/1/remove", {}),
    ):
        assert designer.post(f"{known.page}/{path}", data=form).status_code == 403, path
    files = {"file": ("a.pdf", b"%PDF-1.7")}
    assert designer.post(f"{known.page}/rights/files", files=files).status_code == 403


def test_a_file_is_only_ever_downloaded(server: Server, mine: Browser, known: Known, designer: Browser) -> None:
    script = b"<!doctype html><script>alert(1)</script>"
    answer = mine.post(f"{known.page}/rights/files", files={"file": ("同意書.html", script, "text/html")})
    assert answer.headers["location"] == f"{known.page}#files"
    path = re.search(rf"{known.page}/rights/files/\d+", mine.get(known.page).text)
    assert path
    assert designer.get(path[0]).status_code == 403, "consents hold what is private"
    assert path[0] not in (page := designer.get(known.page).text)
    assert "1 file. Only" in page
    sent = mine.get(path[0])
    assert sent.content == script
    assert sent.headers["content-type"] == "text/plain; charset=utf-8"
    assert sent.headers["content-disposition"].startswith("attachment; filename*=utf-8''%E5%90%8C")
    assert sent.headers["content-disposition"].endswith(".txt")
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in sent.headers["content-security-policy"]
    assert sent.headers["cache-control"] == "private, no-store"
    with server.resources.database.read() as session:
        event = session.query(AuditEvent).filter_by(act=Act.RIGHTS_FILE_DOWNLOAD).one()
        assert event.user_id == mine.user.id
    assert mine.post(f"{path[0]}/remove").status_code == 303
    assert mine.get(path[0]).status_code == 404


def test_files_that_are_refused(mine: Browser, known: Known) -> None:
    path = f"{known.page}/rights/files"
    assert "Choose the licence or consent first." in mine.post(path, data={"file": ""}).text
    answer = mine.post(path, files={"file": ("a.pdf", b"MZ\0")})
    assert answer.status_code == 422
    assert 'id="file-error"' in answer.text
    huge = mine.post(path, files={"file": ("a.pdf", b"%PDF-" + bytes(service.FILE_BYTES + 2**17))})
    assert huge.status_code == 413
    assert "larger than 20 MB" in huge.text


def test_home_warns_before_it_is_too_late(
    server: Server, mine: Browser, known: Known, sign_in: Callable[..., Browser]
) -> None:
    manager, other = sign_in(Role.MANAGER), sign_in()
    state(mine, known, valid_until=(today() + timedelta(days=14)).isoformat())
    for browser in (mine, manager):
        html = browser.get("/").text
        assert "Expires in 14 days" in html
        assert f'href="{known.page}"' in html
    assert known.page not in other.get("/").text
    state(mine, known, valid_until=(today() + timedelta(days=15)).isoformat())
    assert known.page not in mine.get("/").text


def test_home_folds_the_rights_after_the_first(server: Server, mine: Browser) -> None:
    with making(server) as make:
        owner = make.session.get_one(queries.User, mine.user.id)
        for _ in range(6):
            reference = make.reference(owner)
            make.style(owner, reference=reference)
            make.right(reference, valid_until=YESTERDAY)
    html = mine.get("/").text
    assert "2 more references" in html
    assert html.count("View rights to") == 6


def test_an_export_warns_and_continues(server: Server, mine: Browser, known: Known) -> None:
    with making(server) as make:
        make.decide(make.session.get_one(queries.Image, known.image))
        reference = queries.reference(make.session, mine.user, known.reference)
        service.withdraw(make.session, mine.user, reference, Reason(reason="Stop"))
    html = mine.get(f"/sets/{known.set_id}/export").text
    assert re.search(r"1 picture comes</span> from a reference without valid rights", html)
    assert mine.post("/exports", data={"set_id": str(known.set_id), "sizes": "original"}).status_code == 303


def test_the_record_leads_to_the_reference(mine: Browser, known: Known, sign_in: Callable[..., Browser]) -> None:
    state(mine, known)
    html = sign_in(Role.MANAGER).get("/record?act=rights").text
    assert "recorded the rights to" in html
    assert f'href="{known.page}"' in html


def test_a_picture_without_a_style_has_a_page_too(mine: Browser) -> None:
    files = {"picture": ("a.png", png("red"), "image/png")}
    location = mine.post("/styles/preview", files=files).headers["location"]
    html = mine.get(f"/references/{location.rsplit('=')[-1]}").text
    assert "New style" in html
