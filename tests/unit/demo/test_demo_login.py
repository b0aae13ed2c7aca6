"""Names and salted hashes: what lets someone in, and what does not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from demo.login import add_user, checker, read_users
from nlpkit.errors import ConfigError


@pytest.fixture
def users(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    add_user(file, "ann", "correct horse")
    add_user(file, "bob", "battery staple")
    return file


def test_a_name_and_its_password_belong_together(users: Path) -> None:
    check = checker(users)
    assert check("ann", "correct horse")
    assert check("bob", "battery staple")
    assert not check("ann", "battery staple")
    assert not check("eve", "correct horse")
    assert not check("", "")


def test_the_file_holds_no_password_and_is_its_owners_alone(users: Path) -> None:
    assert "horse" not in users.read_text()
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    salts = {salt for salt, _ in read_users(users).values()}
    assert len(salts) == 2


def test_a_new_password_takes_the_place_of_the_old(users: Path) -> None:
    add_user(users, "ann", "another one")
    assert list(read_users(users)) == ["ann", "bob"]
    assert checker(users)("ann", "another one")
    assert not checker(users)("ann", "correct horse")


@pytest.mark.parametrize(
    ("name", "password"),
    [("", "long enough"), ("a:b", "long enough"), ("a\nb", "long enough"), ("ann", "short")],
)
def test_what_cannot_be_a_user_is_refused(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(ConfigError):
        add_user(tmp_path / "users", name, password)


@pytest.mark.parametrize("text", ["", "ann:plain password\n", "ann:00:00\n"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "users").write_text(text)
    with pytest.raises(ConfigError, match="users"):
        checker(tmp_path / "users")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        checker(tmp_path / "none")


def test_c9_a_pipe_a_folder_and_what_others_can_read_are_refused_at_once(users: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, reason in [(pipe, "is a pipe or a device"), (tmp_path, "is a folder")]:
        with pytest.raises(ConfigError, match=rf"{path}: {reason}; .* hint: .*--add-user"):
            checker(path)
        with pytest.raises(ConfigError, match=reason):
            add_user(path, "eve", "long enough")
    users.chmod(0o640)
    with pytest.raises(ConfigError, match=f"{users}: other users .* hint: chmod 600 {users}"):
        checker(users)
    users.chmod(0o600)
    assert checker(users)("ann", "correct horse")
