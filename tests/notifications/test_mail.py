import asyncio
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP
from tests.conftest import settings_for

from sampan.kernel.money import Money
from sampan.services.notifications.actions import NotificationsActions, SmtpSettings
from sampan.services.notifications.handlers import on_cancelled, on_placed, on_refunded
from sampan.services.notifications.rules import (
    Facts,
    is_mail_address,
    is_worth_another_try,
    letter_for,
    minutes_until_next,
)
from sampan.services.orders.contract import EventLine, OrderCancelled, OrderPlaced, OrderRefunded, Recipient
from sampan.services.pricing.contract import Totals


def vnd(amount: int) -> Money:
    return Money(amount, "VND")


def placed(email: str | None = "an@example.com", language: str = "vi", method: str = "cod") -> OrderPlaced:
    return OrderPlaced(
        order_id=uuid4(),
        number="SPTEST01",
        market="VN",
        payment_method=method,
        lines=[EventLine(uuid4(), uuid4(), "GN-1", "Ghế nhựa Chợ Lớn · Đỏ", 2, vnd(170000))],
        totals=Totals(vnd(170000), vnd(0), vnd(20000), vnd(14000), vnd(190000)),
        allocations=[],
        recipient=Recipient("Nguyễn Văn An", email, "+84912345678", language),
    )


class Box:
    """A mail server's handler: keeps what comes, or refuses as told."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answers: list[str] = []

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(envelope.content)
        return "250 kept"


@pytest.fixture
async def box():
    box = Box()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


@pytest.fixture
def mailing(shop, box) -> NotificationsActions:
    """Notifications that send to the test's server."""
    actions = NotificationsActions(shop.db("notifications"), shop.shop.ground)
    actions.smtp = SmtpSettings(host="127.0.0.1", port=box.port, security="none", sender="shop@shop.test")
    return actions


async def deliver(actions, handler, event) -> None:
    async with actions.db.begin() as tx:
        await handler(actions, tx, event)


async def test_in_a_muted_copy_of_a_shop_mail_waits(shop, mailing, box, tmp_path):
    event = placed()
    await deliver(mailing, on_placed, event)
    loud = mailing.settings
    mailing.settings = settings_for(tmp_path, muted=True)
    async with shop.db("notifications").begin() as tx:
        await tx.execute(
            "UPDATE notifications.message SET made_at = now() - interval '3 days' WHERE order_id = $1", event.order_id
        )
    await mailing.send_due()
    assert box.mails == []
    assert await mailing.invariants() == []
    mailing.settings = loud
    assert await mailing.invariants() != []
    await mailing.send_due()
    assert len(box.mails) == 1


async def make_due(shop, order_id) -> None:
    async with shop.db("notifications").begin() as tx:
        await tx.execute("UPDATE notifications.message SET due_at = now() WHERE order_id = $1", order_id)


async def test_an_event_delivered_twice_makes_one_mail(shop, mailing, box):
    event = placed()
    await deliver(mailing, on_placed, event)
    await deliver(mailing, on_placed, event)
    await mailing.send_due()
    await mailing.send_due()
    found = [mail for mail in box.mails if b"SPTEST01" in mail]
    assert len(found) == 1
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_a_mail_has_a_text_and_an_html_part_in_the_customers_language(shop, mailing):
    for language, word in (("vi", "Cảm ơn Bạn"), ("en", "Thank you")):
        event = placed(language=language)
        await deliver(mailing, on_placed, event)
        message = (await mailing.messages_for(order_id=event.order_id))[0]
        mail = await mailing.preview(message_id=message.id)
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        for part in mail.iter_parts():
            content = part.get_content()
            assert word in content
            assert "190" in content
            assert "Ghế nhựa Chợ Lớn · Đỏ" in content


async def test_who_gave_no_address_gets_no_mail(shop, mailing):
    for address in (None, "", "no address", "a@b\r\nBcc: x@y.z"):
        event = placed(email=address)
        await deliver(mailing, on_placed, event)
        assert await mailing.messages_for(order_id=event.order_id) == []


async def test_a_mail_that_was_refused_for_now_is_sent_later(shop, mailing, box):
    await mailing.send_due()  # what other tests left
    event = placed()
    box.answers = ["451 come back"]
    await deliver(mailing, on_placed, event)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["waiting"]
    await make_due(shop, event.order_id)
    await mailing.send_due()
    assert [(m.status, m.tries) for m in await mailing.messages_for(order_id=event.order_id)] == [("sent", 2)]


async def test_a_mail_that_was_refused_for_good_is_not_tried_again(shop, mailing, box):
    await mailing.send_due()  # what other tests left
    event = placed()
    box.answers = ["550 no such user"]
    await deliver(mailing, on_placed, event)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["failed"]


async def test_a_server_that_is_away_loses_no_mail(shop, mailing):
    event = placed()
    await deliver(mailing, on_placed, event)
    mailing.smtp = SmtpSettings(host="127.0.0.1", port=9, security="none", seconds=2)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["waiting"]


async def test_two_senders_send_a_mail_once(shop, mailing, box):
    event = placed()
    await deliver(mailing, on_placed, event)
    await asyncio.gather(*(mailing.send_due() for _ in range(5)))
    assert [m.tries for m in await mailing.messages_for(order_id=event.order_id)] == [1]


async def test_markup_in_a_name_stays_text(shop, mailing):
    event = placed()
    evil = Recipient("<script>alert(1)</script>", "an@example.com", "+84912345678", "vi")
    await deliver(
        mailing,
        on_cancelled,
        OrderCancelled(
            order_id=event.order_id, number="SPX", reason="x", by="customer", placed=True, refund=vnd(5), recipient=evil
        ),
    )
    message = (await mailing.messages_for(order_id=event.order_id))[0]
    mail = await mailing.preview(message_id=message.id)
    assert "<script>" not in mail.get_body(preferencelist=("html",)).get_content()
    assert "&lt;script&gt;" in mail.get_body(preferencelist=("html",)).get_content()


async def test_two_refunds_of_one_order_are_two_mails(shop, mailing):
    order = uuid4()
    to = Recipient("An", "an@example.com", "+84912345678", "vi")
    for _ in range(2):
        event = OrderRefunded(order_id=order, number="SPX", amount=vnd(9), recipient=to, refund_id=uuid4())
        await deliver(mailing, on_refunded, event)
    assert len(await mailing.messages_for(order_id=order)) == 2


async def test_the_mailbox_page_shows_what_would_be_sent(shop):
    actions = shop.actions("notifications")
    event = placed()
    await deliver(actions, on_placed, event)
    message = (await actions.messages_for(order_id=event.order_id))[0]
    assert "an@example.com" in (await shop.http.get("/dev/mailbox")).text
    assert "SPTEST01" in (await shop.http.get(f"/dev/mailbox/{message.id}")).text
    framed = await shop.http.get(f"/dev/mailbox/{message.id}/html")
    assert framed.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await shop.http.get(f"/dev/mailbox/{uuid4()}")).status_code == 404


async def test_every_template_has_its_words_in_both_languages(shop):
    actions = shop.actions("notifications")
    facts = Facts(number="SP1", name="An", total=vnd(1), amount=vnd(1), tracking="T1")
    names = ("order_placed", "order_cancelled", "order_shipped", "order_delivered", "delivery_failed", "order_refunded")
    for language in ("vi", "en"):
        for template in names:
            letter = letter_for(template, facts, actions.catalogue.texts(language), language)
            assert "SP1" in letter.subject
            assert all(letter.paragraphs)


def test_a_mail_is_tried_eight_times_unless_refused_for_good():
    assert is_worth_another_try(7, permanent=False)
    assert not is_worth_another_try(8, permanent=False)
    assert not is_worth_another_try(1, permanent=True)
    assert [minutes_until_next(tries) for tries in (1, 2, 3, 12)] == [1, 2, 4, 360]


@pytest.mark.parametrize("address", ["a@b.vn", "first.last+tag@mail.example.com"])
def test_a_usual_address_is_one(address):
    assert is_mail_address(address)


@pytest.mark.parametrize(
    "address", ["", "a", "a@b", "a b@c.d", "a@b.c\nx", "@b.c", "a@.c", "a@b..c", "x" * 300 + "@b.c"]
)
def test_what_is_no_address_is_none(address):
    assert not is_mail_address(address)
