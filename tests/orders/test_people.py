import unicodedata
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.services.locations.contract import Place, Province, Ward
from sampan.services.orders.contract import Contact, ShippingAddress
from sampan.services.orders.rules.people import clean_address, clean_contact, clean_email, clean_text, way_back_for

PLACE = Place(
    Province("79", "Hồ Chí Minh", "thanh_pho", "Thành phố Hồ Chí Minh", "Ho Chi Minh City"),
    Ward("26743", "Bến Thành", "phuong", "Phường Bến Thành", "Ben Thanh Ward", "79"),
    "2026-09-20",
)


@given(st.text(max_size=300))
def test_text_is_kept_in_normal_form_or_refused(text):
    try:
        tidy = clean_text("name", text, most=120)
    except Invalid:
        return
    assert tidy == unicodedata.normalize("NFC", tidy).strip()
    assert 1 <= len(tidy) <= 120
    assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in tidy)
    assert clean_text("name", tidy, most=120) == tidy


@pytest.mark.parametrize("text", ["", "   ", "a\x00b", "a\nb", "a\tb", "a\u202eb", "a\u2028b", "x" * 121])
def test_a_name_has_no_characters_that_cannot_be_seen(text):
    with pytest.raises(Invalid):
        clean_text("name", text, most=120)


def test_a_note_may_have_several_lines():
    assert clean_text("note", "gọi trước\r\ncổng sau", most=500, lines=True) == "gọi trước\ncổng sau"


def test_text_typed_on_a_mac_is_the_same_text():
    assert clean_text("name", unicodedata.normalize("NFD", "Nguyễn Thị Hoà"), most=120) == "Nguyễn Thị Hoà"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("lan@example.com", "lan@example.com"),
        ("Lan.Nguyen+shop@Mail.Example.COM", "Lan.Nguyen+shop@mail.example.com"),
        ("  lan@example.com ", "lan@example.com"),
        ("", None),
        (None, None),
    ],
)
def test_an_email_address_is_kept_as_it_was_meant(typed, kept):
    assert clean_email("email", typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "lan",
        "lan@",
        "@example.com",
        "lan@example",
        "lan@@example.com",
        "lan@exa mple.com",
        "lan..n@example.com",
        ".lan@example.com",
        "lan.@example.com",
        "lan@-example.com",
        "lan@example.com\r\nBcc: all@example.com",
        "lan@" + "a" * 250 + ".com",
        "lân@example.com",
    ],
)
def test_what_is_no_email_address_is_refused(typed):
    with pytest.raises(Invalid):
        clean_email("email", typed)


@given(st.text(max_size=400))
def test_no_text_breaks_the_reading_of_email_addresses(text):
    with suppress(Invalid):
        clean_email("email", text)


@pytest.mark.parametrize("typed", ["0912 345 678", "+84 912345678", "84912345678", "0912.345.678"])
def test_a_phone_number_is_kept_as_the_world_writes_it(typed):
    assert clean_contact(Contact("Lan", typed)).phone == "+84912345678"


@pytest.mark.parametrize("typed", ["19001234", "12345678", "0912 345 67", "không có"])
def test_a_number_that_reaches_nobody_is_refused(typed):
    with pytest.raises(Invalid) as refused:
        clean_contact(Contact("Lan", typed))
    assert refused.value.facts["errors"][0]["field"] == "phone"


def test_an_address_keeps_the_names_and_the_version_of_its_places():
    kept = clean_address(ShippingAddress("Lan", "0912345678", "79", "26743", " 12 Lê Lợi ", "  "), PLACE)
    assert (kept.province, kept.ward, kept.version) == ("Thành phố Hồ Chí Minh", "Phường Bến Thành", "2026-09-20")
    assert kept.street == "12 Lê Lợi"
    assert kept.note is None


ORDER = UUID("0190f1d2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")


def back(given, loopback=False):
    return way_back_for(given, order_id=ORDER, ours="https://shop.example", loopback=loopback)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (None, f"/orders/{ORDER}"),
        ("", f"/orders/{ORDER}"),
        ("/thanks?x=1", "/thanks?x=1"),
        ("https://shop.example/thanks", "/thanks"),
        ("/en/orders/{order_id}", f"/en/orders/{ORDER}"),
        ("https://shop.example/orders/{order_id}", f"/orders/{ORDER}"),
        ("/thanks?order={order_id}&again={order_id}#{order_id}", f"/thanks?order={ORDER}&again={ORDER}#{ORDER}"),
        ("/{{order_id}}", f"/{{{ORDER}}}"),
        ("/%7Border_id%7D", "/%7Border_id%7D"),
        ("/{ORDER_ID}/{order_id/{order}/{}", "/{ORDER_ID}/{order_id/{order}/{}"),
    ],
)
def test_people_come_back_to_our_own_pages(given, path):
    assert back(given) == path


@pytest.mark.parametrize(
    "given",
    [
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://localhost:8000/thanks",
        "/a b",
        "/" + "a" * 300,
        "/\r\nset-cookie: x",
        "{order_id}",
        "https://{order_id}/",
        "https://{order_id}.evil.example/",
        "https://shop.example{order_id}/",
        "https://shop.example.{order_id}/",
        "https://shop.example@{order_id}/",
        "//{order_id}",
        "/\\{order_id}",
        "/{order_id}" * 7,  # 7 times 37 characters
    ],
)
def test_and_nowhere_else(given):
    with pytest.raises(Invalid):
        back(given)


@pytest.mark.parametrize("given", ["http://localhost:8000/thanks", "http://127.0.0.1/thanks", "http://[::1]:1/thanks"])
def test_on_ones_own_machine_all_its_names_are_ours(given):
    assert back(given, loopback=True) == "/thanks"


@pytest.mark.parametrize(
    "given",
    [
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost:8000//x",
        "http://localhost{order_id}/",
        "http://localhost:{order_id}/",
        "http://localhost@{order_id}/",
    ],
)
def test_and_no_others(given):
    with pytest.raises(Invalid):
        back(given, loopback=True)
