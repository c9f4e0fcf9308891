import pytest

from sampan.kernel.errors import Invalid
from sampan.services.auth import rules


def field_of(refusal: pytest.ExceptionInfo[Invalid]) -> tuple[str, str]:
    [error] = refusal.value.facts["errors"]
    return error["field"], error["code"]


def test_a_key_holds_at_least_one_permission_and_only_those_that_exist():
    rules.check_permissions(["orders.read"])
    rules.check_permissions(sorted(rules.PERMISSIONS))
    with pytest.raises(Invalid) as refusal:
        rules.check_permissions([])
    assert field_of(refusal) == ("permissions", "missing")
    for wrong in ("orders", "orders.read ", "ORDERS.READ", "*", "all"):
        with pytest.raises(Invalid) as refusal:
            rules.check_permissions(["orders.read", wrong])
        assert field_of(refusal) == ("permissions", "unknown")


def test_a_key_has_a_name_of_1_to_120_characters():
    rules.check_key_name("a")
    rules.check_key_name("Máy quét kho " + "x" * 107)
    for wrong in ("", "   ", "x" * 121):
        with pytest.raises(Invalid) as refusal:
            rules.check_key_name(wrong)
        assert field_of(refusal) == ("name", "length")


def test_what_does_not_look_like_a_key_is_not_even_looked_up():
    assert rules.is_key("sampan_" + "aZ09_-" * 7 + "a")
    for wrong in ("", "sampan_", "sampan_" + "a" * 42, "sampan_" + "a" * 44, "SAMPAN_" + "a" * 43):
        assert not rules.is_key(wrong)
    for odd in (" sampan_" + "a" * 43, "sampan_" + "a" * 43 + "\n", "sampan_" + "ả" * 43, "sampan_" + "a" * 42 + "+"):
        assert not rules.is_key(odd)


def test_two_keys_never_share_what_is_stored_of_them():
    one, other = "sampan_" + "a" * 43, "sampan_" + "a" * 42 + "b"
    assert rules.digest_for(one) == rules.digest_for(one)
    assert rules.digest_for(one) != rules.digest_for(other)
    assert len(rules.digest_for(one)) == 32
