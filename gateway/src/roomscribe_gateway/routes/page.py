"""The plain page that shows a meeting. It holds nothing secret: the API key comes from the reader's own browser."""

from importlib.resources import files
from typing import Literal

from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PAGE = files("roomscribe_gateway") / "page"
_FILES = {name: (_PAGE / name).read_bytes() for name in ("index.html", "page.css", "page.js", "events.js", "icon.svg")}


@router.get("/")
@router.get("/meetings/{meeting_id}")
async def page() -> Response:
    """The page; which meeting it shows it reads from its own address."""
    return _file("index.html")


@router.get("/page/{name}")
async def asset(name: Literal["page.css", "page.js", "events.js", "icon.svg"]) -> Response:
    """What the page needs."""
    return _file(name)


@router.get("/favicon.ico")
async def icon() -> Response:
    """Browsers ask for it unasked."""
    return _file("icon.svg")


@router.get("/healthz")
async def alive() -> Response:
    """The process serves."""
    return Response("ok\n", media_type="text/plain")


def _file(name: str) -> Response:
    kind = _KINDS[name.rpartition(".")[2]]
    return Response(_FILES[name], media_type=f"{kind}; charset=utf-8", headers=_HEADERS)
