import secrets
from uuid import uuid4

import pytest

from sampan.services.orders.contract import Address, Contact
from sampan.services.orders.rules.number import number_for
from sampan.services.orders.rules.token import digest_for, is_token, order_token_for
from sampan.services.orders.rules.words import words_for, words_of_query


def test_only_the_secret_itself_opens():
    token, other = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    assert is_token(token, digest_for(token))
    assert not is_token(other, digest_for(token))


@pytest.mark.parametrize("token", ["", " ", "x", "a" * 42, "a" * 44, "a" * 42 + "\n", "ă" * 43, "*" * 43])
def test_what_is_no_secret_never_opens_even_if_its_hash_were_stored(token):
    assert not is_token(token, digest_for(token))


def test_the_secret_of_an_order_is_the_same_every_time_and_another_for_every_order_and_shop():
    order = uuid4()
    token = order_token_for(order, "a")
    assert token == order_token_for(order, "a")
    assert is_token(token, digest_for(token))
    assert token != order_token_for(order, "b")
    assert token != order_token_for(uuid4(), "a")


NUMBER = number_for(123456789)
CONTACT = Contact("Nguyễn Thị Đào", "+84912345678", "dao.nguyen@example.com")
ADDRESS = Address("Trần Văn Bé", "+84287654321", "79", "26743", "TP HCM", "Bến Thành", "1 Lê Lợi", None, "1")


def found(query: str) -> bool:
    words = words_for(NUMBER, CONTACT, ADDRESS)
    asked = words_of_query(query)
    return bool(asked) and all(any(word.startswith(begin) for word in words) for begin in asked)


@pytest.mark.parametrize(
    "query",
    [
        NUMBER,
        NUMBER.lower(),
        f"{NUMBER[:5]} {NUMBER[5:]}",
        NUMBER[:6],
        "nguyen dao",
        "Đào",
        "tran van be",
        "0912345678",
        "0912 345",
        "+84 912 345 678",
        "84912",
        "dao.nguyen@example.com",
    ],
)
def test_an_order_is_found_by_what_staff_have_of_it(query):
    assert found(query)


@pytest.mark.parametrize("query", ["hoa", "0999", "nguyen hoa", "SP"[:1] + "Q9", "", "'& | !"])
def test_and_not_by_anything_else(query):
    assert not found(query)
