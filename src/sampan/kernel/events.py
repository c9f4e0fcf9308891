"""Events: what happened, in the past tense, with a version in the name (`orders.order_placed.v1`)."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from msgspec import Struct, StructMeta


class EventType(StructMeta):
    """Registers each event by its name, which begins with the service that emits it."""

    by_name: ClassVar[dict[str, type["Event"]]] = {}

    def __new__(
        mcs, cls_name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, name: str = "", **options: Any
    ) -> Any:
        cls = super().__new__(mcs, cls_name, bases, namespace, **{"frozen": True, **options})
        if name:
            if name in EventType.by_name and EventType.by_name[name].__qualname__ != cls.__qualname__:
                raise TypeError(f"two events share the name {name}")
            event: Any = cls
            event.name = name
            EventType.by_name[name] = event
        return cls


class Event(Struct, metaclass=EventType):
    """Base of all events. Declare one with `class OrderPlaced(Event, name="orders.order_placed.v1")`.

    Frozen, JSON-encodable, with ids and versions rather than personal data.
    """

    name: ClassVar[str] = ""

    @classmethod
    def source(cls) -> str:
        """The service that emits it."""
        return cls.name.partition(".")[0]

    def stale(self) -> list[str]:
        """Tags of the answers that are not true any more after it; whoever keeps answers follows it for them."""
        return []


class Cursor(Struct, frozen=True):
    """A place in a feed: the transaction and the row in it. `(0, 0)` is before everything."""

    xid: int = 0
    position: int = 0


class Delivered(Struct, frozen=True):
    """An event as the feed delivers it: where it stands, when and for whom it happened, and its JSON body."""

    cursor: Cursor
    id: UUID
    name: str
    body: bytes
    at: datetime
    request_id: str
    actor: str
