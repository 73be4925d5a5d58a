"""The pages of exports, and what a guest sees."""

import io
import re
import zipfile
from collections.abc import Callable
from html import unescape

import pytest
from PIL import Image as Picture

from app.exports import gallery, provenance, service, shares
from app.models import (
    Act,
    AuditEvent,
    Export,
    ExportFile,
    ExportState,
    Image,
    ImageSet,
    Reference,
    Role,
    Share,
    Verdict,
    now,
)
from app.web import downloads
from app.web import exports as pages
from tests.web.server import Browser, Server, making, share_link, shared_export, spend

FORM = {"set_id": "1", "format": "jpeg", "quality": "80", "sizes": ["original", "1080x1080"], "template": "{n}-{slug}"}


@pytest.fixture
def set_id(server: Server) -> int:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox\nan owl", name="Autumn", campaign="Spring")
        for image in image_set.images:
            make.decide(image)
        return image_set.id


@pytest.fixture
def manager(sign_in: Callable[..., Browser]) -> Browser:
    return sign_in(Role.MANAGER)


@pytest.fixture
def guest(anonymous: Browser) -> Browser:
    return anonymous


def wait_until_ready(server: Server, export_id: int) -> None:
    """The server prepares it by itself; this prepares it if that has not started, and waits if it has."""
    server.resources.exporter.prepare(export_id)
    with server.resources.database.read() as session:
        assert session.get(Export, export_id).state == ExportState.READY


@pytest.mark.parametrize(
    "path",
    [
        "/sets/1/export",
        "/campaigns/1/export",
        "/pictures/export?ids=1&ids=2",
        "/pictures/export?all=1&query=",
        "/pictures/export?all=1&query=campaign%3D1%26decision%3Dapproved%26order%3Doldest&ids=9",
    ],
)
def test_one_click_is_enough(server: Server, manager: Browser, set_id: int, path: str) -> None:
    """The unchanged form makes a zip of everything."""
    html = manager.get(path).text
    assert "2 approved pictures" in html
    assert "spring-retro-sunburst-001-a-fox.png" in html
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', unescape(html))
    form: dict[str, list[str]] = {"format": ["png"], "sizes": ["original"], "manifests": ["1"], "certificate": ["1"]}
    for name, value in hidden:
        form.setdefault(name, []).append(value)
    answer = manager.post("/exports", data=form | {"template": "{campaign}-{style}-{n:03}-{slug}", "fit": "crop"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/exports/1?download=1"
    wait_until_ready(server, 1)
    page = manager.get(answer.headers["location"]).text
    assert "data-download-now" in page
    assert "data-download-now" not in manager.get("/exports/1").text
    with zipfile.ZipFile(io.BytesIO(manager.get("/exports/1/download.zip").content)) as archive:
        assert len(archive.namelist()) == 5
        assert set(archive.namelist()) >= {"manifest.csv", "manifest.json", service.AUTHORITY}


def test_a_search_says_how_many_it_takes_of_how_many(server: Server, manager: Browser, set_id: int) -> None:
    with making(server) as make:
        make.finished_set(prompts="a fox at night\n" * 3, campaign="Winter")
    html = " ".join(manager.get("/pictures/export?all=1&query=q%3Dfox%26order%3Doldest").text.split())
    assert "Export pictures that match" in html
    assert re.search(r"1 approved picture</strong>.*?of the <a .*?>4 that match</a>", html)
    assert 'href="/pictures?q=fox&amp;order=oldest"' in html
    assert 'name="ids"' not in html
    html = " ".join(manager.get("/pictures/export?all=1").text.split())
    assert re.search(r"2 approved pictures</strong>.*?of <a .*?>all 5</a>", html)
    html = " ".join(manager.get("/pictures/export?ids=1&ids=2&ids=3").text.split())
    assert re.search(r"2 approved pictures</strong> <span[^>]*>of 3 selected</span>", html)


def test_a_designer_reads_how_many_are_left_out(server: Server, sign_in: Callable[..., Browser], set_id: int) -> None:
    designer = sign_in()
    with making(server) as make:
        own = make.finished_set(designer.user, prompts="a fox at night")
        make.decide(own.images[0])
    html = " ".join(re.sub(r"<[^>]+>", "", designer.get("/pictures/export?all=1").text).split())
    assert "2 approved pictures by other people are left out. Ask their owner or a manager to export them." in html
    assert "other people" not in designer.get(f"/sets/{own.id}/export").text


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("all=1&query=q%3Dzebra", 409, "There is nothing to export: no picture matches."),
        ("all=1&query=decision%3Drejected", 409, "There is nothing to export"),
        ("", 422, "Select the pictures to export."),
        ("ids=x", 422, "Select the pictures to export."),
        ("&".join(f"ids={n}" for n in range(1001)), 422, "1\u202f001 pictures were selected one by one"),
    ],
)
def test_no_pictures_or_too_many_give_one_sentence(
    manager: Browser, set_id: int, query: str, status: int, sentence: str
) -> None:
    answer = manager.get(f"/pictures/export?{query}")
    assert answer.status_code == status
    assert sentence in answer.text


def test_more_files_than_a_zip_holds_422(
    server: Server, manager: Browser, set_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_ZIP_FILES", 3)
    values = {name: value for name, value in FORM.items() if name != "set_id"} | {"all": "1", "query": "campaign=1"}
    sentence = "This would be 4 files; a zip holds at most 3."
    assert sentence in manager.get("/exports/example", params=values).text
    answer = manager.post("/exports", data=values)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'name="query" value="campaign=1"' in answer.text, "the form is still there"
    assert manager.post("/exports", data=values | {"sizes": "original"}).status_code == 303


def test_hundreds_are_chosen_one_by_one(server: Server, manager: Browser) -> None:
    with making(server) as make:
        images = make.finished_set(prompts="a fox\n" * 3).images
        make.decide(images[0])
    chosen = {"ids": list(range(1, 900)), "format": "png", "sizes": "original", "template": "{n}"}
    assert manager.post("/exports", data=chosen).status_code == 303


def test_the_choice_is_what_comes(server: Server, manager: Browser, set_id: int) -> None:
    manager.post("/exports", data=FORM | {"own_sizes": "300 x 200, 64×64"})
    wait_until_ready(server, 1)
    with zipfile.ZipFile(io.BytesIO(manager.get("/exports/1/download.zip").content)) as archive:
        assert sorted(archive.namelist()) == sorted(
            f"{size}/{name}.jpg"
            for size in ("original", "1080x1080", "300x200", "64x64")
            for name in ("1-a-fox", "2-an-owl")
        )


def test_the_next_time_the_choice_is_there_already(manager: Browser, set_id: int) -> None:
    manager.post("/exports", data=FORM | {"own_sizes": "300 x 200"})
    html = " ".join(manager.get("/campaigns/1/export").text.split())
    assert 'value="jpeg" checked' in html
    assert 'value="1080x1080" checked' in html
    assert 'value="300 x 200"' in html
    assert 'value="{n}-{slug}"' in html


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"template": "{who}"}, "the fields are campaign"),
        ({"sizes": []}, "Choose at least one size"),
        ({"own_sizes": "huge"}, "Write a size as width x height"),
        ({"quality": "101"}, "from 1 to 100"),
    ],
)
def test_errors_are_shown_next_to_their_fields(
    manager: Browser, set_id: int, wrong: dict[str, object], sentence: str
) -> None:
    answer = manager.post("/exports", data=FORM | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text.replace("&#39;", "'")
    assert 'aria-invalid="true"' in answer.text


def test_the_example_follows_the_form(manager: Browser, set_id: int) -> None:
    assert "original/1-a-fox.jpg" in manager.get("/exports/example", params=FORM).text
    assert "the fields are campaign" in manager.get("/exports/example", params=FORM | {"template": "{x}"}).text
    assert "There is no such set." in manager.get("/exports/example", params=FORM | {"set_id": "99"}).text


def test_the_page_says_how_far_it_is(server: Server, manager: Browser, set_id: int) -> None:
    manager.post("/exports", data=FORM)
    wait_until_ready(server, 1)
    with server.resources.exporter._one_at_a_time:  # or it would prepare the export immediately
        with server.resources.database.write() as session:
            export = session.get(Export, 1)
            export.state, export.done = ExportState.PREPARING, 3
        html = manager.get("/exports/1").text
        assert "Converting and signing, 3 of 4 files" in html
        assert 'hx-trigger="every 1s"' in html
        with server.resources.database.write() as session:
            export = session.get(Export, 1)
            export.state, export.error = ExportState.FAILED, "The disk is full."
    html = manager.get("/exports/1").text
    assert "The disk is full." in html
    assert 'hx-trigger="every 1s"' not in html
    assert manager.post("/exports/1/again").headers["location"] == "/exports/1?download=1"
    wait_until_ready(server, 1)
    assert "Ready" in manager.get("/exports/1").text


def test_removed_files_can_be_rebuilt(server: Server, manager: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    next((server.resources.exporter.store.root / "cache").glob("*/*/*")).unlink()
    assert "deleted to free space" in manager.get(f"/exports/{export.id}").text
    manager.post(f"/exports/{export.id}/again")
    wait_until_ready(server, export.id)
    whole = manager.get(f"/exports/{export.id}/download.zip")
    assert whole.status_code == 200
    manager.post(f"/exports/{export.id}/again")
    assert manager.get(f"/exports/{export.id}/download.zip").content == whole.content, "and then it stays as it is"


def test_a_designer_exports_only_their_own(designer: Browser, set_id: int, server: Server) -> None:
    export, share = shared_export(server, set_id)
    for path in ("/sets/1/export", "/campaigns/1/export", "/pictures/export?ids=1"):
        assert designer.get(path).status_code == 403, path
    assert designer.post("/exports", data=FORM).status_code == 403
    for path in ("", "/download.zip"):
        assert designer.get(f"/exports/{export.id}{path}").status_code == 404
    for path in ("delete", "again", "shares", f"shares/{share.id}/revoke"):
        assert designer.post(f"/exports/{export.id}/{path}").status_code == 404


def test_a_guest_downloads_each_size(server: Server, manager: Browser, guest: Browser, set_id: int) -> None:
    manager.post("/exports", data=FORM | {"sizes": ["original"], "own_sizes": "32x32"})
    wait_until_ready(server, 1)
    token, _ = share_link(server, 1)
    page = guest.get(f"/shared/{token}").text
    assert "Open a picture for its other sizes." in page
    large = guest.get(f"/shared/{token}?picture=1").text
    listed = re.findall(r'<span class="num">(\d+ × \d+)</span>\s*<a class="link" href="([^"]*)"', large)
    assert [size for size, _ in listed] == ["256 × 256", "32 × 32"]
    with Picture.open(io.BytesIO(guest.get(listed[1][1]).content)) as opened:
        assert opened.size == (32, 32)
    assert guest.get(f"/shared/{token}/pictures/99/download").status_code == 404


def test_later_changes_are_shown_and_can_be_left_out(server: Server, manager: Browser, set_id: int) -> None:
    export, share = shared_export(server, set_id)
    assert "no longer approved" not in manager.get(f"/exports/{export.id}").text
    with making(server) as make:
        make.decide(make.session.get(Image, 1), Verdict.REJECTED)
    sentence = "1 of 2 pictures is no longer approved."
    assert sentence in manager.get("/exports").text
    html = manager.get(f"/exports/{export.id}").text
    assert sentence in html
    assert "Revoke links" in html
    manager.post(f"/exports/{export.id}/shares/revoke")
    with server.resources.database.read() as session:
        assert session.get(Share, share.id).revoked_at
    assert "Revoke links" not in manager.get(f"/exports/{export.id}").text
    new = manager.post(f"/exports/{export.id}/anew").headers["location"]
    wait_until_ready(server, int(new.split("/")[-1]))
    assert "no longer" not in manager.get(new).text


def test_a_guest_waits_while_a_right_is_withdrawn(
    server: Server, manager: Browser, guest: Browser, set_id: int
) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id)
    assert manager.post("/references/1/rights/withdraw", data={"reason": "Stop"}).status_code == 303
    html = guest.get(f"/shared/{token}").text
    assert "This link is on hold" in html
    assert "right" not in re.sub(r"<[^>]+>", "", html), "what is wrong is not a guest's business"
    assert guest.get(f"/shared/{token}/download.zip").headers["location"] == f"/shared/{token}"
    page = manager.get(f"/exports/{export.id}").text
    assert "On hold since" in page
    assert "2 of 2 pictures come from a reference without valid rights." in page
    manager.post(f"/exports/{export.id}/shares/{share.id}/resume")
    assert guest.get(f"/shared/{token}/download.zip").status_code == 200


def test_a_download_by_a_link_ends_with_the_link(
    server: Server, guest: Browser, set_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id)
    monkeypatch.setattr(downloads, "LOOK_BYTES", 1)
    assert guest.get(f"/shared/{token}/download.zip").status_code == 200
    with server.resources.database.read() as session:
        pieces = downloads.watched(iter([b"a", b"b"]), lambda: shares.may_go_on(session, share.id))
        assert list(pieces) == [b"a", b"b"]
    with server.resources.database.write() as session:
        session.get(Share, share.id).suspended_at = now()
    with server.resources.database.read() as session:
        pieces = downloads.watched(iter([b"a", b"b"]), lambda: shares.may_go_on(session, share.id))
        assert next(pieces) == b"a"
        with pytest.raises(downloads.Ended):
            next(pieces)


def test_all_exports_can_be_reached_and_all_links_ended(
    server: Server, manager: Browser, set_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    shown = [shared_export(server, set_id) for _ in range(5)]
    html, found = manager.get("/exports").text, []
    while True:
        found += re.findall(r'<a class="long" href="/exports/(\d+)"', html)
        older = re.search(r'href="(/exports\?before=\d+)"', html)
        if not older:
            break
        html = manager.get(older[1]).text
    assert found == [str(export.id) for export, _ in reversed(shown)]
    for number, (export, share) in enumerate(shown):
        html = manager.get("/exports").text
        assert html.count('name="back" value="list"') == len(shown) - number
        answer = manager.post(f"/exports/{export.id}/shares/{share.id}/revoke", data={"back": "list"})
        assert answer.headers["location"] == "/exports#links"
    assert "Open links" not in manager.get("/exports").text


def test_exports_with_the_same_name_are_distinguished(server: Server, manager: Browser, set_id: int) -> None:
    for sizes in (["original"], ["original", "64x64"], ["300x200"]):
        manager.post("/exports", data=FORM | {"sizes": sizes})
    for path in ("/exports", f"/sets/{set_id}/export"):
        html = manager.get(path).text
        for form in ("JPEG, original size", "JPEG, 2 sizes", "JPEG, 300 × 200"):
            assert form in html


def test_deleting(server: Server, manager: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    assert manager.post(f"/exports/{export.id}/delete").headers["location"] == "/exports"
    assert manager.get(f"/exports/{export.id}").status_code == 404
    with server.resources.database.read() as session:
        assert session.query(Share).count() == 0


# Guests


def test_a_guest_downloads_by_a_link(server: Server, manager: Browser, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    answer = manager.post(f"/exports/{export.id}/shares", data={"days": "7", "note": "Agency"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/exports/{export.id}#sharing")
    assert "HttpOnly" in answer.headers["set-cookie"]
    link = re.search(r'value="http://[^"]*(/shared/[\w-]+)"', manager.get(f"/exports/{export.id}").text)
    assert link
    assert link[1] not in manager.get(f"/exports/{export.id}").text, "it is shown only once"
    page = guest.get(link[1]).text
    assert "2 picture files" in page
    answer = guest.get(f"{link[1]}/download.zip")
    assert answer.content == manager.get(f"/exports/{export.id}/download.zip").content
    assert guest.get(f"{link[1]}/download.zip", headers={"range": "bytes=9-"}).status_code == 206
    assert "1 download" in manager.get(f"/exports/{export.id}").text
    for path in ("/", f"/exports/{export.id}", "/sets/1"):
        assert guest.get(path).status_code == 303, "the link opens nothing else"


def test_a_new_link_is_shown_on_no_other_page(server: Server, manager: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    other, _ = shared_export(server, set_id)
    token, _ = share_link(server, other.id)
    for secret in (token, "nonsense"):
        manager.cookies.set("once", secret, domain="127.0.0.1", path=f"/exports/{export.id}")
        answer = manager.get(f"/exports/{export.id}")
        assert secret not in answer.text
        assert "Share link</h2>" not in answer.text
        assert 'once=""' in answer.headers["set-cookie"]


def test_a_password_is_asked_for_first(server: Server, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id, "correct horse")
    assert export.name not in guest.get(f"/shared/{token}").text
    assert guest.get(f"/shared/{token}/download.zip").status_code == 303
    wrong = guest.post(f"/shared/{token}", data={"password": "wrong horse"})
    assert wrong.status_code == 422
    assert "not the password" in wrong.text
    right = guest.post(f"/shared/{token}", data={"password": "correct horse"})
    assert right.status_code == 303
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert f"Path=/shared/{token}" in cookie
    assert export.name in guest.get(f"/shared/{token}").text
    assert guest.get(f"/shared/{token}/download.zip").status_code == 200
    with server.resources.database.read() as session:
        events = session.query(AuditEvent).filter_by(subject="shares", subject_id=share.id).all()
    assert [event.act for event in events] == [
        Act.SHARE_CREATE,
        Act.SHARE_REFUSED,
        Act.SHARE_OPEN,
        Act.SHARE_DOWNLOAD,
    ]
    for event in events[1:]:
        assert event.details["address"] == "127.0.0.1"
        assert event.details["browser"].startswith("python")


def test_passwords_are_not_guessed_all_day(server: Server, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id, "correct horse")
    spend(server, "share", share.id)
    for _ in range(2):
        assert "Too many attempts" in guest.post(f"/shared/{token}", data={"password": "correct horse"}).text
    with server.resources.database.read() as session:
        event = session.query(AuditEvent).filter_by(act=Act.SHARE_REFUSED).one()
        assert event.details["reason"] == "too many tries", "it is recorded once"


def test_a_revoked_link_opens_nothing(server: Server, manager: Browser, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id)
    assert guest.get(f"/shared/{token}").status_code == 200
    manager.post(f"/exports/{export.id}/shares/{share.id}/revoke")
    for path in (f"/shared/{token}", f"/shared/{token}/download.zip", "/shared/unknown"):
        answer = guest.get(path)
        assert answer.status_code == 404
        assert "expired or was revoked" in answer.text
    assert "Revoked" in manager.get(f"/exports/{export.id}").text


def test_a_guest_reads_that_the_files_are_missing(server: Server, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    token, _ = share_link(server, export.id)
    with server.resources.database.write() as session:
        session.get(Export, export.id).state = ExportState.FAILED
    assert "not available right now" in guest.get(f"/shared/{token}").text
    assert guest.get(f"/shared/{token}/download.zip").status_code == 303


def test_wrong_link_options_are_shown_next_to_their_fields(server: Server, manager: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    answer = manager.post(f"/exports/{export.id}/shares", data={"days": "7", "password": "short"})
    assert answer.status_code == 422
    assert "at least 8 characters" in answer.text


# Pictures of a link, and single ones


def test_a_guest_sees_the_pictures_and_downloads_one(server: Server, guest: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id)
    here = f"/shared/{token}"
    page = guest.get(here).text
    assert page.count("thumb-320.webp") == 2
    assert f'href="{here}/download.zip"' in page
    small = guest.get(f"{here}/pictures/1/thumb-320.webp")
    assert small.headers["content-type"] == "image/webp"
    again = guest.get(f"{here}/pictures/1/thumb-320.webp", headers={"if-none-match": small.headers["etag"]})
    assert again.status_code == 304
    large = guest.get(f"{here}?picture=1").text
    assert f'href="{here}?picture=2"' in large
    assert "Previous picture" not in large
    one = guest.get(f"{here}/pictures/2/download")
    assert "spring-retro-sunburst-002-an-owl.png" in one.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(guest.get(f"{here}/download.zip").content)) as archive:
        assert archive.read("spring-retro-sunburst-002-an-owl.png") == one.content
    assert guest.get(f"{here}?picture=9").status_code == 404
    with server.resources.database.read() as session:
        assert session.get(Share, share.id).downloads == 2


def test_pictures_of_a_link_have_the_shape_of_their_files(server: Server, guest: Browser, set_id: int) -> None:
    """A panorama is not a thin line in a square; an export in another size has that one's shape."""
    with server.resources.database.write() as session:
        session.query(ImageSet).filter_by(id=set_id).update({"width": 2048, "height": 512})
    export, _ = shared_export(server, set_id)
    token, _ = share_link(server, export.id)
    page = guest.get(f"/shared/{token}").text
    assert page.count('<li class="tile ar-strip"') == 2
    assert page.count("thumb-960.webp") == 2
    with server.resources.database.write() as session:
        session.query(ExportFile).filter_by(export_id=export.id).update({"size": "1080x1920"})
    page = guest.get(f"/shared/{token}").text
    assert page.count('<li class="tile ar-story"') == 2
    assert 'width="1080"' in page


def test_a_guest_pages_through_many_pictures(
    server: Server, guest: Browser, set_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "PAGE", 1)
    export, _ = shared_export(server, set_id)
    token, _ = share_link(server, export.id)
    page = guest.get(f"/shared/{token}").text
    assert f'href="/shared/{token}?after=1">More pictures' in page
    assert "More pictures" not in guest.get(f"/shared/{token}?after=1").text


@pytest.mark.parametrize("closed", ["password", "suspended", "revoked"])
def test_pictures_of_a_closed_link_are_not_shown(server: Server, guest: Browser, set_id: int, closed: str) -> None:
    export, _ = shared_export(server, set_id)
    token, share = share_link(server, export.id, "correct horse" if closed == "password" else "")
    if closed != "password":
        with server.resources.database.write() as session:
            setattr(session.get(Share, share.id), f"{closed}_at", now())
    assert "thumb-320" not in guest.get(f"/shared/{token}").text
    for path in ("thumb-320.webp", "download"):
        assert guest.get(f"/shared/{token}/pictures/1/{path}").status_code == 404


def test_one_picture_downloads_signed_also_before_it_is_approved(
    server: Server, manager: Browser, sign_in: Callable[..., Browser], set_id: int
) -> None:
    approved = manager.get("/images/1/download.png")
    assert "spring-retro-sunburst-001-a-fox.png" in approved.headers["content-disposition"]
    assert provenance.verified(approved.content, "image/png")["validation_state"] in ("Valid", "Trusted")
    with making(server) as make:
        make.decide(make.session.get_one(Image, 2), Verdict.REJECTED)
    rejected = manager.get("/images/2/download.png")
    assert "-002-an-owl-not-approved.png" in rejected.headers["content-disposition"]
    assert "(not approved)" in manager.get("/review?set=1&image=2").text
    assert sign_in(Role.REVIEWER).get("/images/1/download.png").status_code == 403
    with server.resources.database.read() as session:
        assert session.query(AuditEvent).filter_by(act=Act.IMAGE_DOWNLOAD).count() == 2


def test_an_export_says_which_rights_nobody_recorded(server: Server, manager: Browser, set_id: int) -> None:
    export, _ = shared_export(server, set_id)
    for address in (f"/sets/{set_id}/export", f"/exports/{export.id}"):
        assert re.search(r'href="/references/1/rights">Record rights to ', manager.get(address).text), address
    assert "2 pictures come</span> from references without recorded rights" in manager.get("/sets/1/export").text
    with making(server) as make:
        make.right(make.session.get_one(Reference, 1))
    for address in (f"/sets/{set_id}/export", f"/exports/{export.id}"):
        assert "Record rights to" not in manager.get(address).text
