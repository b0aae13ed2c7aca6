from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from nlpkit.errors import SourceError
from nlpkit.sources.wheels import digest, take


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def test_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_only_named_members_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    made = archive(tmp_path / "a.zip", ("d/one", b"1"), ("d/two", b"2"), ("d/code.py", b"boom"))
    taken = take(made, ("d/two", "d/one"), tmp_path / "out")
    assert [path.name for path in taken] == ["two", "one"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one", "two"]


@pytest.mark.parametrize("hostile", ["../evil", "/tmp/evil", "d/../../evil", "..\\evil", "C:\\evil"])
def test_a_hostile_name_is_ignored_and_even_when_asked_for_stays_inside(tmp_path: Path, hostile: str) -> None:
    made = archive(tmp_path / "a.zip", ("one", b"1"), (hostile, b"evil"))
    out = tmp_path / "deep" / "out"
    take(made, ("one",), out)
    assert [path.name for path in out.iterdir()] == ["one"]
    taken = take(made, (hostile,), tmp_path / "deep" / "other")
    assert taken[0].parent == tmp_path / "deep" / "other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "deep"]


def test_a_link_in_an_archive_becomes_a_plain_file(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("model.safetensors")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    taken = take(
        archive(tmp_path / "a.zip", (link, b"/etc/passwd")), ("model.safetensors",), tmp_path / "out"
    )
    assert not taken[0].is_symlink()
    assert taken[0].read_bytes() == b"/etc/passwd"


def test_a_missing_member_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'two' 0 times"):
        take(archive(tmp_path / "a.zip", ("one", b"1")), ("two",), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'one' 2 times"):
        take(archive(tmp_path / "a.zip", ("one", b"1"), ("one", b"2")), ("one",), tmp_path / "out")


@pytest.mark.parametrize("cut", [0, 10, 60, 100])
def test_a_broken_archive_is_an_error(tmp_path: Path, cut: int) -> None:
    made = archive(tmp_path / "a.zip", ("one", b"1" * 1000))
    made.write_bytes(made.read_bytes()[:cut])
    with pytest.raises(SourceError, match="not a readable archive"):
        take(made, ("one",), tmp_path / "out")


def test_a_flipped_byte_is_an_error(tmp_path: Path) -> None:
    made = archive(tmp_path / "a.zip", ("one", bytes(range(256))))
    content = bytearray(made.read_bytes())
    content[60] ^= 0xFF
    made.write_bytes(content)
    with pytest.raises(SourceError, match="not a readable archive"):
        take(made, ("one",), tmp_path / "out")
