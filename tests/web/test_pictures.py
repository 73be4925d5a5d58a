from app.files import Kind
from app.models import Image, Reference
from tests.web.server import Browser, Server, making


def test_a_missing_file_gives_a_sentence_instead_of_an_error(server: Server, designer: Browser) -> None:
    with making(server) as make:
        make.finished_set(prompts="a fox")
    with server.resources.database.read() as session:
        image, reference = session.query(Image).one(), session.query(Reference).one()
    files = server.resources.files
    for kind, sha256 in ((Kind.IMAGES, image.sha256), (Kind.REFERENCES, reference.sha256)):
        files.path(kind, sha256).unlink()
        files.thumbnail(sha256, 320).unlink()
    for folder in ("images", "references"):
        for name in ("1.png", "1/thumb-320.webp"):
            answer = designer.get(f"/{folder}/{name}")
            assert answer.status_code == 404
            assert "The server lost" in answer.text
        assert designer.get(f"/{folder}/1/thumb-960.webp").headers["content-type"] == "image/webp"


def test_a_download_that_is_refused_is_a_page_with_the_reason(server: Server, admin: Browser) -> None:
    with making(server) as make:
        image_set = make.finished_set(prompts="a fox")
        make.decide(image_set.images[0])
    for path in ("/", "/sets/1"):
        link = next(part for part in admin.get(path).text.split("<a ") if "/sets/1/export" in part).split(">")[0]
        assert " download" not in link.replace("\n", " "), "a browser would hide the reason"
