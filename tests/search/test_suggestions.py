"""What is offered while someone types."""

import pytest

from sampan.services.search.engine.interface import Suggestions
from sampan.services.search.engine.reader import TantivyIndex


def typed(shop: TantivyIndex, prefix: str, language: str = "vi", limit: int = 10) -> Suggestions:
    return shop.suggest(prefix=prefix, language=language, market="VN", limit=limit)


@pytest.mark.parametrize("prefix", ["áo th", "ao th", "AO TH", "áo  th"])
def test_a_beginning_is_completed_with_or_without_accents(shop: TantivyIndex, prefix: str) -> None:
    offered = typed(shop, prefix)
    assert "áo thun nam" in offered.queries
    assert {"thun-nam-den", "thun-nam-trang"} <= {item.product_id for item in offered.products}
    assert "ao-thun" in {category.id for category in offered.categories}


def test_accents_typed_are_kept(shop: TantivyIndex) -> None:
    assert all(query.startswith("bơ") for query in typed(shop, "bơ").queries)


def test_what_was_typed_is_not_offered_again(shop: TantivyIndex) -> None:
    assert "áo thun nam" not in typed(shop, "áo thun nam").queries


def test_a_completion_does_not_stop_inside_a_word(shop: TantivyIndex) -> None:
    assert "nồi cơm" not in typed(shop, "nồi c").queries


def test_a_category_is_found_by_any_of_its_words(shop: TantivyIndex) -> None:
    assert typed(shop, "dien th").categories[0].name == "Điện thoại"
    assert {category.id for category in typed(shop, "ba l").categories} == {"tui"}
    dresses = typed(shop, "dress", language="en").categories
    assert [(category.name, category.products) for category in dresses] == [("Dresses", 2)]


def test_a_sku_is_completed(shop: TantivyIndex) -> None:
    assert typed(shop, "ATN-00").products[0].product_id.startswith("thun-nam")
    assert [item.product_id for item in typed(shop, "wh-1000").products] == ["tai-nghe-bt"]


def test_slips_and_raw_keystrokes_are_mended_here_too(shop: TantivyIndex) -> None:
    assert typed(shop, "headphnes").queries[0] == "headphones"
    assert typed(shop, "ddieenj thoaij").queries[0] == "điện thoại"


def test_the_other_language_helps_out(shop: TantivyIndex) -> None:
    assert typed(shop, "hea").products


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 8, 10])
def test_no_more_is_offered_than_asked_for(shop: TantivyIndex, limit: int) -> None:
    for prefix in ("a", "áo", "dien", "m", "cà phê"):
        offered = typed(shop, prefix, limit=limit)
        assert len(offered.queries) + len(offered.categories) + len(offered.products) <= limit


def test_only_what_the_market_sells_is_offered(shop: TantivyIndex) -> None:
    assert shop.suggest(prefix="ao", language="vi", market="MOON") == Suggestions()


@pytest.mark.parametrize("prefix", ["", "   ", "?!", "\0"])
def test_nothing_is_offered_for_nothing(shop: TantivyIndex, prefix: str) -> None:
    assert typed(shop, prefix) == Suggestions()
