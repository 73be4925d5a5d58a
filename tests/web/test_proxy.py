"""Soroe behind Caddy and nginx, with the configurations in docs/proxy: real proxies, over TLS.

Only names, ports and the certificate are filled in; people come from 127.0.0.9, the proxy calls from 127.0.0.1.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.main import create_app
from app.models import Act, AuditEvent, Role
from app.sets.queries import topic
from app.settings import Settings
from app.web.limits.body import UPLOAD_MARGIN
from tests.engine.painter import Painter
from tests.factory import PASSWORD
from tests.web.server import Browser, Server, make_person, making, serve

CONFIGURATIONS = Path(__file__).parents[2] / "docs" / "proxy"
CLIENT = "127.0.0.9"
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {server}
}}
"""


@dataclass
class Site:
    url: str
    server: Server


@pytest.fixture(scope="module", params=["caddy", "nginx"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    url = f"https://localhost:{port}"
    settings = Settings(data=folder / "data", url=url, proxies="127.0.0.1")
    settings.data.mkdir()
    shutil.copy(migrated, settings.data)
    start = {"caddy": caddy, "nginx": nginx}[request.param]
    with serve(create_app(settings, Painter(pause_at=0))) as server, start(folder, port, server) as process:
        wait_for(port, process)
        yield Site(url, server)


@contextmanager
def caddy(folder: Path, port: int, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    text = (CONFIGURATIONS / "Caddyfile").read_text()
    text = text.replace(
        "\n{\n", f"\n{{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttps_port {port}\n", 1
    )
    text = text.replace("\nsoroe.example.com {", f"\nlocalhost:{port} {{").replace("127.0.0.1:8000", address(server))
    (folder / "Caddyfile").write_text(text)
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with running(command, folder, homes) as process:
        yield process


@contextmanager
def nginx(folder: Path, port: int, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    self_signed(folder)
    text = (CONFIGURATIONS / "nginx.conf").read_text()
    text = text.replace("listen 443 ", f"listen {port} ").replace("listen 80;", f"listen {free_port()};")
    text = re.sub(r"/etc/letsencrypt/\S+/(\w+\.pem)", rf"{folder}/\1", text)
    text = text.replace("soroe.example.com", "localhost").replace("127.0.0.1:8000", address(server))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, server=text))
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, {}) as process:
        yield process


@contextmanager
def running(command: list[str], folder: Path, values: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, f"{command[0]} is missing: scripts/need-proxies installs it"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *command[1:]], stdout=log, stderr=log, env={**os.environ, **values})
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def address(server: Server) -> str:
    return server.url.removeprefix("http://")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until it answers over TLS."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends and process.poll() is None:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), 5) as raw,
                tls().wrap_socket(raw, server_hostname="localhost"),
            ):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the proxy does not answer")


def tls() -> ssl.SSLContext:
    """For certificates made by these tests."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def self_signed(folder: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    )
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "fullchain.pem").write_bytes(pem)
    (folder / "privkey.pem").write_bytes(key.private_bytes(*kinds))


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    transport = httpx2.HTTPTransport(verify=context, local_address=CLIENT)
    with Browser(site.url, transport=transport) as made:
        yield made


def test_signing_in_over_tls(site: Site, browser: Browser) -> None:
    person = make_person(site.server, Role.DESIGNER)
    forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}
    answer = browser.post(
        "/login",
        data={"email": person.email, "password": PASSWORD},
        headers={**forged, "sec-fetch-site": "same-origin"},
    )
    assert answer.status_code == 303
    cookies = [cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith("__Host-soroe=")]
    assert cookies
    assert "Secure" in cookies[0]
    assert answer.headers["strict-transport-security"]
    with site.server.resources.database.read() as session:
        event = session.query(AuditEvent).filter_by(act=Act.SIGN_IN, user_id=person.id).one()
        assert event.details["address"] == CLIENT, "the client's own, neither the proxy's nor the forged one"
    assert browser.get("/account").status_code == 200
    del browser.headers["sec-fetch-site"]
    assert browser.post("/logout", headers={"origin": site.url.replace("https", "http")}).status_code == 403
    assert browser.post("/logout", headers={"origin": site.url}).status_code == 303, (
        "as browsers without Sec-Fetch-Site say"
    )


def sign_in(site: Site, browser: Browser) -> None:
    browser.user = make_person(site.server, Role.DESIGNER)
    assert browser.sign_in(browser.user.email).status_code == 303


def test_events_arrive_immediately(site: Site, browser: Browser) -> None:
    sign_in(site, browser)
    with making(site.server) as make:
        waiting = make.image_set(browser.user)
        pictures = [image.id for image in waiting.images]
    with browser.stream("GET", f"/sets/{waiting.id}/events", headers={"accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        site.server.app.state.dispatcher.changed(topic(waiting.id), pictures)
        assert any(line.startswith("data:") for line in stream.iter_lines()), "while the stream stays open"


def test_the_largest_upload_comes_through(site: Site, browser: Browser) -> None:
    sign_in(site, browser)
    data = b"x" * site.server.resources.settings.upload_bytes
    answer = browser.post("/styles/preview", files={"picture": ("a.png", data, "image/png")})
    assert answer.status_code == 422, "Soroe itself says what is wrong with it"
    answer = browser.post("/styles/preview", files={"picture": ("a.png", data + b"x" * 2**20, "image/png")})
    assert answer.status_code == 413
    assert "larger than 32 MB" in answer.text


def test_large_zips_come_as_they_are(site: Site, browser: Browser) -> None:
    """A static file stands in for them: it has the stated length, and is not compressed again."""
    answer = browser.get("/static/x/css/base.css", headers={"accept-encoding": "identity"})
    assert answer.headers["content-length"] == str(len(answer.content))


def test_http_2(site: Site) -> None:
    port = int(site.url.rsplit(":", 1)[1])
    with (
        socket.create_connection(("127.0.0.1", port), 5) as raw,
        tls().wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"


def test_the_configurations_let_the_largest_lora_through() -> None:
    for name, pattern in (("Caddyfile", r"max_size (\d+)MiB"), ("nginx.conf", r"client_max_body_size (\d+)m")):
        found = re.search(pattern, (CONFIGURATIONS / name).read_text())
        assert found
        assert int(found[1]) * 2**20 >= Settings(_env_file=None).lora_bytes + UPLOAD_MARGIN
