"""Forms that no browser sends: refused early, in a sentence, at addresses open to everyone."""

from tests.web.server import Browser

HEAD = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"
WHOLE = HEAD + b"a@example.com" + TAIL
URLENCODED = "application/x-www-form-urlencoded"


CODECS = (
    "unicode_escape raw_unicode_escape utf-7 utf-16 utf-32 utf-8-sig idna punycode rot13 zlib_codec bz2 base64 hex uu "
    "quopri undefined mbcs latin-1 shift_jis cp037 no-such-codec"
)


def test_only_utf_8_is_read(anonymous: Browser) -> None:
    kinds = ("multipart/form-data; boundary=x", URLENCODED)
    for kind in [f"{kind}; charset={codec}" for kind in kinds for codec in CODECS.split()]:
        body = HEAD + rb"\ud800" + TAIL if kind.startswith("multipart") else rb"email=\ud800"
        answer = anonymous.post("/login", content=body, headers={"content-type": kind})
        assert answer.status_code == 400, kind
        assert "UTF-8" in answer.text


def test_utf_8_may_be_said(anonymous: Browser) -> None:
    for charset in ("utf-8", "UTF-8", '"utf-8"', "utf8"):
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        answer = anonymous.post("/login", content=WHOLE, headers={"content-type": kind})
        assert answer.status_code == 422, "refused because the password is missing"


def test_invalid_utf_8_is_refused(anonymous: Browser) -> None:
    for kind, body in (
        ("multipart/form-data; boundary=x", HEAD + b"\xed\xa0\x80" + TAIL),
        ("multipart/form-data; boundary=x", WHOLE.replace(b"email", b"em\xffail")),
        ("multipart/form-data; boundary=x", WHOLE.replace(b'"email"', b'"email"; filename="\xff.png"')),
        (URLENCODED, b"email=\xff"),
        (URLENCODED, b"email=%ED%A0%80"),
        (URLENCODED, b"%FF=a"),
    ):
        answer = anonymous.post("/login", content=body, headers={"content-type": kind})
        assert answer.status_code == 400, body
        assert "UTF-8" in answer.text


def test_other_bodies_than_forms_are_refused(anonymous: Browser) -> None:
    for kind, body, status in (
        ("multipart/form-data", WHOLE, 400),
        ("multipart/form-data; boundary=", WHOLE, 400),
        ("multipart/form-data; boundary=y", WHOLE, 400),
        (f"multipart/form-data; boundary={'y' * 300}", WHOLE, 400),
        ("multipart/form-data; boundary=x", WHOLE[:-6], 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", WHOLE.replace(b'; name="email"', b""), 400),
        ("multipart/form-data; boundary=x", WHOLE.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 9000 + b"\r\n\r\n"), 400),
        ("multipart/form-data; boundary=x", (HEAD + b"\r\n") * 101 + TAIL, 400),
        (URLENCODED, b"&" * 100_000, 400),
        (URLENCODED, b"a=1&" * 100, 400),
        ("application/json", b'{"email": "a@example.com"}', 415),
        ("text/plain", b"email=a", 415),
        ("multipart/mixed; boundary=x", WHOLE, 415),
        ("", b"email=a", 415),
    ):
        answer = anonymous.post("/login", content=body, headers={"content-type": kind} if kind else {})
        assert answer.status_code == status, (kind, body[:40])
        assert "form" in answer.text.lower()


def test_nothing_is_an_empty_form(anonymous: Browser) -> None:
    for kind in ("", "application/json", URLENCODED):
        assert anonymous.post("/login", content=b"", headers={"content-type": kind}).status_code == 422


def test_a_form_without_files_has_its_own_limit_at_upload_addresses(designer: Browser) -> None:
    body = b"name=" + b"a" * 5 * 2**20
    answer = designer.post("/styles/preview", content=body, headers={"content-type": URLENCODED})
    assert answer.status_code == 413


def test_hostile_json_shows_the_form_again(designer: Browser) -> None:
    for value in (
        "[" * 5000 + "]" * 5000,
        '[{"id": Infinity}]',
        '[{"id": 1e999}]',
        '[{"id": NaN, "weight": NaN}]',
        '[{"id": 1, "weight": "nan"}]',
        '[{"id": ' + "9" * 4000 + "}]",
        '[{"maps": [[1]]}]',
        '[{"maps": [9223372036854775807, 1.5, true, "1", null]}]',
        '[{"maps": [' + ",".join(map(str, range(20_000))) + "]}]",
        '[{"prompt": "\\ud800"}]',
        '"text"',
        "[[]]",
        "{}",
        "7",
    ):
        for field in ("subjects", "structures", "regions"):
            answer = designer.post("/sets", data={"prompts": "a fox", field: value})
            assert answer.status_code == 422, (field, value[:40])
