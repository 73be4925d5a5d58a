"""Rules on the source that no behaviour test can check."""

import json
import re
from pathlib import Path

import pytest
import structlog

from app.logs import configure_logging
from app.settings import Settings
from app.web.templating import make_environment

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
APP = sorted((ROOT / "app").rglob("*.py"))

# Values that templates treat as HTML: attributes written in the template itself, and the drawing of a QR code.
AS_HTML = re.compile(r"""(?:'[^']*'|"[^"]*"|\bqr)\s*\|\s*safe\b""")
# What scripts may parse as HTML: answers of this server, made by its templates.
# What signing out must clear. Browsers have notifications only where they also obey Clear-Site-Data.
LASTING = {"notify.js"}
PARSES = dict.fromkeys(
    (
        "checklist.js",
        "laid.js",
        "place.js",
        "review.js",
        "news.js",
        "notify.js",
        "refused.js",
        "requests.js",
        "sending.js",
        "structure.js",
        "upload.js",
        "vision.js",
    ),
    1,
)


def test_templates_escape_what_people_typed() -> None:
    assert make_environment().autoescape is True
    for template in TEMPLATES:
        text = template.read_text()
        assert len(re.findall(r"\|\s*safe\b", text)) == len(AS_HTML.findall(text)), template.relative_to(ROOT)
        assert "autoescape" not in text, template.relative_to(ROOT)
    # Our own messages with elements in them, whose parameters are escaped, our own pages of text, icons and addresses.
    marked = sorted(file.name for file in APP if "Markup(" in file.read_text())
    assert marked == ["guide.py", "icons.py", "markdown.py", "templating.py", "trans.py"]


def test_scripts_write_text_as_text() -> None:
    for script in SCRIPTS:
        text = script.read_text()
        parses = re.findall(r"\.(?:inner|outer)HTML\s*=|DOMParser\(\)|insertAdjacentHTML", text)
        assert len(parses) == PARSES.get(script.name, 0), script.name
        assert not re.search(r"\beval\(|new Function|document\.write|srcdoc|indexedDB", text), script.name
        assert "localStorage" not in text or script.name in LASTING, script.name
        assert 'addEventListener("message"' not in text, script.name


def test_passwords_are_masked_and_may_be_pasted() -> None:
    """Every field for a password, a code or a secret."""
    for template in TEMPLATES:
        for field in re.findall(r"<input\b[^>]*>", template.read_text(), re.DOTALL):
            name = re.search(r'name="([^"]*)"', field)
            if name and re.search("password|current", name[1]):
                assert 'type="password"' in field or 'type="hidden"' in field, (template.relative_to(ROOT), name[1])
            assert "onpaste" not in field
    assert not [
        script.name
        for script in SCRIPTS
        if re.search(r"[\"']paste[\"']", script.read_text()) and "password" in script.read_text()
    ]


def test_nothing_that_is_sent_is_run() -> None:
    runs = re.compile(r"(?<![.\w])(?:eval|exec|compile)\(|shell=True|os\.system|\bpickle\.|yaml\.load|marshal\.")
    assert not [file.relative_to(ROOT) for file in APP if runs.search(file.read_text())]


def test_no_line_of_the_log_can_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break in a value stays in its line."""
    configure_logging(Settings(_env_file=None, log_format="json"))
    try:
        structlog.get_logger("app.test").warning("a refusal", path="/a\nb", name='x\r\n{"event": "forged"}\u2028')
    finally:
        configure_logging(Settings(_env_file=None, log_format="console"))
    told = [json.loads(line) for line in capsys.readouterr().err.split("\n") if line]
    assert [line["event"] for line in told] == ["a refusal"]
