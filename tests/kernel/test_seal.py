"""What is sealed opens with the same secret about the same thing, and otherwise not at all."""

import pytest

from sampan.kernel.seal import Seal, Unreadable

SECRET = "a secret for tests only, of more than 32 characters"


def test_what_is_sealed_opens_again_and_cannot_be_read_before():
    seal = Seal(SECRET, "tests")
    sealed = seal.close(b"token-of-a-guest", about=b"record 1")
    assert b"token" not in sealed
    assert Seal(SECRET, "tests").open(sealed, about=b"record 1") == b"token-of-a-guest"


def test_the_same_content_is_never_sealed_the_same():
    seal = Seal(SECRET, "tests")
    assert len({seal.close(b"", about=b"") for _ in range(1000)}) == 1000


def test_it_opens_neither_elsewhere_nor_with_another_secret_nor_for_another_purpose():
    sealed = Seal(SECRET, "tests").close(b"x", about=b"record 1")
    for seal, about in (
        (Seal(SECRET, "tests"), b"record 2"),
        (Seal(SECRET + "!", "tests"), b"record 1"),
        (Seal(SECRET, "others"), b"record 1"),
    ):
        with pytest.raises(Unreadable):
            seal.open(sealed, about=about)


def test_what_was_changed_or_cut_off_does_not_open():
    seal = Seal(SECRET, "tests")
    sealed = seal.close(b"one two three", about=b"")
    for at in range(len(sealed)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(Unreadable):
            seal.open(bytes(broken), about=b"")
        with pytest.raises(Unreadable):
            seal.open(sealed[:at], about=b"")
