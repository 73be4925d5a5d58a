"""The page for a lawyer is the page of the documentation, in both languages."""

from pathlib import Path

import pytest

from app.web import markdown
from app.web.templating import TEMPLATES
from tests.web.server import Browser

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("language", "file"), [("en", "law.md"), ("ja", "ja/law.md")])
def test_the_app_and_the_docs_say_the_same(designer: Browser, language: str, file: str) -> None:
    text = (DOCS / file).read_text()
    assert (TEMPLATES / "law" / f"{language}.md").read_text() == text, "copy the page of the docs"
    shown = designer.get("/law", headers={"accept-language": language}).text
    assert f'<h1 lang="{language}">{text.splitlines()[0].removeprefix("# ")}</h1>' in shown
    assert shown.count("<tr>") == text.count("\n| ") - 2, "each line of both tables, without their rules"
    assert "https://eur-lex.europa.eu/eli/reg/2024/1689/oj" in shown
    assert "**" not in shown
    assert "](" not in shown


def test_markdown_is_escaped_and_links_lead_out() -> None:
    text = (
        "# Title\n\na <b> & `x < y`\nand **so**\n\n- one [two](https://example.com/?a=1&b=2)\n  more\n- [docs](l.md)\n"
    )
    out = 'class="link" rel="noopener noreferrer external"'
    assert markdown.html(text) == (
        "<p>a &lt;b&gt; &amp; <code>x &lt; y</code>\nand <strong>so</strong></p>\n"
        f'<ul>\n<li>one <a href="https://example.com/?a=1&amp;b=2" {out}>two</a>\nmore</li>\n<li>docs</li>\n</ul>\n'
    )
    assert markdown.html("# x\n\n一行目は\n二行目") == "<p>一行目は二行目</p>\n"
