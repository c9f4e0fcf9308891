from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.services.storefront.rules import Filters, filters_from, is_filtered, is_own_path, query_for


@pytest.mark.parametrize("path", ["/", "/cart", "/en/cart?x=1", "/p/ghe-tre#mo-ta", "/search?q=a//b"])
def test_a_browser_is_sent_to_a_path_of_ours(path):
    assert is_own_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "cart",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "\\/evil",
        " /cart",
    ],
)
def test_a_browser_is_never_sent_elsewhere(path):
    assert not is_own_path(path)


@given(st.text(max_size=30))
def test_what_is_a_path_of_ours_stays_on_our_host_and_in_one_header_line(path):
    if is_own_path(path) and "[" not in path:
        assert urlsplit(urljoin("https://shop.example/x", path)).netloc == "shop.example"
        assert "\r" not in path
        assert "\n" not in path


def test_a_list_is_filtered_when_more_than_the_category_and_the_words_narrow_it():
    assert not is_filtered(Filters())
    assert not is_filtered(Filters(q="ghế", sort="newest", page=3))
    for narrowed in (Filters(in_stock=True), Filters(price_min=0), Filters(price_max=1)):
        assert is_filtered(narrowed)
    assert is_filtered(Filters(attributes={"colour": ("red",)}))


pairs = st.lists(
    st.tuples(
        st.sampled_from(["q", "sort", "page", "price_min", "price_max", "in_stock", "attr.colour", "attr.size", "utm"]),
        st.one_of(st.text(max_size=20), st.sampled_from(["1", "200.000", "newest", "red", "-5", "999999999999999"])),
    ),
    max_size=12,
)


@given(pairs)
def test_any_address_is_read_and_written_again_as_one_and_the_same(given_pairs):
    """The address that a page links to is read as the filters it was made from."""
    found = filters_from(given_pairs)
    assert 1 <= found.page <= 100
    written = query_for(found)
    again = filters_from(parse_qsl(written.lstrip("?"), keep_blank_values=True))
    assert query_for(again) == written
