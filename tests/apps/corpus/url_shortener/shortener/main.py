"""The HTTP interface: a page with a form, an API, and the redirects."""

from pathlib import Path

from fastapi import FastAPI, HTTPException, status
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, HttpUrl

from shortener.links import Link, Links

_PAGE = Path(__file__).with_name("templates") / "index.html"


class Wish(BaseModel):
    """What somebody wants shortened."""

    url: HttpUrl


class Shown(BaseModel):
    """A link as the API shows it."""

    code: str
    url: str
    visits: int


def create_app() -> FastAPI:
    """The service with no links yet."""
    links = Links()
    service = FastAPI(title="URL shortener")

    @service.get("/", response_class=HTMLResponse)
    def page() -> str:
        return _PAGE.read_text(encoding="utf-8")

    @service.post("/api/links", status_code=status.HTTP_201_CREATED)
    def shorten(wish: Wish) -> Shown:
        return _shown(links.add(str(wish.url)))

    @service.get("/api/links")
    def listing() -> list[Shown]:
        return [_shown(link) for link in links.all()]

    @service.get("/{code}")
    def follow(code: str) -> RedirectResponse:
        link = links.follow(code)
        if link is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "no such link")
        return RedirectResponse(link.url, status.HTTP_307_TEMPORARY_REDIRECT)

    return service


def _shown(link: Link) -> Shown:
    return Shown(code=link.code, url=link.url, visits=link.visits)


app = create_app()
