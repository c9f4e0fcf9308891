import asyncio
import time
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from msgspec import structs
from tests.conftest import SECRET, dice, effort, settings_for
from tests.notifications.conftest import Box, deliver, placed, vnd

from sampan.kernel.settings import BadSetting, load
from sampan.services.notifications import rules, store
from sampan.services.notifications.actions import NotificationsActions, SmtpSettings
from sampan.services.notifications.rules import (
    Facts,
    is_for_good,
    is_mail_address,
    is_worth_another_try,
    letter_for,
    minutes_until_next,
)
from sampan.services.orders.contract import (
    DeliveryFailed,
    OrderCancelled,
    OrderDelivered,
    OrderRefunded,
    OrderShipped,
    Recipient,
)


async def test_in_a_muted_copy_of_a_shop_mail_waits(shop, mailing, box, tmp_path):
    event = placed()
    await deliver(mailing, event)
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
    await deliver(mailing, event)
    await deliver(mailing, event)
    await mailing.send_due()
    await mailing.send_due()
    found = [mail for mail in box.mails if b"SPTEST01" in mail]
    assert len(found) == 1
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_a_mail_has_a_text_and_an_html_part_in_the_customers_language(shop, mailing):
    for language, word in (("vi", "Cảm ơn Bạn"), ("en", "Thank you")):
        event = placed(language=language)
        await deliver(mailing, event)
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
        await deliver(mailing, event)
        assert await mailing.messages_for(order_id=event.order_id) == []


async def test_a_mail_that_was_refused_for_now_is_sent_later(shop, mailing, box):
    await mailing.send_due()  # what other tests left
    event = placed()
    box.answers = ["451 come back"]
    await deliver(mailing, event)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["waiting"]
    await make_due(shop, event.order_id)
    await mailing.send_due()
    assert [(m.status, m.tries) for m in await mailing.messages_for(order_id=event.order_id)] == [("sent", 2)]


@pytest.mark.parametrize("answer", ["550 no such user", b"550 kh\xf4ng c\xf3", b"550 no\0"])
async def test_a_mail_that_was_refused_for_good_is_not_tried_again(shop, mailing, box, answer):
    await mailing.send_due()  # what other tests left
    event = placed()
    box.answers = [answer]
    await deliver(mailing, event)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["failed"]


async def test_who_comes_too_late_notes_nothing_of_a_mail_that_was_sent(shop, mailing, box):
    event = placed()
    await deliver(mailing, event)
    await mailing.send_due()
    [message] = await mailing.messages_for(order_id=event.order_id)
    async with shop.db("notifications").begin() as tx:
        await store.fail(tx, message.id, "550 no")
        await store.later(tx, message.id, 1, "451 later")
        noted = await tx.many(str, "SELECT error FROM notifications.message WHERE id = $1", message.id)
    assert noted == [None]
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


@pytest.mark.parametrize("refused", ["password", "sender", "relaying"])
async def test_a_refusal_of_the_shop_loses_no_mail(shop, mailing, box, monkeypatch, refused):
    """The password has changed, say: when somebody has seen to it, everything is sent that was to be sent meanwhile."""
    await mailing.send_due()  # what other tests left

    async def handle_MAIL(server, session, envelope, address, options):
        return "550 5.7.60 you may not send as this"

    async def handle_RCPT(server, session, envelope, address, options):
        return "554 5.7.1 relay access denied"

    right = mailing.smtp
    if refused == "password":
        guarded = await asyncio.get_running_loop().create_server(
            lambda: SMTP(
                box,
                authenticator=lambda *_: AuthResult(success=False, handled=False),
                auth_require_tls=False,
            ),
            "127.0.0.1",
            0,
        )
        port = guarded.sockets[0].getsockname()[1]
        mailing.smtp = structs.replace(right, port=port, username="shop", password="old")
    elif refused == "sender":
        monkeypatch.setattr(box, "handle_MAIL", handle_MAIL, raising=False)
    else:
        monkeypatch.setattr(box, "handle_RCPT", handle_RCPT, raising=False)
    event = placed()
    await deliver(mailing, event)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["waiting"]
    monkeypatch.undo()
    mailing.smtp = right
    if refused == "password":
        guarded.close()
    await make_due(shop, event.order_id)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_a_server_that_is_away_loses_no_mail(shop, mailing):
    event = placed()
    await deliver(mailing, event)
    mailing.smtp = SmtpSettings(host="127.0.0.1", port=9, security="none", seconds=2)
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["waiting"]


class Slow(Box):
    """A mail server that takes its time with every answer, and counts whom it speaks with."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.speaking = self.most = 0

    def protocol(self) -> SMTP:
        box = self

        class Counted(SMTP):
            def connection_made(self, transport) -> None:
                box.speaking += 1
                box.most = max(box.most, box.speaking)
                super().connection_made(transport)

            def connection_lost(self, error) -> None:
                box.speaking -= 1
                super().connection_lost(error)

        return Counted(self)

    async def handle_EHLO(self, server, session, envelope, hostname, responses) -> list[str]:
        await asyncio.sleep(self.seconds)
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options) -> str:
        await asyncio.sleep(self.seconds)
        envelope.mail_from = address
        return "250 well"

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        await asyncio.sleep(self.seconds)
        envelope.rcpt_tos.append(address)
        return "250 well"

    async def handle_DATA(self, server, session, envelope) -> str | bytes:
        await asyncio.sleep(self.seconds)
        return await super().handle_DATA(server, session, envelope)

    async def handle_QUIT(self, server, session, envelope) -> str:
        await asyncio.sleep(100 * self.seconds)
        return "221 well"


async def served(mailing: NotificationsActions, box: Slow, **settings) -> asyncio.Server:
    server = await asyncio.get_running_loop().create_server(box.protocol, "127.0.0.1", 0)
    mailing.smtp = structs.replace(mailing.smtp, port=server.sockets[0].getsockname()[1], **settings)
    return server


async def test_a_server_that_is_slow_in_every_answer_is_hung_up_on_before_somebody_else_sends_the_mail(
    shop, mailing, monkeypatch
):
    await mailing.send_due()  # what other tests left
    monkeypatch.setattr(rules, "LEASE", 2.0)
    slow = Slow(0.6)  # four times, which is longer than the lease
    server = await served(mailing, slow, seconds=1)
    event = placed()
    await deliver(mailing, event)
    first = asyncio.create_task(mailing.send_due())
    while not slow.speaking:
        await asyncio.sleep(0.01)
    until = time.monotonic() + 3
    while time.monotonic() < until:  # the other background processes
        await mailing.send_due()
        await asyncio.sleep(0.05)
    await first
    server.close()
    assert slow.most == 1
    assert slow.mails == []
    assert [(m.status, m.tries) for m in await mailing.messages_for(order_id=event.order_id)] == [("waiting", 1)]
    slow.seconds = 0
    server = await served(mailing, slow)
    await make_due(shop, event.order_id)
    await mailing.send_due()
    server.close()
    assert len(slow.mails) == 1


async def test_a_mail_that_was_taken_is_sent_however_long_the_leave_takes(mailing, monkeypatch):
    await mailing.send_due()  # what other tests left
    monkeypatch.setattr(rules, "LEASE", 2.0)
    slow = Slow(0.1)  # 0.4 seconds until the mail is taken
    server = await served(mailing, slow, seconds=15)
    event = placed()
    await deliver(mailing, event)
    started = time.monotonic()
    await mailing.send_due()
    assert time.monotonic() - started < 5
    server.close()
    assert len(slow.mails) == 1
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_two_senders_send_a_mail_once(shop, mailing, box):
    event = placed()
    await deliver(mailing, event)
    await asyncio.gather(*(mailing.send_due() for _ in range(5)))
    assert [m.tries for m in await mailing.messages_for(order_id=event.order_id)] == [1]


async def test_markup_in_a_name_stays_text(shop, mailing):
    event = placed()
    evil = Recipient("<script>alert(1)</script>", "an@example.com", "+84912345678", "vi")
    await deliver(
        mailing,
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
        await deliver(mailing, event)
    assert len(await mailing.messages_for(order_id=order)) == 2


def life_of(email: str | None, language: str) -> list:
    """All that can be told of an order, some of it twice, in this order."""
    first = placed(email=email, language=language)
    of = {"order_id": first.order_id, "number": first.number, "recipient": first.recipient}
    parcels, refunds = [uuid4(), uuid4()], [uuid4(), uuid4()]
    return [
        first,
        *(
            OrderShipped(work_order_id=parcel, tracking_number=f"T{place}", **of)
            for place, parcel in enumerate(parcels)
        ),
        *(DeliveryFailed(work_order_id=parcel, **of) for parcel in parcels),
        OrderDelivered(**of),
        *(OrderRefunded(amount=vnd(place), refund_id=refund, **of) for place, refund in enumerate(refunds, 1)),
        OrderCancelled(reason="x", by="staff", placed=True, refund=vnd(7), **of),
        OrderCancelled(reason="x", by="staff", placed=True, refund=None, **of),
        first,
    ]


async def test_many_events_at_once_make_the_same_messages_as_one_after_the_other(shop, mailing):
    chance = dice("many messages")

    async def kept(events: list) -> list:
        """The messages of these orders, in their order, and none of them is left."""
        orders = sorted({event.order_id for event in events})
        sql = "SELECT key, template, language, recipient, data::text, status FROM notifications.message "
        async with shop.db("notifications").begin() as tx:
            rows = [
                tuple(row)
                for order in orders
                for row in await tx.connection.fetch(f"{sql} WHERE order_id = $1 ORDER BY made_at, id", order)
            ]
            await tx.execute("DELETE FROM notifications.message WHERE order_id = ANY ($1)", orders)
        return rows

    for _ in range(effort(3, 30)):
        events = [
            event
            for email, language in (
                ("an@example.com", "vi"),
                ("b@example.com", "fr"),
                (None, "vi"),
                ("no address", "en"),
            )
            for event in life_of(email, language)
        ]
        chance.shuffle(events)
        for event in events:
            await deliver(mailing, event)
        alone = await kept(events)
        assert len(alone) == 2 * 9
        assert {row[2] for row in alone} == {"vi"}
        await deliver(mailing, *events)
        assert await kept(events) == alone
        middle = chance.randrange(len(events))
        await deliver(mailing, *events[:middle])
        await deliver(mailing, *events[middle:])
        await deliver(mailing, *reversed(events))
        assert await kept(events) == alone


async def test_many_events_take_as_many_statements_as_one(mailing):
    async def statements(count: int) -> int:
        events = [event for _ in range(count) for event in life_of("an@example.com", "vi")]
        before = mailing.db.statements
        await deliver(mailing, *events)
        return mailing.db.statements - before

    assert await statements(1) == await statements(30) == 3  # with BEGIN and COMMIT


async def test_where_nothing_is_sent_messages_are_kept_in_one_statement(shop, monkeypatch):
    actions = shop.actions("notifications")
    await actions.send_due()  # what other tests left
    counts = []
    for count in (1, 40):
        events = [placed() for _ in range(count)]
        await deliver(actions, *events)
        before = actions.db.statements
        await actions.send_due()
        counts.append(actions.db.statements - before)
        for event in events:
            [message] = await actions.messages_for(order_id=event.order_id)
            assert (message.status, message.tries) == ("kept", 1)
            assert message.sent_at is not None
    assert counts == [1, 1]
    monkeypatch.setattr("sampan.services.notifications.actions.SLICE", 2)
    events = [placed() for _ in range(5)]
    await deliver(actions, *events)
    await asyncio.gather(*(actions.send_due() for _ in range(3)))
    await actions.send_due()
    found = [message for event in events for message in await actions.messages_for(order_id=event.order_id)]
    assert [(message.status, message.tries) for message in found] == [("kept", 1)] * 5


async def test_the_mailbox_page_shows_what_would_be_sent(shop):
    actions = shop.actions("notifications")
    event = placed()
    await deliver(actions, event)
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


@pytest.mark.parametrize("lacking", ["SENDER", "SHOP_NAME"])
async def test_mail_of_a_real_shop_does_not_come_from_the_demo_shop(shop, lacking):
    values = {
        "SAMPAN_SMTP_HOST": "mail.test",
        "SAMPAN_SMTP_SENDER": "shop@shop.test",
        "SAMPAN_SMTP_SHOP_NAME": "Tiệm Thật",
    }
    real = {
        "SAMPAN_MODE": "production",
        "SAMPAN_SECRET": SECRET,
        "SAMPAN_PUBLIC_URL": "https://shop.test",
        "SAMPAN_DATABASE_URL": "postgresql://db/shop",
    }
    db = shop.db("notifications")

    def mailing(values):
        ground = structs.replace(shop.shop.ground, settings=load({**real, **values}, home=str(shop.shop.settings.home)))
        return NotificationsActions(db, ground)

    assert mailing(values).smtp.shop_name == "Tiệm Thật"
    del values[f"SAMPAN_SMTP_{lacking}"]
    with pytest.raises(BadSetting, match=lacking):
        mailing(values)
    assert mailing({}).smtp.host == ""  # who sends no mail needs no name


def test_a_mail_is_tried_twelve_times_over_most_of_a_day_unless_refused_for_good():
    assert not is_worth_another_try(1, permanent=True)
    assert [minutes_until_next(tries) for tries in (1, 2, 3, 12)] == [1, 2, 4, 360]
    waits = [minutes_until_next(tries) for tries in range(1, 100) if is_worth_another_try(tries, permanent=False)]
    assert len(waits) == 11
    assert 20 <= sum(waits) / 60 <= 24


@pytest.mark.parametrize(
    ("code", "words", "final"),
    [
        (550, "5.1.1 no such user", True),
        (554, "5.6.0 we do not like it", True),
        (550, "no such user", True),
        (552, "5.2.2 mailbox full", False),
        (554, "5.7.1 relay access denied", False),
        (451, "4.7.1 later", False),
    ],
)
def test_a_mail_is_refused_for_good_because_of_itself_or_of_whom_it_is_for(code, words, final):
    assert is_for_good(code, words) is final


@pytest.mark.parametrize("address", ["a@b.vn", "first.last+tag@mail.example.com"])
def test_a_usual_address_is_one(address):
    assert is_mail_address(address)


@pytest.mark.parametrize(
    "address", ["", "a", "a@b", "a b@c.d", "a@b.c\nx", "@b.c", "a@.c", "a@b..c", "x" * 300 + "@b.c"]
)
def test_what_is_no_address_is_none(address):
    assert not is_mail_address(address)
