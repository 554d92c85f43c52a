"""The HTTP interface: POST /accounts, POST /login, GET /me, GET /health."""

import os
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from app.accounts import Accounts, NameTakenError
from app.tokens import BadTokenError, issue, owner

Bearer = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


class Login(BaseModel):
    """Name and password."""

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=8, max_length=128)


class Token(BaseModel):
    """What a login answers."""

    access_token: str
    token_type: str = "bearer"


class Person(BaseModel):
    """Who somebody is."""

    name: str


def create_app(database: Path, secret: str) -> FastAPI:
    """The service over one database file; tokens are signed with `secret`."""
    accounts = Accounts(database)
    service = FastAPI(title="Accounts")

    @service.post("/accounts", status_code=status.HTTP_201_CREATED)
    def sign_up(login: Login) -> Person:
        try:
            accounts.create(login.name, login.password)
        except NameTakenError:
            raise HTTPException(status.HTTP_409_CONFLICT, "this name is taken") from None
        return Person(name=login.name)

    @service.post("/login")
    def log_in(login: Login) -> Token:
        if not accounts.knows(login.name, login.password):
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "wrong name or password")
        return Token(access_token=issue(login.name, secret))

    @service.get("/me")
    def me(bearer: Bearer) -> Person:
        try:
            return Person(name=owner(bearer.credentials, secret))
        except BadTokenError:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "log in again") from None

    @service.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return service


app = create_app(
    Path(os.environ.get("DATABASE", "accounts.db")), os.environ.get("TOKEN_SECRET") or secrets.token_hex(32)
)
