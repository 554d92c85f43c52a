"""The shortener as a browser sees it."""

import pytest
from fastapi.testclient import TestClient

from shortener.main import create_app

LONG = "https://example.com/a/very/long/address"


@pytest.fixture
def client() -> TestClient:
    return TestClient(create_app(), follow_redirects=False)


def test_a_short_link_leads_to_its_address_and_counts(client: TestClient) -> None:
    code = client.post("/api/links", json={"url": LONG}).json()["code"]
    answer = client.get(f"/{code}")
    assert (answer.status_code, answer.headers["location"]) == (307, LONG)
    assert client.get("/api/links").json() == [{"code": code, "url": LONG, "visits": 1}]


def test_the_same_address_has_one_link(client: TestClient) -> None:
    first, second = (client.post("/api/links", json={"url": LONG}).json()["code"] for _ in range(2))
    assert first == second


def test_what_is_no_address_is_refused(client: TestClient) -> None:
    assert client.post("/api/links", json={"url": "no address"}).status_code == 422


def test_an_unknown_code_is_not_found(client: TestClient) -> None:
    assert client.get("/nothing").status_code == 404


def test_the_page_has_a_form(client: TestClient) -> None:
    assert '<form id="form">' in client.get("/").text
