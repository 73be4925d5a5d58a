"""What a page offers: its forms, as a browser would send them, one for each of their buttons."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

BOUNDARY = "between"


@dataclass
class Form:
    action: str
    method: str
    multipart: bool
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, own address

    def sent_by(self, button: tuple[str, str, str]) -> tuple[str, bytes, str]:
        """Address, body and content type of what a button sends, without files."""
        name, value, own = button
        data = [*self.fields, *([(name, value)] if name else [])]
        if not self.multipart:
            return own or self.action, urlencode(data).encode(), "application/x-www-form-urlencoded"
        part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{{}}"\r\n\r\n{{}}\r\n'
        body = "".join(part.format(*each) for each in data) + f"--{BOUNDARY}--\r\n"
        return own or self.action, body.encode(), f"multipart/form-data; boundary={BOUNDARY}"


class Offers(HTMLParser):
    """The forms of a page as they would be sent: with what is filled in, checked and chosen, and is not disabled."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._elsewhere: list[tuple[str, str, tuple[str, ...]]] = []  # what names its form by an id
        self._templates = 0
        self._area: tuple[dict[str, str], list[str]] | None = None
        self._select: tuple[dict[str, str], list[tuple[bool, str]]] | None = None
        self.feed(html)
        for form_id, kind, what in self._elsewhere:
            if form := self._by_id.get(form_id):
                getattr(form, kind).append(what)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._templates += tag == "template"
        if self._templates or ("disabled" in values and tag != "option"):
            return
        match tag:
            case "form":
                multipart = "multipart" in values.get("enctype", "")
                self._open = Form(values.get("action", ""), values.get("method", "get").lower(), multipart)
                self.forms.append(self._open)
                self._by_id[values.get("id", "")] = self._open
            case "input":
                self._input(values)
            case "button" if values.get("type", "submit") == "submit":
                button = values.get("name", ""), values.get("value", ""), values.get("formaction", "")
                self._put("buttons", values, button)
            case "textarea":
                self._area = values, []
            case "select":
                self._select = values, []
            case "option" if self._select:
                self._select[1].append(("selected" in values, values.get("value", "")))

    def _input(self, values: dict[str, str]) -> None:
        kind = values.get("type", "text")
        ticks = kind in ("checkbox", "radio")
        if kind not in ("file", "button", "submit", "image") and not (ticks and "checked" not in values):
            self._put("fields", values, (values.get("name", ""), values.get("value", "on" if ticks else "")))

    def _put(self, kind: str, values: dict[str, str], what: tuple[str, ...]) -> None:
        if kind == "fields" and not what[0]:
            return
        if form_id := values.get("form"):
            self._elsewhere.append((form_id, kind, what))
        elif self._open:
            getattr(self._open, kind).append(what)

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template"
        if tag == "form":
            self._open = None
        elif tag == "textarea" and self._area:
            values, words = self._area
            self._area = None
            self._put("fields", values, (values.get("name", ""), "".join(words).removeprefix("\n")))
        elif tag == "select" and self._select:
            values, options = self._select
            self._select = None
            chosen = [value for selected, value in options if selected] or [value for _, value in options[:1]]
            for value in chosen:
                self._put("fields", values, (values.get("name", ""), value))

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[1].append(data)
