from tests.web.server import Browser


def test_a_running_server_says_so(anonymous: Browser) -> None:
    answer = anonymous.get("/healthz")
    assert answer.json() == {"status": "ok", "model": "demo"}
