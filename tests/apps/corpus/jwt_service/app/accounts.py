"""Accounts in SQLite; passwords are kept as salted scrypt digests."""

import hashlib
import hmac
import os
import sqlite3
from pathlib import Path

_SALT_BYTES = 16


class NameTakenError(ValueError):
    """There is an account of this name."""


class Accounts:
    """All accounts of one database file. Safe to use from the threads of a server: each call connects anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as database:
            database.execute("CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, salt BLOB, digest BLOB)")

    def create(self, name: str, password: str) -> None:
        """Keep a new account. Raises NameTakenError."""
        salt = os.urandom(_SALT_BYTES)
        try:
            with self._connect() as database:
                database.execute("INSERT INTO accounts VALUES (?, ?, ?)", (name, salt, _digest(password, salt)))
        except sqlite3.IntegrityError as error:
            raise NameTakenError(name) from error

    def knows(self, name: str, password: str) -> bool:
        """Whether this is the account's password."""
        with self._connect() as database:
            row = database.execute("SELECT salt, digest FROM accounts WHERE name = ?", (name,)).fetchone()
        return row is not None and hmac.compare_digest(row[1], _digest(password, row[0]))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)
