"""The service as a client sees it."""

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.tokens import issue

SECRET = "0123456789abcdef0123456789abcdef"
ANN = {"name": "ann", "password": "correct horse"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(create_app(tmp_path / "accounts.db", SECRET))


def test_whoever_logs_in_is_known(client: TestClient) -> None:
    assert client.post("/accounts", json=ANN).status_code == 201
    token = client.post("/login", json=ANN).json()["access_token"]
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"name": "ann"}


def test_a_wrong_password_is_refused(client: TestClient) -> None:
    client.post("/accounts", json=ANN)
    assert client.post("/login", json={**ANN, "password": "wrong horse"}).status_code == 401


def test_a_name_is_taken_once(client: TestClient) -> None:
    client.post("/accounts", json=ANN)
    assert client.post("/accounts", json=ANN).status_code == 409


@pytest.mark.parametrize(
    "token", ["nonsense", issue("ann", "f" * 32), issue("ann", SECRET, timedelta(seconds=-1))]
)
def test_bad_tokens_are_refused(client: TestClient, token: str) -> None:
    assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_accounts_survive_a_restart(tmp_path: Path) -> None:
    TestClient(create_app(tmp_path / "a.db", SECRET)).post("/accounts", json=ANN)
    again = TestClient(create_app(tmp_path / "a.db", SECRET))
    assert again.post("/login", json=ANN).status_code == 200
