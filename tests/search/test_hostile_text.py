"""Whatever is typed, the search answers, and soon."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.services.search.engine.interface import Category, Document, Query, Texts
from sampan.services.search.engine.reader import TantivyIndex
from sampan.services.search.engine.writer import TantivyWriter

HOSTILE = [
    "\0",
    "áo\0thun",
    "🙂🙂🙂",
    "áo 🙂 thun",
    "?!.,;:-_/\\|",
    "AND OR NOT",
    "áo AND (thun OR",
    "+áo -thun",
    'name:"áo',
    "áo*",
    "*",
    "[a TO z]",
    "{* TO *}",
    "áo^1000",
    "áo~5",
    "/.*/",
    "'; DROP TABLE product; --",
    "<script>alert(1)</script>",
    "\ud800",
    "áo \udfff thun",
    "\u202eáo thun",
    "a\u0301" * 200,
    "a" + "\u0301" * 2000,
    "\u200b\u200b",
    "x" * 10_000,
    "áo " * 5_000,
    "ab cd " * 2_000,
    "aothunnam" * 30,
    "wh1000xm5" * 20,
    "1" * 5_000,
    " \t\n\r\x0b\u3000",
    "ﷺ" * 300,
    "漢字 かな 한글 ไทย العربية",
    "½ ² ㎏ ﬁ İ ß",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("language", ["vi", "en", "", "xx\0"])
def test_any_text_gets_an_answer(shop: TantivyIndex, text: str, language: str) -> None:
    begun = time.perf_counter()
    result = shop.search(Query(text=text, language=language, facets=None))
    shop.suggest(prefix=text, language=language, market="VN")
    assert len(result.items) <= result.total
    assert time.perf_counter() - begun < 2


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet="aáàbđdnghioôơuư sfrxj019-", max_size=40))
def test_any_letters_get_an_answer(shop: TantivyIndex, text: str) -> None:
    assert shop.search(Query(text=text)).total >= 0
    shop.suggest(prefix=text, language="vi", market="VN")


def test_any_product_can_be_indexed(tmp_path: Path) -> None:
    with TantivyWriter.rebuild(tmp_path) as writer:

        @settings(max_examples=200, deadline=None)
        @given(text=st.text(max_size=80) | st.sampled_from(HOSTILE), number=st.integers(-(2**70), 2**70))
        def is_indexed(text: str, number: int) -> None:
            writer.upsert([strange(text, number)])

        is_indexed()
        writer.upsert([Document("plain", {"vi": Texts("Áo thun")})])
        writer.publish()
    index = TantivyIndex(tmp_path)
    assert index.search(Query(facets=None)).total == 2
    assert "plain" in {item.product_id for item in index.search(Query(text="áo thun")).items}


def strange(text: str, number: int) -> Document:
    return Document(
        product_id="strange",
        texts={language: Texts(text, text, text, text) for language in ("vi", "en", "xx")},
        categories=[Category(text, {"vi": text, "en": text})],
        attributes={text: [text, text]},
        skus=[text, text],
        price={"VN": number},
        compare_at={"VN": number + 1, text: number},
        created_at=number,
        sold=number,
        rating_average=470,
        rating_count=abs(number),
        card=text.encode("utf-8", "replace"),
    )


@pytest.mark.parametrize(
    "query",
    [
        Query(category_id="\ud800"),
        Query(category_id="x" * 100_000),
        Query(market="\0", sort="price_asc"),
        Query(market="VN\ud800"),
        Query(filters={"": [""], "\x1f": ["\x1f"], "colour": ["\ud800", "x" * 100_000]}, facets=None),
        Query(filters={"colour": []}, facets=("colour",)),
        Query(price_min=10**30, price_max=-(10**30)),
        Query(price_min=500_000, price_max=100_000),
        Query(price_min=-(10**30), price_max=10**30),
        Query(facets=("\ud800", "", "colour")),
    ],
    ids=range(10),
)
def test_any_filter_gets_an_answer(shop: TantivyIndex, query: Query) -> None:
    assert shop.search(query).total >= 0


def test_only_punctuation_finds_nothing_and_nothing_typed_finds_all(shop: TantivyIndex) -> None:
    assert shop.search(Query(text="?!")).total == 0
    assert shop.search(Query(text="  ")).total == shop.count()
