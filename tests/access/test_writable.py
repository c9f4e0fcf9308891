"""What answers show is not thereby writable: each field that only we may set is refused in every body."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.hostile.judge import body_schema
from tests.hostile.test_fields import at, clone, objects, resolved
from tests.world import OPERATIONS, World

OURS = (
    "id",
    "owner",
    "owner_id",
    "customer_id",
    "user_id",
    "role",
    "permissions",
    "is_admin",
    "status",
    "payment_status",
    "price",
    "unit_price",
    "discount",
    "total",
    "totals",
    "balance",
    "verified",
    "token",
    "number",
    "paid",
    "refunded",
    "version",
    "created_at",
    "placed_at",
    "expires_at",
)
BODIES = [name for name in OPERATIONS if body_schema(name)]


def shown(name: str) -> set[str]:
    """The fields of an operation's answer."""
    found: set[str] = set()
    for status, answer in OPERATIONS[name]["responses"].items():
        for content in answer.get("content", {}).values() if status < "300" else ():
            found |= resolved(content["schema"], {}).get("properties", {}).keys()
    return found


def known(schema: dict[str, Any], value: Any, place: tuple[Any, ...]) -> set[str] | None:
    """The fields that a body has at a place; None where names are free."""
    schema = resolved(schema, value)
    for step in place:
        value = value[step]
        schema = schema["items"] if isinstance(step, int) else schema.get("properties", {}).get(step)
        if schema is None:
            return None
        schema = resolved(schema, value)
    return set(schema["properties"]) if "properties" in schema else None


@pytest.mark.parametrize("name", BODIES)
async def test_fields_that_only_we_may_set_are_refused(world: World, name: str) -> None:
    example = await world.known(name)
    schema = body_schema(name)
    assert schema is not None
    taken = []
    for place in objects(example.body):
        fields = known(schema, example.body, place)
        if fields is None:
            continue
        for field in sorted({*OURS, *shown(name)} - fields):
            body = clone(example.body)
            at(body, place)[field] = 1
            headers = dict(example.headers)
            if "idempotency-key" in headers:
                headers["idempotency-key"] = uuid4().hex
            reply = await world.ask(example.copy(body=body, headers=headers))
            if reply.status != 422 or f"`{field}`" not in reply.text:
                taken.append(f"{place} {field}: {reply.status} {reply.text[:200]}")
    assert not taken, "\n".join(taken)
    assert msgspec.json.encode(example.body)
