from concurrent.futures import ThreadPoolExecutor

import pytest

from app.files import Files, Kind
from app.models import Image, Reference
from tests.decoding.held import wait_for
from tests.web.server import Browser, Server, making


def finished(server: Server) -> tuple[Files, str, str]:
    """The files of a server with a finished picture and its reference, and their names."""
    with making(server) as make:
        make.finished_set(prompts="a fox")
    with server.resources.database.read() as session:
        return server.resources.files, session.query(Image).one().sha256 or "", session.query(Reference).one().sha256


def test_a_missing_file_gives_a_sentence_or_a_placeholder(server: Server, designer: Browser) -> None:
    files, image, reference = finished(server)
    for kind, sha256 in ((Kind.IMAGES, image), (Kind.REFERENCES, reference)):
        files.path(kind, sha256).unlink()
        files.thumbnail(sha256, 320).unlink()
    for folder in ("images", "references"):
        for name in ("1.png", "1/thumb-320.webp"):
            answer = designer.get(f"/{folder}/{name}")
            assert answer.status_code == 404
            assert "The server lost" in answer.text
            answer = designer.get(f"/{folder}/{name}", headers={"Sec-Fetch-Dest": "image"})
            assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
            assert "The server lost" in answer.text
        assert designer.get(f"/{folder}/1/thumb-960.webp").headers["content-type"] == "image/webp"


def test_a_damaged_file_is_never_served(server: Server, designer: Browser, admin: Browser) -> None:
    files, image, _ = finished(server)
    path = files.path(Kind.IMAGES, image)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    answer = designer.get("/images/1.png")
    assert answer.status_code == 404
    assert "The file of picture 1 is damaged on the server. Redo the picture" in answer.text
    assert designer.get("/images/1/thumb-320.webp").status_code == 200
    wait_for(lambda: bool(server.resources.reader.damaged))
    warning = "1 stored file is lost or damaged: picture 1."
    assert warning in admin.get("/").text
    assert warning not in designer.get("/").text


def test_a_missing_or_damaged_thumbnail_is_made_once_for_everyone_who_asks(
    server: Server, designer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, image, reference = finished(server)
    whole = files.thumbnail(image, 320).read_bytes()
    made = []
    real = Files.make_thumbnails
    monkeypatch.setattr(Files, "make_thumbnails", lambda self, sha256: (made.append(sha256), real(self, sha256))[1])
    for name, content in ((image, None), (reference, b""), (image, whole[:-9])):
        path = files.thumbnail(name, 320)
        path.unlink() if content is None else path.write_bytes(content)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _, name=name: designer.get(f"/thumbs/{name}-320.webp"), range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert path.read_bytes()[8:12] == b"WEBP"
    assert files.thumbnail(image, 320).read_bytes() == whole
    assert made == [image, reference, image]


def test_a_download_that_is_refused_is_a_page_with_the_reason(server: Server, admin: Browser) -> None:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        make.decide(image_set.images[0])
    for path in ("/", "/sets/1"):
        link = next(part for part in admin.get(path).text.split("<a ") if "/sets/1/export" in part).split(">")[0]
        assert " download" not in link.replace("\n", " "), "a browser would hide the reason"
