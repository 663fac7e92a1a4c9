"""Who may talk to us: API keys, the browser's session, origins, host names; and answer headers.

A page of another site can make a browser send requests here. State-changing requests with a
foreign Origin are refused, names other than ours are refused while bound to loopback (DNS
rebinding), and reading answers across origins needs `QUIRE_CORS_ORIGINS`.
"""

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from sanic import HTTPResponse, empty
from sanic.response import BaseHTTPResponse, redirect

from shared.settings import Settings
from web.faults import Forbidden, Unauthorized, WrongHost, is_api
from web.front import App, Req

COOKIE = "quire_session"
_OPEN_PATHS = ("/static/", "/health", "/login", "/docs", "/openapi.json", "/schema/", "/favicon")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A result is a document of a stranger: no scripts, no requests, an origin of its own.
DOCUMENT_SECURITY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
)
_CORS_SECONDS = "600"


class Guards:
    """Decides over one request by its headers."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [key.encode() for key in settings.api_keys]
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        self._loopback_only = _is_loopback(settings.host) and "*" not in settings.host_names
        self._host_names = _LOOPBACK_NAMES | {""} | {n.lower() for n in settings.host_names}

    @property
    def need_key(self) -> bool:
        """Whether the settings name API keys."""
        return bool(self._keys)

    def is_key(self, key: str) -> bool:
        """Whether it is one of the keys; takes the same time for every wrong one."""
        given = _bytes(key)
        return any([hmac.compare_digest(given, known) for known in self._keys])  # noqa: C419  all

    def session_of(self, key: str) -> str:
        """What the browser's cookie holds: proof of the key, not the key."""
        return hmac.new(key.encode(), b"quire browser session", hashlib.sha256).hexdigest()

    def check_host(self, request: Req) -> None:
        """WrongHost when bound to loopback and asked under a name that is none of ours."""
        name = _host_name(request.headers.get("host", ""))
        if self._loopback_only and name not in self._host_names:
            raise WrongHost(
                "This server listens on loopback and answers to localhost and 127.0.0.1 only; "
                "QUIRE_HOST_NAMES adds the names that a reverse proxy passes on.",
                code="wrong_host",
            )

    def check_origin(self, request: Req) -> None:
        """Forbidden when a page of another site wants to change something."""
        if request.method in _SAFE_METHODS:
            return
        origin = request.headers.get("origin")
        if origin is None:
            foreign = request.headers.get("sec-fetch-site") == "cross-site"
        else:
            same = urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
            foreign = not same and not self.allows(origin)
        if foreign:
            raise Forbidden(
                f"Requests from {origin or 'other sites'} may not change anything here; "
                "QUIRE_CORS_ORIGINS names the origins that may.",
                code="foreign_origin",
            )

    def check_key(self, request: Req) -> None:
        """Unauthorized unless the request shows a key or a browser session."""
        if not self._keys or request.path.startswith(_OPEN_PATHS):
            return
        header = request.headers.get("authorization", "")
        key = request.headers.get("x-api-key") or (
            header[7:] if header[:7].lower() == "bearer " else ""
        )
        if key and self.is_key(key):
            return
        if not key and self._is_session(request.cookies.get(COOKIE) or ""):
            return
        raise Unauthorized(
            "The API key is not known." if key else "An API key is needed: Authorization: Bearer.",
            code="bad_api_key" if key else "no_api_key",
        )

    def _is_session(self, token: str) -> bool:
        sessions = [self.session_of(key.decode()) for key in self._keys]
        return any([hmac.compare_digest(_bytes(token), s.encode()) for s in sessions])  # noqa: C419

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may use the API."""
        return "*" in self._origins or origin.rstrip("/").lower() in self._origins


def install_guards(app: App, guards: Guards) -> None:
    """Check every request first, and put the security headers on every answer."""

    @app.on_request
    async def check(request: Req) -> HTTPResponse | None:
        if request.ctx.__dict__.setdefault("checked", False):
            return None  # a routing error runs the middleware once more
        request.ctx.checked = True
        guards.check_host(request)
        if request.method == "OPTIONS" and "origin" in request.headers:
            return empty()
        guards.check_origin(request)
        try:
            guards.check_key(request)
        except Unauthorized:
            if is_api(request) or request.method != "GET":
                raise
            return redirect("/login")
        return None

    async def protect(request: Req, response: BaseHTTPResponse) -> None:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _CONTENT_SECURITY)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"  # without it browsers send forms as from "null"
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("origin")
        if origin and request.path.startswith(("/api/", "/health")) and guards.allows(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Vary"] = "Origin"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            headers["Access-Control-Expose-Headers"] = "Retry-After, Content-Disposition"
            if request.method == "OPTIONS":
                headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
                headers["Access-Control-Allow-Headers"] = (
                    "Authorization, X-API-Key, Content-Type, Last-Event-ID"
                )
                headers["Access-Control-Max-Age"] = _CORS_SECONDS

    app.register_middleware(protect, "response")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bytes(header: str) -> bytes:
    """What the client sent: headers come decoded, bytes that are no UTF-8 as surrogates."""
    return header.encode("utf-8", "surrogateescape")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
