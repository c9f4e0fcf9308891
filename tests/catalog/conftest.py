"""What catalog's tests begin with: a product type, and drafts of products."""

import asyncio
import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from PIL import Image

from sampan.services.catalog.rules import (
    AttributeDefinition,
    Choice,
    Draft,
    NewOption,
    NewOptionValue,
    NewVariant,
    ProductType,
)

FURNITURE = ProductType(
    "furniture",
    {"vi": "Đồ nhà", "en": "Furniture"},
    [
        AttributeDefinition(
            "material",
            {"vi": "Chất liệu", "en": "Material"},
            "choice",
            choices=[Choice("plastic", {"vi": "Nhựa", "en": "Plastic"})],
            filterable=True,
        )
    ],
)
COLOUR = NewOption(
    "colour",
    {"vi": "Màu", "en": "Colour"},
    [NewOptionValue("red", {"vi": "Đỏ", "en": "Red"}, "#c6321f"), NewOptionValue("blue", {"vi": "Xanh", "en": "Blue"})],
)


def a_draft(**changes: Any) -> Draft:
    """A published stool in two colours, of its own name and SKUs."""
    tag = uuid4().hex[:8]
    values: dict[str, Any] = {
        "name": {"vi": f"Ghế nhựa {tag}", "en": f"Plastic stool {tag}"},
        "product_type": "furniture",
        "options": [COLOUR],
        "variants": [NewVariant(f"{tag}-R", {"colour": "red"}), NewVariant(f"{tag}-B", {"colour": "blue"})],
        "attributes": {"material": "plastic"},
        "status": "published",
    }
    return Draft(**{**values, **changes})


def a_picture(width: int = 800, height: int = 1000, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """The bytes of a plain picture."""
    output = io.BytesIO()
    Image.new(mode, (width, height), "#c6321f").save(output, kind)
    return output.getvalue()


@pytest.fixture
def draft() -> Callable[..., Draft]:
    return a_draft


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return a_picture


@pytest.fixture
async def catalog(shop: Any) -> Any:
    """Catalog's actions, with a product type."""
    await shop.actions("catalog").put_type(product_type=FURNITURE)
    return shop.actions("catalog")


async def in_sight(feed: Any) -> Any:
    """The feed, once readers see all that is committed: elsewhere in the cluster an older transaction may still run."""
    while await feed.is_hiding():
        await asyncio.sleep(0.01)
    return feed


@pytest.fixture
def news(shop: Any) -> Callable[..., Any]:
    """What catalog tells from here on: `told = await news()`, and later `await told(ProductChanged)`."""
    feed = shop.shop.feeds["catalog"]

    async def begin() -> Callable[..., Any]:
        start = await (await in_sight(feed)).end()

        async def told(*kinds: Any) -> list[Any]:
            by_name, found, place = {kind.name: kind for kind in kinds}, [], start
            while events := await (await in_sight(feed)).events_after(cursor=place, limit=1000):
                place = events[-1].cursor
                found += [msgspec.json.decode(e.body, type=by_name[e.name]) for e in events if e.name in by_name]
            return found

        return told

    return begin


@pytest.fixture
async def writer(shop: Any) -> dict[str, str]:
    """Headers of staff who keep the catalog."""
    found: dict[str, str] = await shop.staff("catalog.read", "catalog.write")
    return found


@pytest.fixture
async def nothing_waits(catalog: Any) -> None:
    """No import of another test is left."""
    await catalog.work_imports()
