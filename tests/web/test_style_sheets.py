"""Style sheets ask nothing of the whole page that a browser would decide again at each change, and suit large text."""

import re

from app.web.static import SITE, STATIC

WITHOUT_SCRIPTS = re.compile(r"@media \(scripting: none\) \{.*?\n  \}\n", re.DOTALL)


def test_no_rule_of_every_page_depends_on_whether_the_body_has_something() -> None:
    """Whatever is added anywhere would make a browser style hundreds of elements again."""
    found = {}
    for name in SITE:
        rules = WITHOUT_SCRIPTS.sub("", (STATIC / "css" / f"{name}.css").read_text())
        found[name] = re.findall(r"body:(?:not\(:)?has\([^{]*", rules)
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_layouts_change_with_the_size_of_the_text() -> None:
    """In em, for which a browser takes the person's own text size: with large text, a window is a narrow one."""
    found = {
        sheet.name: re.findall(r"@(?:media|container)[^{]*width[^{]*\dpx[^{]*", sheet.read_text())
        for sheet in (STATIC / "css").rglob("*.css")
    }
    assert {name: rules for name, rules in found.items() if rules} == {}
