import asyncio
from uuid import uuid4

import msgspec
import pytest

from sampan.kernel.context import Actor
from sampan.kernel.errors import Invalid, NotFound
from sampan.kernel.money import Money
from sampan.services.catalog.contract import UnknownVariant
from sampan.services.inventory.contract import OutOfStock
from sampan.services.locations.contract import UnknownPlace
from sampan.services.orders.actions import carts
from sampan.services.orders.contract import CartClosed, CartIncomplete, Contact, QuoteChanged
from sampan.services.pricing.contract import NotPriced, UnknownMarket
from sampan.services.shipping.contract import NotDeliverable
from sampan.services.shipping.rules.zone import ZoneDraft


def vnd(amount):
    return Money(amount, "VND")


def codes(problems):
    return [problem.code for problem in problems]


async def test_a_new_cart_shows_its_token_once_and_keeps_only_its_hash(stall):
    cart = await stall.orders.create_cart(market="VN", language="vi")
    assert len(cart.token) == 43
    assert (cart.currency, cart.totals.total, cart.lines) == ("VND", vnd(0), [])
    assert codes(cart.problems) == ["empty", "missing_contact", "missing_address", "missing_shipping_option"]
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert seen.token is None
    async with stall.db.read() as tx:
        row = await tx.one(str, "SELECT c::text FROM orders.cart c WHERE id = $1", cart.id)
    assert cart.token not in row


async def test_there_are_no_carts_for_unknown_markets(stall):
    with pytest.raises(UnknownMarket):
        await stall.orders.create_cart(market="XX", language="vi")


async def test_the_same_variant_adds_up_and_another_stands_beside_it(stall):
    one, other = await stall.goods(), await stall.goods(price=50_000)
    cart = await stall.cart((one, 1), (other, 2), (one, 3))
    assert [(line.variant_id, line.quantity) for line in cart.lines] == [(one, 4), (other, 2)]
    assert cart.totals.items == vnd(4 * stall.price + 100_000)
    assert cart.lines[0].total == vnd(4 * stall.price)
    assert sum(line.total.amount for line in cart.lines) == cart.totals.total.amount
    assert cart.lines[0].reasons[0].code == "base"


async def test_names_and_problems_are_in_the_asked_language(stall):
    cart = await stall.cart((await stall.goods(stock=1), 2))
    vi = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    en = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="en")
    assert vi.lines[0].name.startswith("Ghế nhựa")
    assert en.lines[0].name.startswith("Plastic stool")
    assert vi.lines[0].problems[0].detail == "Chỉ còn 1"
    assert en.lines[0].problems[0].detail == "Only 1 left"


async def test_nobody_adds_more_than_the_variant_allows_even_in_pieces(stall):
    variant = await stall.goods(most=3)
    cart = await stall.cart((variant, 2))
    for quantity in (2, 0, -1, 1000):
        with pytest.raises(Invalid):
            await stall.orders.add_line(
                actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=quantity, language="vi"
            )
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert seen.lines[0].quantity == 2


async def test_only_what_is_sold_and_priced_here_can_be_added(stall):
    withdrawn = await stall.goods()
    await stall.withdraw(withdrawn)
    cart = await stall.cart()
    for variant in (uuid4(), withdrawn):
        with pytest.raises(UnknownVariant):
            await stall.orders.add_line(
                actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=1, language="vi"
            )
    with pytest.raises(NotPriced):
        await stall.orders.add_line(
            actor=stall.holder(cart),
            cart_id=cart.id,
            variant_id=await stall.goods(price=None),
            quantity=1,
            language="vi",
        )


async def test_a_line_can_be_changed_and_taken_out(stall):
    variant = await stall.goods()
    cart = await stall.cart((variant, 2))
    line = cart.lines[0].id
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    changed = await stall.orders.change_line(line_id=line, quantity=5, **common)
    assert changed.totals.total == vnd(5 * stall.price)
    assert (await stall.orders.remove_line(line_id=line, **common)).lines == []
    assert (await stall.orders.remove_line(line_id=line, **common)).lines == []
    with pytest.raises(NotFound):
        await stall.orders.change_line(line_id=line, quantity=1, **common)


async def test_what_changed_since_it_was_added_is_told_line_by_line(stall):
    cheaper, gone, unpriced, scarce = [await stall.goods() for _ in range(4)]
    cart = await stall.cart((cheaper, 1), (gone, 1), (unpriced, 1), (scarce, 10))
    assert [line.problems for line in cart.lines] == [[], [], [], []]
    other = await stall.ready((scarce, 1))
    await stall.checkout(other)
    await stall.reprice(cheaper, 99_000)
    await stall.reprice(unpriced, None)
    await stall.withdraw(gone)
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    by_variant = {line.variant_id: line for line in seen.lines}
    assert codes(by_variant[cheaper].problems) == ["price_changed"]
    assert by_variant[cheaper].problems[0].detail == "Giá đã đổi từ 199.000\u00a0₫ thành 99.000\u00a0₫"
    assert codes(by_variant[gone].problems) == ["not_sold"]
    assert codes(by_variant[unpriced].problems) == ["not_priced"]
    assert codes(by_variant[scarce].problems) == ["stock_fell"]
    assert by_variant[scarce].available == 9
    assert by_variant[unpriced].total == vnd(0)
    less = await stall.orders.change_line(
        actor=stall.holder(cart), cart_id=cart.id, line_id=by_variant[scarce].id, quantity=9, language="vi"
    )
    assert codes(next(line for line in less.lines if line.variant_id == scarce).problems) == []


async def test_a_contact_is_kept_as_it_was_meant(stall):
    cart = await stall.cart()
    seen = await stall.orders.set_contact(
        actor=stall.holder(cart), cart_id=cart.id, contact=stall.contact, language="vi"
    )
    assert seen.contact == Contact("Nguyễn Thị Đào", "+84912345678", "dao@example.com")
    with pytest.raises(Invalid):
        await stall.orders.set_contact(
            actor=stall.holder(cart), cart_id=cart.id, contact=Contact("x", "19001234"), language="vi"
        )


async def test_an_address_keeps_the_names_of_its_places(stall):
    cart = await stall.cart()
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    seen = await stall.orders.set_shipping_address(address=stall.address, **common)
    assert "Bến Thành" in seen.shipping_address.ward
    assert "Hồ Chí Minh" in seen.shipping_address.province
    assert seen.shipping_address.phone == "+84987654321"
    assert seen.shipping_address.version
    with pytest.raises(UnknownPlace):
        await stall.orders.set_shipping_address(
            address=msgspec.structs.replace(stall.address, ward_code="00004"), **common
        )


async def test_shipping_is_chosen_among_what_is_offered_and_is_part_of_the_total(stall):
    cart = await stall.cart((await stall.goods(), 1))
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    assert await stall.orders.find_shipping_options(**common) == []
    with pytest.raises(CartIncomplete):
        await stall.orders.set_shipping_option(option_id="x", **common)
    await stall.orders.set_shipping_address(address=stall.address, **common)
    with pytest.raises(NotDeliverable):
        await stall.orders.set_shipping_option(option_id="x", **common)
    options = await stall.orders.find_shipping_options(**common)
    seen = await stall.orders.set_shipping_option(option_id=options[0].id, **common)
    assert seen.shipping_option.id == options[0].id
    assert seen.totals.shipping == options[0].price
    assert seen.totals.total == seen.totals.items + options[0].price


async def test_a_way_to_deliver_that_another_address_does_not_have_is_forgotten(stall):
    cart = await stall.cart((await stall.goods(), 1))
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    await stall.orders.set_shipping_address(address=stall.address, **common)
    here = await stall.orders.find_shipping_options(**common)
    island = msgspec.structs.replace(stall.address, ward_code="26732")
    await stall.orders.set_shipping_address(address=island, **common)
    there = {option.id: option for option in await stall.orders.find_shipping_options(**common)}
    only_here = next(option for option in here if option.id not in there)
    await stall.orders.set_shipping_address(address=stall.address, **common)
    await stall.orders.set_shipping_option(option_id=only_here.id, **common)
    moved = await stall.orders.set_shipping_address(address=island, **common)
    assert moved.shipping_option is None
    assert moved.totals.shipping == vnd(0)
    assert codes(moved.problems) == ["missing_contact", "missing_shipping_option"]
    back = await stall.orders.set_shipping_address(address=stall.address, **common)
    assert back.shipping_option is None
    shared = next((option for option in here if option.id in there), None)
    if shared is not None:  # the same way, at the price of the other place
        await stall.orders.set_shipping_option(option_id=shared.id, **common)
        moved = await stall.orders.set_shipping_address(address=island, **common)
        assert moved.shipping_option.price == there[shared.id].price == moved.totals.shipping


async def test_more_goods_change_what_the_way_costs(stall):
    variant = await stall.goods(grams=10_000, stock=50)
    cart = await stall.ready((variant, 1))
    more = await stall.orders.add_line(
        actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=9, language="vi"
    )
    options = await stall.orders.find_shipping_options(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    same = next((option for option in options if option.id == cart.shipping_option.id), None)
    assert more.shipping_option == same
    assert more.totals.shipping == (same.price if same else vnd(0))


async def test_a_way_to_deliver_that_was_chosen_meanwhile_stays_chosen(stall, monkeypatch):
    """Who adds something was told of the old choice, and is overtaken by the new one."""
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    common = {"actor": stall.holder(cart), "cart_id": cart.id, "language": "vi"}
    options = await stall.orders.find_shipping_options(**common)
    other = next(option for option in options if option.id != cart.shipping_option.id)
    ask, faster = carts.offer_for, [True]

    async def overtaken(*arguments, **named):
        offer = await ask(*arguments, **named)
        if faster:
            faster.clear()
            await stall.orders.set_shipping_option(option_id=other.id, **common)
        return offer

    monkeypatch.setattr(carts, "offer_for", overtaken)
    more = await stall.orders.add_line(variant_id=variant, quantity=1, **common)
    assert (more.shipping_option.id, more.lines[0].quantity) == (other.id, 2)


async def test_payment_methods_are_those_of_the_total_and_the_way_to_deliver(stall):
    cart = await stall.ready()
    methods = await stall.orders.find_payment_methods(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert {"cod", "vnpay"} <= {method.code for method in methods if method.available}


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "ă" * 43])
async def test_a_foreign_cart_and_a_missing_one_look_the_same(stall, token):
    cart = await stall.cart()
    for cart_id in (cart.id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await stall.orders.find_cart(actor=Actor(cart_token=token), cart_id=cart_id, language="vi")
        assert refused.value.detail == "there is no such cart"
    with pytest.raises(NotFound):
        await stall.orders.remove_line(actor=Actor(cart_token=token), cart_id=cart.id, line_id=uuid4(), language="vi")


async def test_staff_do_not_see_carts_without_their_token(stall):
    cart = await stall.cart()
    with pytest.raises(NotFound):
        await stall.orders.find_cart(actor=stall.staff, cart_id=cart.id, language="vi")


async def test_a_cart_lives_thirty_days_from_its_last_change(stall):
    cart = await stall.cart()
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.cart SET expires_at = now() + interval '1 hour' WHERE id = $1", cart.id)
    changed = await stall.orders.set_contact(
        actor=stall.holder(cart), cart_id=cart.id, contact=stall.contact, language="vi"
    )
    assert abs((changed.expires_at - cart.expires_at).total_seconds()) < 60


async def test_an_expired_cart_can_be_read_and_not_changed_and_is_forgotten_later(stall):
    variant = await stall.goods()
    cart = await stall.cart((variant, 1))
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.cart SET expires_at = now() - interval '1 second' WHERE id = $1", cart.id)
    assert (await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")).lines
    with pytest.raises(CartClosed):
        await stall.orders.add_line(
            actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=1, language="vi"
        )
    await stall.orders.forget_carts()
    assert await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    async with stall.db.begin() as tx:
        await tx.execute("UPDATE orders.cart SET expires_at = now() - interval '8 days' WHERE id = $1", cart.id)
    await stall.orders.forget_carts()
    with pytest.raises(NotFound):
        await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")


async def test_twenty_additions_at_once_all_count(stall):
    variant, others = await stall.goods(most=99), [await stall.goods() for _ in range(4)]
    cart = await stall.cart()

    async def add(what):
        await stall.orders.add_line(
            actor=stall.holder(cart), cart_id=cart.id, variant_id=what, quantity=1, language="vi"
        )

    await asyncio.gather(*(add(variant) for _ in range(16)), *(add(other) for other in others))
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert {line.variant_id: line.quantity for line in seen.lines} == {variant: 16, **dict.fromkeys(others, 1)}


async def test_additions_at_once_do_not_pass_the_limit_together(stall):
    variant = await stall.goods(most=5)
    cart = await stall.cart()

    async def add():
        try:
            await stall.orders.add_line(
                actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=2, language="vi"
            )
        except Invalid:
            return 0
        return 2

    added = await asyncio.gather(*(add() for _ in range(6)))
    seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
    assert sum(added) == seen.lines[0].quantity == 4


async def test_adding_to_a_cart_costs_four_statements_here(stall):
    variant, other = await stall.goods(), await stall.goods()
    cart = await stall.cart((variant, 1), (other, 1))
    before = stall.db.statements
    await stall.orders.add_line(
        actor=stall.holder(cart), cart_id=cart.id, variant_id=variant, quantity=1, language="vi"
    )
    assert stall.db.statements - before <= 4


@pytest.fixture
async def following(stall):
    """As in a web process, the events that make stale what is kept are followed."""
    task = asyncio.create_task(stall.shop.shop.drop_stale_answers())
    while not stall.shop.shop.ground.news.is_followed:
        await asyncio.sleep(0.01)
    yield
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def asked(stall, monkeypatch):
    """The questions to catalog."""
    catalog, found = stall.orders.room.catalog, []

    class Spy:
        async def find_variants(self, *, variants):
            found.append(variants)
            return await catalog.find_variants(variants=variants)

    monkeypatch.setattr(stall.orders.room, "catalog", Spy())
    return found


async def test_what_catalog_said_is_not_asked_again_before_it_changed_but_by_who_orders(stall, following, asked):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    for _ in range(50):  # what was made a moment ago is still being told of
        before = len(asked)
        await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
        if len(asked) == before:
            break
        await asyncio.sleep(0.05)
    assert len(asked) == before
    await stall.checkout(cart)
    assert len(asked) == before + 1


async def test_what_is_withdrawn_is_seen_in_the_carts_at_once(stall, following):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    await stall.withdraw(variant)
    for _ in range(50):
        seen = await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
        if codes(seen.lines[0].problems):
            break
        await asyncio.sleep(0.05)
    assert codes(seen.lines[0].problems) == ["not_sold"]


async def test_a_new_price_is_seen_in_the_carts_at_once_and_counts_for_who_orders_before_that(stall, following):
    variant = await stall.goods()
    cart = await stall.ready((variant, 1))
    me = stall.holder(cart)
    await stall.orders.find_cart(actor=me, cart_id=cart.id, language="vi")
    await stall.reprice(variant, 7_000)
    with pytest.raises(QuoteChanged):
        await stall.checkout(cart)
    for _ in range(50):
        seen = await stall.orders.find_cart(actor=me, cart_id=cart.id, language="vi")
        if seen.totals.items != cart.totals.items:
            break
        await asyncio.sleep(0.05)
    assert seen.totals.items == vnd(7_000)
    assert (await stall.checkout(msgspec.structs.replace(seen, token=cart.token))).order.totals == seen.totals


async def test_stock_is_asked_again_once_catalog_heard_of_another_number_and_by_the_reservation(
    stall, following, monkeypatch
):
    variant = await stall.goods(stock=5)
    cart, other = await stall.ready((variant, 3)), await stall.ready((variant, 4))
    inventory, asked = stall.orders.room.inventory, []

    class Spy:
        def __getattr__(self, name):
            return getattr(inventory, name)

        async def available_for(self, *, variants):
            asked.append(variants)
            return await inventory.available_for(variants=variants)

    monkeypatch.setattr(stall.orders.room, "inventory", Spy())

    async def seen():
        return await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")

    await stall.shop.settle()
    for _ in range(50):
        before = len(asked)
        await seen()
        if len(asked) == before:
            break
        await asyncio.sleep(0.05)
    assert len(asked) == before
    await stall.checkout(other)
    assert len(asked) == before  # who orders asks the reservation
    assert (await seen()).lines[0].problems == []  # nobody has told yet
    with pytest.raises(OutOfStock):
        await stall.checkout(cart)
    await stall.shop.settle()
    for _ in range(50):
        if problems := (await seen()).lines[0].problems:
            break
        await asyncio.sleep(0.05)
    assert codes(problems) == ["stock_fell"]


async def test_new_rates_are_seen_in_the_carts_at_once(stall, following):
    cart = await stall.ready()
    shipping, me = stall.shop.actions("shipping"), stall.holder(cart)
    code = cart.shipping_option.id.split("-")[0]
    zones = (await shipping.list_zones(limit=100, cursor=None)).items
    zone = next(each for each in zones if each.code == code)
    draft = ZoneDraft(
        name=zone.name,
        everywhere=zone.everywhere,
        provinces=zone.provinces,
        wards=zone.wards,
        priority=zone.priority,
        surcharge=zone.surcharge + 1_000,
        active=True,
    )
    changed = await shipping.change_zone(code=code, draft=draft, version=zone.version)
    try:
        for _ in range(50):
            [option, *_] = await stall.orders.find_shipping_options(actor=me, cart_id=cart.id, language="vi")
            if option.price != cart.shipping_option.price:
                break
            await asyncio.sleep(0.05)
        assert option.price.amount == cart.shipping_option.price.amount + 1_000
    finally:
        draft = msgspec.structs.replace(draft, surcharge=zone.surcharge)
        await shipping.change_zone(code=code, draft=draft, version=changed.version)


async def test_who_only_looks_asks_the_database_for_the_cart_alone(stall, following):
    cart = await stall.ready()

    def statements():
        return sum(database.statements for database in stall.shop.shop.databases.values())

    for _ in range(50):
        before = statements()
        await stall.orders.find_cart(actor=stall.holder(cart), cart_id=cart.id, language="vi")
        if (asked := statements() - before) == 1:
            break
        await asyncio.sleep(0.05)
    assert asked == 1
