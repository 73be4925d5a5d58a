"""The list of blocked words in the browser, and what a person reads who writes one."""

import re

from app.models import Act, BlockedWord, ImageSet
from tests.web.server import Browser, Server, making
from tests.web.test_acts import newest


def block(browser: Browser, name: str = "Acme", **values: str) -> None:
    answer = browser.post("/blocked", data={"name": name, "reason": "A competitor’s name.", **values})
    assert (answer.status_code, answer.headers["location"]) == (303, "/blocked")


def test_a_set_comes_back_with_the_reason_and_what_was_typed(server: Server, admin: Browser, designer: Browser) -> None:
    block(admin)
    with making(server) as make:
        style = make.style(designer.user)
    answer = designer.post("/sets", data={"style": style.code, "prompts": "a fox\na can of ACME soup", "count": "1"})
    assert answer.status_code == 422
    assert "Prompt 2: “Acme” is blocked here: A competitor’s name." in answer.text
    assert "a can of ACME soup</textarea>" in answer.text
    told = designer.post("/readings", data={"prompts": "a can of ＡＣＭＥ soup", "kind": "prompt"}).json()[0]
    assert told["pieces"] == [["a can of ", ""], ["ＡＣＭＥ", "blocked"], [" soup", ""]]
    assert told["barred"] == ["“Acme” is blocked here: A competitor’s name."]
    with server.resources.database.read() as session:
        assert session.query(ImageSet).count() == 0


def test_managers_add_change_and_remove_words(server: Server, admin: Browser) -> None:
    block(admin, match="part", who="managers")
    assert newest(server, Act.WORD_ADD).details == {"name": "Acme", "reason": "A competitor’s name."}
    shown = admin.get("/blocked").text
    assert re.search(r"Acme</td>.*?Part.*?Managers", shown, re.DOTALL)
    with server.resources.database.read() as session:
        word_id = session.query(BlockedWord).one().id
    form = admin.get(f"/blocked?edit={word_id}").text
    assert 'value="part" selected' in form
    changed = {"name": "Acme Corp", "reason": "x", "match": "whole", "who": "nobody"}
    assert admin.post(f"/blocked/{word_id}", data=changed).status_code == 303
    assert newest(server, Act.WORD_CHANGE).details["what"] == ["name", "reason", "whole", "managers_may"]
    assert admin.post("/blocked", data={"name": "ACME-CORP", "reason": "x"}).status_code == 422
    assert admin.post(f"/blocked/{word_id}/remove").status_code == 303
    assert admin.post(f"/blocked/{word_id}/remove").status_code == 404
    assert "No words yet" in admin.get("/blocked").text


def test_a_list_is_imported_and_exported(server: Server, admin: Browser) -> None:
    file = {"file": ("words.csv", "word,reason\nAcme,A competitor\n山田太郎,俳優,part,managers\nacme,twice\n".encode())}
    assert admin.post("/blocked/import", files=file).headers["location"] == "/blocked"
    assert "2 words added. 1 was in the list already." in admin.get("/blocked").text
    written = admin.get("/blocked.csv")
    assert written.headers["content-type"] == "text/csv; charset=utf-8"
    assert "山田太郎,俳優,part,managers" in written.text
    answer = admin.post("/blocked/import", files={"file": ("words.csv", b"Acme,\n")})
    assert answer.status_code == 422
    assert "Line 1: Say why" in answer.text


def test_designers_do_not_see_the_list(admin: Browser, designer: Browser) -> None:
    for path in ("/blocked", "/blocked.csv"):
        assert designer.get(path).status_code == 403
    assert designer.post("/blocked", data={"name": "x", "reason": "y"}).status_code == 403
