"""What happens between the page and the click: answers that get lost, things that go, orders that wait for somebody."""

import json
import re
from copy import copy
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from sampan.kernel import context
from sampan.kernel.errors import Conflict, TooManyRequests
from sampan.services.catalog.contract import UnknownVariant
from sampan.services.fulfillment.contract import Piece
from sampan.services.inventory.contract import OutOfStock
from sampan.services.pricing.contract import NewPrice, NotPriced
from sampan.services.shipping.contract import NotDeliverable
from sampan.services.storefront.routes.orders import parcel_view

WHO = {"name": "Nguyễn Thị Đào", "phone": "0912 345 678"}
WHERE = {"province_code": "79", "ward_code": "26743", "street": "12 Lê Lợi"}


async def at_payment(window: Any, visitor: Any) -> dict[str, str]:
    """Everything is said but how to pay; the fields of the last form."""
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    delivery = await visitor.follow("/checkout/address", **WHO, **WHERE)
    option = re.search(r'name="option" value="([^"]+)"', delivery.text)
    assert option is not None
    page = await visitor.follow("/checkout/delivery", option=option[1])
    shown = re.search(r'name="shown" value="([^"]+)"', page.text)
    assert shown is not None
    return {"payment_method": "cod", "shown": shown[1]}


async def lose_answer(visitor: Any, **fields: str) -> None:
    """The order is placed, and the browser has the cookies from before."""
    before = [copy(cookie) for cookie in visitor.http.cookies.jar]
    assert (await visitor.send("/checkout/place", **fields)).status_code == 303
    visitor.http.cookies.clear()
    for cookie in before:
        visitor.http.cookies.jar.set_cookie(cookie)


@pytest.mark.parametrize("path", ["/checkout", "/checkout?step=payment", "/cart", "/en/cart"])
async def test_whose_answer_was_lost_is_led_to_the_order(
    window: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The order was placed, and nothing of it arrived: whoever goes back finds the order, and not an empty cart.
    Looking for it orders nothing.
    """
    visitor = window.visitor()
    fields = await at_payment(window, visitor)
    await lose_answer(visitor, **fields)
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "orders", Once(shop.orders, "checkout", AssertionError("this orders")))
    back = await visitor.see(path)
    assert back.status_code == 303
    order = await visitor.see(back.headers["location"])
    assert order.status_code == 200
    assert "12 Lê Lợi" in order.text
    assert "cart" not in visitor.http.cookies


async def test_who_shops_on_after_a_lost_answer_keeps_the_order(window: Any) -> None:
    visitor = window.visitor()
    fields = await at_payment(window, visitor)
    await lose_answer(visitor, **fields)
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    last = await visitor.see("/orders/last")
    assert "12 Lê Lợi" in (await visitor.see(last.headers["location"])).text
    assert "85.000" in (await visitor.see("/cart")).text


async def test_nothing_that_came_of_an_order_leads_back_to_the_cart(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order was closed before anybody saw it, in the moment between two looks: the cart is one again."""
    visitor = window.visitor()
    await at_payment(window, visitor)
    shop = window.shop.actions("storefront")
    cart_id, _, token = visitor.http.cookies["cart"].partition(".")
    cart = await shop.orders.find_cart(actor=context.Actor(cart_token=token), cart_id=UUID(cart_id), language="vi")
    monkeypatch.setattr(shop, "orders", FirstAnswer(shop.orders, "find_cart", replace(cart, order_id=UUID(int=1))))
    page = await visitor.see("/cart")
    assert page.status_code == 200
    assert "85.000" in page.text


async def pay_page(visitor: Any, order: str) -> str:
    """The hidden name of a payment on the page that stands in for VNPay's, to which the order's page leads."""
    led = (await visitor.see(f"{order}/pay")).headers["refresh"].removeprefix("0; url=")
    found = re.search(r'name="payment" value="([^"]+)"', (await visitor.see(led)).text)
    assert found is not None
    return found[1]


async def test_who_pays_two_orders_in_two_tabs_comes_back_to_each(window: Any) -> None:
    """Neither knows of the other, and the one that was placed last is not always paid first."""
    visitor = window.visitor()
    tabs: dict[str, str] = {}
    for prefix in ("", "/en", ""):
        fields = await at_payment(window, visitor) | {"payment_method": "vnpay"}
        placed = (await visitor.send(f"{prefix}/checkout/place", **fields)).headers["location"]
        order = placed.removesuffix("/pay")
        assert order.startswith(f"{prefix}/orders/")
        tabs[order] = await pay_page(visitor, order)
    for order, payment in tabs.items():
        form = {"payment": payment, "choice": "pay"}
        paid = await visitor.http.post("/sandbox/vnpay/paymentv2/confirm", data=form)
        back = await visitor.see(paid.headers["location"])
        assert back.headers["location"] == order
        assert (await visitor.see(order)).status_code == 200


class FirstAnswer:
    """Orders that answer the first call of one method so, and do everything else."""

    def __init__(self, orders: Any, name: str, answer: Any) -> None:
        self.orders, self.name, self.answers = orders, name, [answer]

    def __getattr__(self, name: str) -> Any:
        if name != self.name or not self.answers:
            return getattr(self.orders, name)

        async def call(**_: Any) -> Any:
            return self.answers.pop()

        return call


class Once:
    """Orders that refuse one call and do everything else."""

    def __init__(self, orders: Any, name: str, refusal: Exception) -> None:
        self.orders, self.name, self.refusal = orders, name, refusal

    def __getattr__(self, name: str) -> Any:
        if name != self.name:
            return getattr(self.orders, name)

        async def call(**_: Any) -> Any:
            raise self.refusal

        return call


PLACING = {
    "way": (NotDeliverable("no"), 422, "Cách giao này không còn cho địa chỉ của Bạn"),
    "busy": (Conflict("again"), 409, "Chưa đặt được đơn này"),
    "stock": (OutOfStock("gone"), 409, "vừa có người mua trước"),
}


@pytest.mark.parametrize("what", PLACING)
async def test_what_stands_in_the_way_of_an_order_is_told_where_it_can_be_mended(
    window: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    refusal, status, words = PLACING[what]
    visitor = window.visitor()
    fields = await at_payment(window, visitor)
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "orders", Once(shop.orders, "checkout", refusal))
    answer = await visitor.send("/checkout/place", **fields)
    assert answer.status_code == status
    assert words in answer.text
    assert "Yêu cầu chưa đúng" not in answer.text


@pytest.mark.parametrize("refusal", [UnknownVariant("not for sale"), NotPriced("no price")])
async def test_what_is_no_longer_sold_is_refused_in_words_and_the_cart_stays(
    window: Any, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    visitor = window.visitor()
    await visitor.follow("/cart/lines", variant_id=str(window.variant))
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "orders", Once(shop.orders, "add_line", refusal))
    answer = await visitor.send("/cart/lines", variant_id=str(window.variant))
    assert answer.status_code == 422
    assert str(refusal) not in answer.text
    assert "Sản phẩm này" in answer.text
    assert "85.000" in answer.text


async def test_goods_that_are_gone_when_it_is_paid_again_are_told_on_the_order(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = window.visitor()
    fields = await at_payment(window, visitor)
    placed = await visitor.send("/checkout/place", **(fields | {"payment_method": "vnpay"}))
    path = placed.headers["location"].removesuffix("/pay")
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "orders", Once(shop.orders, "pay", OutOfStock("gone")))
    answer = await visitor.send(f"{path}/pay", payment_method="vnpay")
    assert answer.status_code == 409
    assert "vừa có người mua trước" in answer.text
    assert "12 Lê Lợi" in answer.text


async def test_an_order_that_waits_for_a_call_of_the_shop_does_not_ask_for_money(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = window.shop.actions("orders").room
    monkeypatch.setattr(room, "policy", replace(room.policy, confirm_cod=True))
    visitor = window.visitor()
    order = await visitor.follow("/checkout/place", **await at_payment(window, visitor))
    assert "chờ thanh toán" not in order.text
    assert "Cửa hàng sẽ gọi" in order.text


@pytest.mark.parametrize(
    ("inspection", "words"), [("try", "xem và thử hàng"), ("look", "xem hàng trước"), ("none", "chỉ mở sau khi")]
)
async def test_who_pays_at_the_door_is_promised_what_the_courier_is_told(
    window: Any, monkeypatch: pytest.MonkeyPatch, inspection: str, words: str
) -> None:
    shipping = window.shop.actions("shipping")
    monkeypatch.setattr(shipping, "settings", replace(shipping.settings, inspection=inspection))
    visitor = window.visitor()
    await at_payment(window, visitor)
    page = (await visitor.see("/checkout?step=payment")).text
    assert words in page
    assert ("được xem hàng" in page) is (inspection == "look")


async def test_an_order_on_its_way_is_not_said_to_be_prepared(window: Any) -> None:
    visitor = window.visitor()
    placed = await visitor.send("/checkout/place", **await at_payment(window, visitor))
    path = placed.headers["location"].partition("?")[0]
    await window.shop.settle()
    assert "đang chuẩn bị hàng" in (await visitor.see(path)).text
    fulfillment = window.shop.actions("fulfillment")
    [work] = await fulfillment.work_orders_for(order_id=UUID(path.rpartition("/")[2]))
    for step in ("pick", "pack", "ship"):
        await getattr(fulfillment, step)(actor=context.SYSTEM, work_order_id=work.id)
    await window.shop.settle()
    order = await visitor.see(path)
    assert "Hàng đang trên đường đến Bạn" in order.text
    assert "đang chuẩn bị hàng" not in order.text


async def shipped(window: Any, visitor: Any) -> tuple[str, Any]:
    """The path of an order whose only parcel has left, and the work on it."""
    placed = await visitor.send("/checkout/place", **await at_payment(window, visitor))
    path = placed.headers["location"].partition("?")[0]
    await window.shop.settle()
    fulfillment = window.shop.actions("fulfillment")
    [work] = await fulfillment.work_orders_for(order_id=UUID(path.rpartition("/")[2]))
    for step in ("pick", "pack", "ship"):
        await getattr(fulfillment, step)(actor=context.SYSTEM, work_order_id=work.id)
    await window.shop.settle()
    return path, work


async def test_a_parcel_is_told_of_in_words_of_the_shop(window: Any) -> None:
    visitor = window.visitor()
    path, _ = await shipped(window, visitor)
    page = (await visitor.see(path)).text
    assert "Cửa hàng giao" in page
    assert ">own<" not in page
    assert "Đã rời kho" in page
    assert "Dự kiến nhận" in page


async def test_a_carrier_without_a_name_in_our_texts_is_called_what_the_tariff_calls_it(window: Any) -> None:
    visitor = window.visitor()
    path, _ = await shipped(window, visitor)
    shop, order_id = window.shop.actions("orders"), UUID(path.rpartition("/")[2])
    [parcel] = (await shop.find_order(actor=context.SYSTEM, order_id=order_id, language="vi")).shipments
    texts = window.shop.actions("storefront").texts("vi")
    assert parcel_view(replace(parcel, carrier="swift"), texts)["carrier"] == "swift"


async def test_a_parcel_that_is_lost_is_not_said_to_be_back(window: Any) -> None:
    """The work order of a lost parcel is `returned`, as it is of one that came back."""
    visitor = window.visitor()
    path, work = await shipped(window, visitor)
    fulfillment = window.shop.actions("fulfillment")
    here = {"actor": context.SYSTEM, "work_order_id": work.id}
    await fulfillment.fail(**here, reason="mất")
    await fulfillment.send_back(**here)
    await window.shop.settle()
    coming = (await visitor.see(path)).text
    assert "Hàng đang quay về kho" in coming
    assert "Dự kiến nhận" not in coming
    assert "Đơn hàng đang ở đâu" not in coming, "the steps lead to the customer"
    await fulfillment.receive(**here, lines=[Piece(line.variant_id, 0) for line in work.lines])
    await window.shop.settle()
    page = (await visitor.see(path)).text
    assert "Kiện hàng bị thất lạc, đơn hàng đã huỷ" in page
    assert "badge--danger" in page
    assert "Hàng đã về kho" not in page
    assert "Trả tiền mặt khi nhận" not in page


# Of an order with two parcels: what orders says, how the parcels are, and what the page says.
ASTRAY = [
    ("placed", "returned", ("lost", "lost"), "lost"),
    ("placed", "returned", ("returned", "returned"), "returned"),
    ("placed", "partially_shipped", ("lost",), "partly_lost"),
    ("placed", "shipped", ("lost", "created"), "partly_lost"),
    ("placed", "delivered", ("delivered", "lost"), "partly_lost"),
    ("completed", "delivered", ("lost", "delivered"), "partly_lost"),
    ("completed", "delivered", ("delivered", "delivered"), "completed"),
    ("cancelled", "returned", ("returned", "returned"), "cancelled"),
    ("cancelled", "returned", ("lost", "returned"), "cancelled_lost"),
]


async def test_a_lost_parcel_is_told_of_whatever_became_of_the_others(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = window.visitor()
    path, _ = await shipped(window, visitor)
    shop, order_id = window.shop.actions("storefront"), UUID(path.rpartition("/")[2])
    placed = await window.shop.actions("orders").find_order_payment(
        actor=context.SYSTEM, order_id=order_id, language="vi"
    )
    [parcel] = placed.order.shipments
    for status, goods, parcels, state in ASTRAY:
        shipments = [replace(parcel, status=each) for each in parcels]
        order = replace(placed.order, status=status, fulfillment_status=goods, shipments=shipments)
        with monkeypatch.context() as patch:
            answer = replace(placed, order=order)
            patch.setattr(shop, "orders", FirstAnswer(shop.orders, "find_order_payment", answer))
            page = (await visitor.see(path)).text
        assert f"<h1>{shop.texts('vi')(f'shop.order.state.{state}')}</h1>" in page
        assert ("Đơn hàng đang ở đâu" in page) is (state == "completed")
        assert "Dự kiến nhận" not in page


async def test_a_price_that_changed_is_told_at_its_line_and_is_nothing_to_mend(window: Any) -> None:
    visitor = window.visitor()
    fields = await at_payment(window, visitor)
    pricing = window.shop.actions("pricing")
    await pricing.set_prices(actor=context.SYSTEM, prices=[NewPrice(window.variant, "VN", 95_000)])
    try:
        refused = await visitor.send("/checkout/place", **fields)
        cart = await visitor.see("/cart")
    finally:
        await pricing.set_prices(actor=context.SYSTEM, prices=[NewPrice(window.variant, "VN", 85_000, 110_000)])
    assert refused.status_code == 409
    for page in (refused.text, cart.text):
        assert "Giá đã đổi từ 85.000" in page
        assert "field__error" not in page
    assert 'href="/checkout"' in cart.text


async def test_a_drawer_with_a_cart_that_became_an_order_leads_to_it(window: Any) -> None:
    visitor = window.visitor()
    await lose_answer(visitor, **await at_payment(window, visitor))
    drawer = await visitor.http.get("/_/cart", headers={"hx-request": "true"})
    assert drawer.headers["hx-redirect"] == "/cart"


SENT = {
    "/checkout/address": {"name": "An"},
    "/checkout/delivery": {"option": "none"},
    "/checkout/place": {"payment_method": "cod", "shown": "cod=1:VND"},
    "/cart/lines": {"variant_id": str(UUID(int=1))},
    "/orders/lookup": {"number": "SP00000000", "phone": "0912345678"},
}


@pytest.mark.parametrize("path", SENT)
async def test_a_page_that_answers_a_form_leads_to_its_other_language(window: Any, path: str) -> None:
    visitor = window.visitor()
    await at_payment(window, visitor)
    page = await visitor.send(path, **SENT[path])
    assert page.status_code in (404, 409, 422)
    other = re.search(r'href="([^"]+)" lang="en" hreflang="en"', page.text)
    assert other is not None
    assert (await visitor.see(unescape(other[1]))).status_code == 200
    assert (path.split("/")[1] in other[1]) or path == "/cart/lines"


async def test_a_refused_form_leads_to_pages_that_there_are(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = window.visitor()
    shop = window.shop.actions("storefront")
    monkeypatch.setattr(shop, "orders", Once(shop.orders, "create_cart", TooManyRequests("slowly")))
    page = await visitor.send("/cart/lines", variant_id=str(window.variant))
    assert page.status_code == 429
    other = re.search(r'href="([^"]+)" lang="en" hreflang="en"', page.text)
    assert other is not None
    assert (await visitor.see(other[1])).status_code == 200


async def test_what_was_added_is_announced_in_words(window: Any) -> None:
    """htmx reads the header as JSON and hands it on as it is; a header holds ASCII only."""
    visitor = window.visitor()
    await visitor.see("/orders/lookup")
    answer = await visitor.http.post(
        "/cart/lines",
        data={"variant_id": str(window.variant)},
        headers={"hx-request": "true", "x-csrf-token": visitor.http.cookies["csrf"]},
    )
    assert answer.headers["hx-trigger"].isascii()
    assert json.loads(answer.headers["hx-trigger"]) == {"cart:added": {"message": "Đã thêm vào giỏ hàng"}}
