"""Notifications, as others see it. Messages are made from events; nobody calls it to send one."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class Message(Struct, frozen=True):
    """A mail about something that happened. `status`: waiting, sent, failed."""

    id: UUID
    event_id: str
    template: str
    language: str
    recipient: str  # masked outside of the mailbox page
    subject: str
    status: str
    tries: int
    made_at: datetime
    sent_at: datetime | None


class Notifications(Protocol):
    """Mail per event, once per message, tried again until it is sent or refused for good."""

    async def messages_for(self, *, order_id: UUID) -> list[Message]:
        """What was sent about an order, oldest first."""
        ...
