"""Security headers on every response, from any part of the app."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No 'unsafe-inline' and no nonce: scripts and styles are our own files, and templates have neither inline.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",  # blob: the crop preview of a picture that is not uploaded yet
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

# Pictures come from people or a model. Even if a browser takes them for a page, they can run nothing.
PICTURE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`, which would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    # For browsers without frame-ancestors.
    "X-Frame-Options": "DENY",
    # A window that opened us, or that we opened, gets no reference to ours.
    "Cross-Origin-Opener-Policy": "same-origin",
    # Other sites cannot embed our pictures.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Pages show one person's view of private work. Routes that serve immutable content say otherwise.
    "Cache-Control": "private, no-store",
}


class SecurityHeaders:
    """ASGI middleware. A header that a route sets itself stays."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self.app = app
        headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})
        self.raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _value in own}
                message["headers"] = own + [header for header in self.raw if header[0] not in names]
            await send(message)

        return await self.app(scope, receive, send_with_headers)
