"""Users who may log in: a file of names and salted hashes, one per line, written by `--add-user`."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path

from demo.servers import write_private
from nlpkit.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
COST = 2**14
"""Cost of scrypt: about 50 ms and 16 MiB for each attempt."""


def hashed(password: str, salt: bytes) -> str:
    """Return the hash of a password."""
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=COST, r=8, p=1, dklen=32
    ).hex()


def add_user(file: Path, name: str, password: str) -> None:
    """Write a user with the password's hash, or replace it; only the owner can read the file.

    Raises:
        ConfigError: the name or the password is invalid.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"user {name!r:.80}: expected 1 to 64 letters, digits and . _ @ -")
    if len(password) < 8:
        raise ConfigError(f"the password of {name}: {len(password)} characters; expected 8 or more")
    users = read_users(file) if file.exists() else {}
    salt = secrets.token_bytes(16)
    users[name] = (salt, hashed(password, salt))
    write_private(file, "".join(f"{user}:{salt.hex()}:{digest}\n" for user, (salt, digest) in users.items()))


def read_users(file: Path) -> dict[str, tuple[bytes, str]]:
    """Return the names with their salts and hashes.

    Raises:
        ConfigError: the file does not exist or is refused, or a line is malformed.
    """
    try:
        _refuse_file(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}; hint: create it with --add-user NAME") from None
    users = {}
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(rf"({NAME.pattern}):([0-9a-f]{{32}}):([0-9a-f]{{64}})", line)
        if not match:
            raise ConfigError(
                f"{file}, line {number}: not a name with its hash; hint: --add-user NAME writes such lines"
            )
        users[match[1]] = (bytes.fromhex(match[2]), match[3])
    if not users:
        raise ConfigError(f"{file}: has no users; hint: add one with --add-user NAME")
    return users


def _refuse_file(file: Path) -> None:
    """Refuse what is no plain file, such as a pipe that would be waited for, and what others can read."""
    if file.is_dir():
        raise ConfigError(
            f"{file}: is a folder; expected a file of users; hint: write one with --login "
            f"{shlex.quote(str(file / 'users'))} --add-user NAME"
        )
    if file.exists() and not file.is_file():
        raise ConfigError(
            f"{file}: is a pipe or a device; expected a file of users; hint: write one with --login users "
            "--add-user NAME"
        )
    if os.name == "posix" and file.exists() and file.stat().st_mode & 0o077:
        raise ConfigError(
            f"{file}: other users of this machine can read or write it; expected a file of its owner only; "
            f"hint: chmod 600 {shlex.quote(str(file))}"
        )


def checker(file: Path) -> Callable[[str, str], bool]:
    """Return a function that checks a name and a password.

    An unknown name takes as long as a wrong password.
    """
    users = read_users(file)
    nobody = (secrets.token_bytes(16), "0" * 64)

    def check(name: str, password: str) -> bool:
        salt, digest = users.get(name, nobody)
        return hmac.compare_digest(hashed(password[:1024], salt), digest) and name in users

    return check
