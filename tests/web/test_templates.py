"""Templates of the form of a set: saved and applied there without losing what was typed, and their own page."""

import html

import pytest

from tests.web.server import Browser, Server, making


@pytest.fixture
def code(server: Server) -> str:
    with making(server) as make:
        return make.style().code


def test_a_template_is_saved_applied_renamed_deleted_and_restored(designer: Browser, admin: Browser, code: str) -> None:
    assert "None yet" in designer.get("/templates").text
    form = {"style": code, "prompts": "a fox", "count": "3", "size": "256x256", "steps": "7", "negative_prompt": "text"}
    saved = designer.post("/templates", data=form | {"template_name": "Autumn banners", "template_shared": "1"})
    assert saved.status_code == 200
    assert "Template Autumn banners saved." in saved.text
    assert "a fox</textarea>" in saved.text, "the form stays as it was"
    used = admin.post("/templates/1/use", data={"style": code, "prompts": "an owl", "count": "1"})
    assert "an owl</textarea>" in used.text
    for field, value in (("count", "3"), ("steps", "7"), ("negative_prompt", "text")):
        assert f'name="{field}"' in used.text
        assert f'value="{value}"' in used.text
    renamed = designer.post("/templates/1", data={"template_name": "Winter banners", "template_shared": ""})
    assert renamed.headers["location"] == "/templates"
    assert admin.post("/templates/1/use", data=form).status_code == 404, "no longer shared"
    gone = designer.post("/templates/1/delete")
    page = designer.get(gone.headers["location"]).text
    assert "Template Winter banners deleted" in page
    assert 'action="/templates/1/restore"' in page
    designer.post("/templates/1/restore")
    assert "Winter banners" in designer.get("/sets/new").text


def test_negative_prompts_are_saved_alike(designer: Browser, code: str) -> None:
    form = {"style": code, "prompts": "a fox", "negative_prompt": "text, watermark", "template_kind": "negative"}
    assert "Enter a name for the template." in designer.post("/templates", data=form).text
    assert "Template Clean saved." in designer.post("/templates", data=form | {"preset_name": "Clean"}).text
    used = designer.post("/templates/1/use", data={"style": code, "prompts": "a cat", "count": "4"}).text
    assert 'value="text, watermark"' in used
    assert "a cat</textarea>" in used


def test_recent_prompts_are_removed(designer: Browser, code: str) -> None:
    designer.post("/sets", data={"style": code, "prompts": "a <b>fox</b>", "size": "64x64", "steps": "3"})
    assert "a <b>fox</b></button>" in html.unescape(designer.get("/sets/new").text)
    designer.post("/templates/prompts/1/remove")
    assert "None yet. Only you see them." in designer.get("/templates").text
