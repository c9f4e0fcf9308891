"""Filters, facets, sorting and paging of search results, against a count by hand."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.kernel.errors import Invalid
from sampan.services.search.engine.interface import (
    DEEPEST,
    SORTS,
    Category,
    Document,
    Query,
    Texts,
    cursor_at,
    offset_at,
)
from sampan.services.search.engine.reader import TantivyIndex
from sampan.services.search.engine.writer import TantivyWriter

COLOURS, SIZES, MAKERS = ("den", "trang", "do", "xanh"), ("S", "M", "L"), ("a", "b", "c:1", 'd"\x00')
ATTRIBUTES = {"colour": COLOURS, "size": SIZES, "maker": MAKERS}


def made_up(number: int, chance: random.Random) -> Document:
    vietnam, abroad = 1000 * chance.randint(1, 30), chance.randint(100, 3000)
    price = chance.choice([{"VN": vietnam, "INTL": abroad}, {"VN": vietnam}, {"INTL": abroad}, {}])
    return Document(
        product_id=f"p{number}",
        texts={"vi": Texts(chance.choice(["Áo thun", "Áo khoác", "Quần jean", "Giày da"]) + f" mẫu {number}")},
        categories=[Category("all", {"vi": "Tất cả"}), Category(f"c{number % 3}", {"vi": f"Nhóm {number % 3}"})],
        attributes={
            code: chance.sample(values, chance.randint(0, min(2, len(values)))) for code, values in ATTRIBUTES.items()
        },
        price=price,
        compare_at={market: amount + chance.choice([-100, 0, 100]) for market, amount in price.items()},
        in_stock=chance.random() < 0.7,
        created_at=1_700_000_000_000 + chance.randint(0, 1000),
        sold=chance.randint(0, 50),
        rating_average=chance.choice([0, 350, 420, 500]),
        rating_count=chance.choice([0, 1, 10, 200]),
        card=b"card %d" % number,
    )


GOODS = [made_up(number, random.Random(number)) for number in range(300)]


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TantivyIndex]:
    """Three hundred made-up products in several segments, some of them written twice and some deleted."""
    root = tmp_path_factory.mktemp("stall")
    with TantivyWriter.rebuild(root) as writer:
        for at in range(0, 300, 50):
            writer.upsert(GOODS[at : at + 50])
            writer.commit()
        writer.upsert(GOODS[20:40])
        ghosts = [msgspec.structs.replace(GOODS[0], product_id=f"ghost{number}") for number in range(10)]
        writer.upsert(ghosts)
        writer.publish()
        writer.delete([ghost.product_id for ghost in ghosts] + ["never-there"])
        writer.commit()
        yield TantivyIndex(root)


def passes(product: Document, query: Query, without: str | None = None) -> bool:
    """Whether a product belongs into the result, the filter of one facet aside."""
    price = product.price.get(query.market)
    name = product.texts["vi"].name.lower()
    return (
        (price is not None or not product.price)
        and all(word in name.split() for word in query.text.split())
        and (query.category_id is None or query.category_id in {category.id for category in product.categories})
        and (not query.in_stock or product.in_stock)
        and (not query.on_sale or (price is not None and product.compare_at[query.market] > price))
        and (query.price_min is None or (price is not None and price >= query.price_min))
        and (query.price_max is None or (price is not None and price <= query.price_max))
        and all(
            set(values) & set(product.attributes[code])
            for code, values in query.filters.items()
            if values and code != without
        )
    )


def counted(query: Query) -> dict[str, dict[str, int]]:
    """The facets by hand: each value seen in the base set, counted without its own facet's filter."""
    base = msgspec.structs.replace(query, filters={})
    facets: dict[str, dict[str, int]] = {}
    for code in ATTRIBUTES:
        seen = {value for product in GOODS if passes(product, base) for value in product.attributes[code]}
        left = [product for product in GOODS if passes(product, query, without=code)]
        listed = seen | set(query.filters.get(code, ()))
        if listed:
            facets[code] = {value: sum(value in product.attributes[code] for product in left) for value in listed}
    return facets


def some_of(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=2)


queries = st.builds(
    Query,
    text=st.sampled_from(["", "áo", "áo thun", "giày", "mẫu"]),
    market=st.sampled_from(["VN", "INTL", "elsewhere"]),
    category_id=st.sampled_from([None, "all", "c1", "unknown"]),
    filters=st.fixed_dictionaries({}, optional={code: some_of(values) for code, values in ATTRIBUTES.items()}),
    price_min=st.none() | st.integers(0, 30_000),
    price_max=st.none() | st.integers(0, 30_000),
    in_stock=st.booleans(),
    on_sale=st.booleans(),
    sort=st.sampled_from(SORTS),
    limit=st.just(100),
    facets=st.none() | st.just(tuple(ATTRIBUTES)),
)


@settings(max_examples=300, deadline=None)
@given(query=queries)
def test_total_items_and_facets_are_what_one_counts_by_hand(stall: TantivyIndex, query: Query) -> None:
    result = stall.search(query)
    expected = {product.product_id for product in GOODS if passes(product, query)}
    assert result.total == len(expected)
    assert {item.product_id for item in result.items} <= expected
    assert len(result.items) == min(100, len(expected))
    assert {facet.code: {v.value: v.count for v in facet.values} for facet in result.facets} == counted(query)
    selected = {(facet.code, v.value) for facet in result.facets for v in facet.values if v.selected}
    assert selected == {(code, value) for code, values in query.filters.items() for value in values}


def test_choosing_in_a_facet_leaves_its_own_counts_alone(stall: TantivyIndex) -> None:
    def counts(filters: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
        facets = stall.search(Query(filters=filters, facets=("colour", "size"))).facets
        return {facet.code: {value.value: value.count for value in facet.values} for facet in facets}

    before, after = counts({}), counts({"colour": ["den"]})
    assert after["colour"] == before["colour"]
    assert sum(after["size"].values()) < sum(before["size"].values())


def test_only_the_facets_asked_for_are_counted(stall: TantivyIndex) -> None:
    assert stall.search(Query()).facets == ()
    assert [facet.code for facet in stall.search(Query(facets=("size", "nothing"))).facets] == ["size"]
    assert {facet.code for facet in stall.search(Query(facets=None)).facets} == set(ATTRIBUTES)


def by_id(product_id: str) -> Document:
    return GOODS[int(product_id[1:])]


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("newest", lambda product: -product.created_at),
        ("price_asc", lambda product: product.price.get("VN", 10**9)),
        ("price_desc", lambda product: -product.price.get("VN", -(10**9))),
        ("best_selling", lambda product: -product.sold),
    ],
)
def test_results_come_in_the_order_asked_for(stall: TantivyIndex, sort: Any, key: Any) -> None:
    result = stall.search(Query(sort=sort, limit=100))
    assert [key(by_id(item.product_id)) for item in result.items] == sorted(
        key(product) for product in GOODS if passes(product, Query())
    )[:100]


def test_a_single_perfect_rating_does_not_lead(stall: TantivyIndex) -> None:
    best = by_id(stall.search(Query(sort="rating")).items[0].product_id)
    assert (best.rating_average, best.rating_count) == (500, 200)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_join_without_gap_or_repetition(stall: TantivyIndex, sort: Any) -> None:
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = stall.search(Query(sort=sort, limit=37, cursor=cursor))
        ids += [item.product_id for item in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(ids) == len(set(ids)) == page.total


def test_cards_come_back_as_they_went_in(stall: TantivyIndex) -> None:
    for item in stall.search(Query(limit=50)).items:
        assert item.card == by_id(item.product_id).card


def test_a_page_can_be_reached_by_its_offset(stall: TantivyIndex) -> None:
    both = stall.search(Query(limit=20)).items
    assert stall.search(Query(limit=10, cursor=cursor_at(10))).items == both[10:]


def test_paging_ends_at_the_deepest_offset(stall: TantivyIndex) -> None:
    result = stall.search(Query(cursor=cursor_at(DEEPEST - 1), limit=100))
    assert result.items == ()
    assert result.next is None


@given(offset=st.integers(0, DEEPEST - 1))
def test_a_cursor_stands_for_its_offset(offset: int) -> None:
    assert offset_at(cursor_at(offset)) == offset


@given(cursor=st.text(max_size=40))
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    try:
        offset = offset_at(cursor)
    except Invalid:
        return
    assert cursor == cursor_at(offset)


@pytest.mark.parametrize(
    "query",
    [
        Query(limit=0),
        Query(limit=101),
        Query(sort="cheapest"),  # type: ignore[arg-type]
        Query(cursor="AAAA"),
        Query(cursor=cursor_at(DEEPEST)),
        Query(filters={f"a{number}": ["x"] for number in range(11)}),
        Query(filters={"colour": [str(number) for number in range(51)]}),
    ],
)
def test_a_query_out_of_bounds_is_refused(stall: TantivyIndex, query: Query) -> None:
    with pytest.raises(Invalid):
        stall.search(query)
