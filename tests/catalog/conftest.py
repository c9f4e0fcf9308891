"""What catalog's tests begin with: a product type, and drafts of products."""

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


@pytest.fixture
def news(shop: Any) -> Callable[..., Any]:
    """What catalog tells from here on: `told = await news()`, and later `await told(ProductChanged)`."""

    async def begin() -> Callable[..., Any]:
        cursor = await shop.shop.feeds["catalog"].end()

        async def told(kind: Any) -> list[Any]:
            events = await shop.shop.feeds["catalog"].events_after(cursor=cursor, limit=500)
            return [msgspec.json.decode(event.body, type=kind) for event in events if event.name == kind.name]

        return told

    return begin
