"""Who may come in: a file of names and salted hashes, one a line, as `--add-user` writes it."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from nlpkit.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
COST = 2**14
"""Of scrypt: about 50 ms and 16 MiB for each try."""


def hashed(password: str, salt: bytes) -> str:
    """The hash that is kept of a password."""
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=COST, r=8, p=1, dklen=32
    ).hex()


def add_user(file: Path, name: str, password: str) -> None:
    """Write a name with its hash, in place of an older one of that name; only the owner may read the file.

    Raises:
        ConfigError: the name or the password cannot be one.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"user {name!r:.80}: expected 1 to 64 of letters, digits and . _ @ -")
    if len(password) < 8:
        raise ConfigError(f"the password of {name}: {len(password)} characters; expected 8 or more")
    users = read_users(file) if file.exists() else {}
    salt = secrets.token_bytes(16)
    users[name] = (salt, hashed(password, salt))
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as stream:
        stream.writelines(f"{one}:{salt.hex()}:{kept}\n" for one, (salt, kept) in users.items())
    fresh.replace(file)


def read_users(file: Path) -> dict[str, tuple[bytes, str]]:
    """Names with their salts and hashes.

    Raises:
        ConfigError: the file is not there, or a line is not of its form.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: cannot be read: {error}; expected the file that --add-user NAME writes"
        ) from None
    users = {}
    for number, line in enumerate(lines, 1):
        found = re.fullmatch(rf"({NAME.pattern}):([0-9a-f]{{32}}):([0-9a-f]{{64}})", line)
        if not found:
            raise ConfigError(
                f"{file}, line {number}: not a name with its hash; expected what --add-user NAME writes"
            )
        users[found[1]] = (bytes.fromhex(found[2]), found[3])
    if not users:
        raise ConfigError(f"{file}: names nobody; expected one line a user, as --add-user NAME writes it")
    return users


def checker(file: Path) -> Callable[[str, str], bool]:
    """Whether a name and a password belong together; an unknown name takes as long as a wrong password."""
    users = read_users(file)
    nobody = (secrets.token_bytes(16), "0" * 64)

    def check(name: str, password: str) -> bool:
        salt, kept = users.get(name, nobody)
        return hmac.compare_digest(hashed(password[:1024], salt), kept) and name in users

    return check
