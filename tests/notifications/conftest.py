"""Notifications that send to a mail server of the tests."""

import asyncio
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP

from sampan.kernel.money import Money
from sampan.services.notifications.actions import NotificationsActions, SmtpSettings
from sampan.services.notifications.handlers import on_news
from sampan.services.orders.contract import EventLine, OrderPlaced, Recipient
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
        self.answers: list[str | bytes] = []

    async def handle_DATA(self, server, session, envelope) -> str | bytes:
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


async def deliver(actions, *events) -> None:
    """Events arrive side by side."""
    async with actions.db.begin() as tx:
        await on_news(actions, tx, events)
