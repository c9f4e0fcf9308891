import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import NotFound
from sampan.kernel.files import BadFileKey, Files, LocalFiles, check_key, key_for


async def test_what_was_put_is_there_until_deleted(tmp_path: Path) -> None:
    files: Files = LocalFiles(tmp_path / "files")
    assert not await files.exists("a/b.webp")
    await files.put("a/b.webp", b"picture", "image/webp")
    assert await files.exists("a/b.webp")
    assert await files.get("a/b.webp") == b"picture"
    await files.put("a/b.webp", b"", "image/webp")
    assert await files.get("a/b.webp") == b""
    await files.delete("a/b.webp")
    await files.delete("a/b.webp")
    assert not await files.exists("a/b.webp")
    for missing in ("a/b.webp", "a", "x/y/z"):
        with pytest.raises(NotFound):
            await files.get(missing)


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    await files.put("a/b", b"1", "text/plain")
    assert not await files.exists("a")
    await files.delete("a")
    assert await files.get("a/b") == b"1"
    with pytest.raises(NotFound):
        await files.get("a/b/c")
    await files.delete("a/b/c")


def test_browsers_find_a_file_under_its_address(tmp_path: Path) -> None:
    assert LocalFiles(tmp_path).url("a/b.webp") == "/files/a/b.webp"
    assert LocalFiles(tmp_path, base_url="https://cdn.example/").url("a/b") == "https://cdn.example/a/b"


BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "a\\b",
    "a b",
    "A",
    "á",
    "a\x00",
    "a\n",
    "a:b",
    "%2e%2e/x",
    "~root",
    "x" * 201,
]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    files = LocalFiles(tmp_path)
    for work in (files.get(key), files.put(key, b"", "text/plain"), files.delete(key), files.exists(key)):
        with pytest.raises(BadFileKey):
            await work
    with pytest.raises(BadFileKey):
        files.url(key)


@given(st.text(alphabet="ab1._-/\\ A\n", max_size=12))
def test_every_accepted_key_stays_inside(key: str) -> None:
    try:
        check_key(key)
    except BadFileKey:
        return
    root = "/srv/files"
    path = os.path.normpath(os.path.join(root, key))
    assert path == f"{root}/{key}"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_content_key_names_its_content(one: bytes, other: bytes) -> None:
    assert (key_for(one, ".webp") == key_for(other, ".webp")) == (one == other)
    check_key(key_for(one, ".webp", "products"))


def test_a_content_key_has_a_plain_suffix() -> None:
    assert key_for(b"", "") == "e3/b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert key_for(b"", ".webp", "products").startswith("products/e3/b0c4")
    for suffix in ("webp", ".", "./x", ".WEBP", ".a.b"):
        with pytest.raises(BadFileKey):
            key_for(b"", suffix)
    with pytest.raises(BadFileKey):
        key_for(b"", "", "../x")


async def test_readers_see_one_whole_version_or_another(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    versions = [bytes([number]) * 200_000 for number in range(4)]
    await files.put("a", versions[0], "text/plain")
    seen: set[bytes] = set()

    async def read() -> None:
        for _ in range(60):
            seen.add(await files.get("a"))

    async def write(version: bytes) -> None:
        for _ in range(5):
            await files.put("a", version, "text/plain")

    await asyncio.gather(read(), *(write(version) for version in versions))
    assert seen <= set(versions)


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(OSError):
        await files.put("a/b", b"a file over a folder", "text/plain")
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["b"]
