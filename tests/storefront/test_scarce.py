"""What is sold out, what is impossible, and carts that became stale."""

import re
from typing import Any
from uuid import UUID

import pytest_asyncio

from sampan.kernel import context
from sampan.kernel.ids import uuid7
from sampan.services.catalog.rules import Draft, NewOption, NewOptionValue, NewVariant
from sampan.services.inventory.contract import Delivery
from sampan.services.pricing.contract import NewPrice

CODES = (("red", "s", 5), ("red", "m", 0), ("blue", "s", 2))


class Shirt:
    """A product whose variants are there, few, sold out and impossible."""

    def __init__(self, window: Any, slug: str, variants: dict[str, UUID]) -> None:
        self.window = window
        self.slug = slug
        self.variants = variants


@pytest_asyncio.fixture(loop_scope="session")
async def shirt(window: Any) -> Shirt:
    mark = uuid7().hex[-10:]
    catalog, inventory = window.shop.actions("catalog"), window.shop.actions("inventory")
    skus = {f"{colour}-{size}": f"AO-{colour}-{size}-{mark}".upper() for colour, size, _ in CODES}
    with context.working_as(context.SYSTEM, request="tests"):
        draft = Draft(
            name={"vi": "Áo thử", "en": "A shirt"},
            summary={"vi": "Áo.", "en": "A shirt."},
            description={"vi": "Áo.", "en": "A shirt."},
            product_type=window.category.replace("do-nha-", "type_"),
            categories=[window.category],
            options=[
                NewOption(
                    "colour",
                    {"vi": "Màu", "en": "Colour"},
                    [
                        NewOptionValue("red", {"vi": "Đỏ", "en": "Red"}),
                        NewOptionValue("blue", {"vi": "Xanh", "en": "Blue"}),
                    ],
                ),
                NewOption(
                    "size",
                    {"vi": "Cỡ", "en": "Size"},
                    [NewOptionValue("s", {"vi": "S", "en": "S"}), NewOptionValue("m", {"vi": "M", "en": "M"})],
                ),
            ],
            variants=[
                NewVariant(sku=skus[f"{colour}-{size}"], grams=200, options={"colour": colour, "size": size})
                for colour, size, _ in CODES
            ],
            slugs={"vi": f"ao-{mark}", "en": f"shirt-{mark}"},
            status="published",
        )
        await catalog.create_product(draft=draft)
        found = {snapshot.sku: snapshot.variant_id for snapshot in await catalog.find_skus(skus=list(skus.values()))}
        variants = {name: found[sku] for name, sku in skus.items()}
        await window.shop.actions("pricing").set_prices(
            actor=context.SYSTEM, prices=[NewPrice(variant, "VN", 100_000) for variant in variants.values()]
        )
        warehouse = (await inventory.list_warehouses())[0]
        stock = [Delivery(variants[f"{colour}-{size}"], warehouse.id, count) for colour, size, count in CODES if count]
        await inventory.stock_up(cause=f"tests {mark}", items=stock)
        await window.shop.settle()
    return Shirt(window, f"ao-{mark}", variants)


async def taken(shirt: Shirt, name: str, quantity: int) -> None:
    """Somebody counted fewer."""
    inventory = shirt.window.shop.actions("inventory")
    with context.working_as(context.SYSTEM, request="tests"):
        await inventory.adjust(
            actor=context.SYSTEM,
            key=str(uuid7()),
            variant_id=shirt.variants[name],
            warehouse_id=(await inventory.list_warehouses())[0].id,
            change=-quantity,
            reason="count",
        )
        await shirt.window.shop.settle()


def sku(shirt: Shirt, name: str) -> str:
    return f"AO-{name}-{shirt.slug.removeprefix('ao-')}".upper()


async def test_what_is_sold_out_and_what_never_was_look_and_read_differently(shirt: Shirt) -> None:
    visitor = shirt.window.visitor()
    small = (await visitor.see(f"/p/{shirt.slug}?variant={sku(shirt, 'red-s')}")).text
    assert 'class="option option--sold-out"' in small  # M in red
    assert "hết hàng" in small
    blue = (await visitor.see(f"/p/{shirt.slug}?variant={sku(shirt, 'blue-s')}")).text
    assert 'class="option option--impossible"' in blue  # M in blue
    assert "Chỉ còn 2" in blue
    assert 'class="with-buy-bar"' in blue


async def test_a_variant_that_is_sold_out_is_shown_and_cannot_be_bought(shirt: Shirt) -> None:
    for prefix, words in (("", "Hết hàng"), ("/en", "Sold out")):
        answer = await shirt.window.visitor().see(f"{prefix}/p/{shirt.slug}?variant={sku(shirt, 'red-m')}")
        if answer.status_code == 301:
            answer = await shirt.window.visitor().see(answer.headers["location"])
        assert answer.status_code == 200
        assert words in answer.text
        assert 'id="buy"' not in answer.text
        assert "with-buy-bar" not in answer.text


async def test_a_product_that_is_sold_out_says_so(shirt: Shirt) -> None:
    await taken(shirt, "red-s", 5)
    await taken(shirt, "blue-s", 2)
    answer = await shirt.window.visitor().see(f"/p/{shirt.slug}")
    assert answer.status_code == 200
    assert "Sản phẩm này đã bán hết." in answer.text
    assert "schema.org/OutOfStock" in answer.text
    assert 'id="buy"' not in answer.text


async def test_a_cart_that_cannot_be_ordered_says_what_to_mend_and_leads_nowhere(shirt: Shirt) -> None:
    """A cart can be ordered when every line can; another price is told, and hinders nobody."""
    visitor = shirt.window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(shirt.variants["red-s"]), quantity="3")
    cart = await visitor.follow("/cart/lines", variant_id=str(shirt.variants["blue-s"]), quantity="1")
    assert 'href="/checkout"' in cart.text
    with context.working_as(context.SYSTEM, request="tests"):
        await shirt.window.shop.actions("pricing").set_prices(
            actor=context.SYSTEM, prices=[NewPrice(shirt.variants["blue-s"], "VN", 120_000)]
        )
    cart = await visitor.see("/cart")
    assert "Giá đã đổi từ" in cart.text
    assert 'href="/checkout"' in cart.text
    await taken(shirt, "red-s", 4)
    cart = await visitor.see("/cart")
    assert "Chỉ còn 1. Bạn giảm số lượng để đặt." in cart.text
    assert 'href="/checkout"' not in cart.text
    assert "Có món chưa đặt được" in cart.text
    assert (await visitor.see("/checkout")).headers["location"] == "/cart"
    await taken(shirt, "red-s", 1)
    cart = await visitor.see("/cart")
    assert "Món này vừa hết hàng" in cart.text
    line = re.search(r'action="(/cart/lines/[0-9a-f-]+)/remove"', cart.text)
    assert line is not None
    assert 'href="/checkout"' in (await visitor.follow(f"{line[1]}/remove")).text
