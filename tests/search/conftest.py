"""A small shop to search: the goods of goods.toml, indexed once for all tests that only read."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.services.search.engine.interface import Category, Document, Texts
from sampan.services.search.engine.reader import TantivyIndex
from sampan.services.search.engine.writer import TantivyWriter

GOODS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("goods.toml").read_text(encoding="utf-8"))


def document_of(product_id: str, product: dict[str, Any], number: int = 0) -> Document:
    """A product of goods.toml as it is indexed; prices, stock and facets follow from its number."""
    brand = product["brand"]
    return Document(
        product_id=product_id,
        texts={
            "vi": Texts(name=product["vi"], description=product["say"], brand=brand),
            "en": Texts(name=product["en"], description=product["tell"], brand=brand),
        },
        categories=list(_with_ancestors(product["in"])),
        attributes={"brand": [brand], "colour": [("den", "trang", "do")[number % 3]]},
        skus=[product["sku"]],
        price={"VN": 10_000 * (1 + number % 50), "INTL": 100 * (1 + number % 50)},
        in_stock=number % 7 != 0,
        created_at=1_700_000_000_000 + number,
        sold=product["sold"],
        rating_average=product["rating"],
        rating_count=20,
        card=product_id.encode(),
    )


def _with_ancestors(category_id: str) -> Iterator[Category]:
    while category_id:
        vi, en, parent = GOODS["categories"][category_id]
        yield Category(category_id, {"vi": vi, "en": en})
        category_id = parent


def all_documents() -> list[Document]:
    return [document_of(key, product, n) for n, (key, product) in enumerate(GOODS["products"].items())]


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """The goods as they are indexed."""
    return all_documents()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> TantivyIndex:
    """The goods, indexed."""
    root = tmp_path_factory.mktemp("shop")
    with TantivyWriter.rebuild(root) as writer:
        writer.upsert(documents)
        writer.publish()
    return TantivyIndex(root)
