"""Who asks, and whom they ask about."""

from typing import Any
from uuid import uuid4

from tests.world import OPERATIONS, Example, Headers, World

from sampan.services.auth.rules import PERMISSIONS

CANARIES = {
    "name": "Hoàng Yến Canary",
    "phone": "0977123987",
    "email": "canary.yen@victim.example",
    "street": "777 đường Chim Hoàng Yến",
    "note": "mật khẩu cổng là canary4711",
}
SECRETS = ("x-cart-token", "x-order-token", "authorization")


class Victim:
    """Somebody with a cart and orders, one for each operation that could touch them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.examples: dict[str, Example] = {}
        self.words: list[str] = [*CANARIES.values(), "+84977123987", "977 123 987"]
        self.lines: dict[str, str] = {}

    async def live(self) -> None:
        for name in OPERATIONS:
            example = await self.world.example(name)
            self.examples[name] = example
            self.words += [value for key, value in example.headers.items() if key in SECRETS[:2]]
        cart = await self.world.cart(ready=True)
        self.words.append(cart.headers["x-cart-token"])
        self.cart, self.cart_line = cart, cart.body["lines"][0]["id"]
        order = await self.world.delivered()
        self.order, self.order_line = order, order.body["lines"][0]["id"]
        self.words.append(order.headers["x-order-token"])


def tokens(cart: str | bytes, order: str | bytes) -> Headers:
    return [("x-cart-token", cart), ("x-order-token", order)]


class Actors:
    """Everybody, by name, with the headers they send. None of them may do what the victim may."""

    def __init__(self, world: World, victim: Victim) -> None:
        self.world = world
        self.victim = victim
        self.headers: dict[str, Headers] = {}
        self.permission: dict[str, str] = {}  # of those who hold exactly one
        self.unknown: set[str] = set()  # whose credentials are refused as such

    @property
    def statements(self) -> int:
        """How many the shop has sent so far."""
        return sum(database.statements for database in self.world.shop.databases.values())

    async def come(self) -> None:
        world = self.world
        self.cart, self.order = await world.cart(ready=True), await world.order()
        cart, order = self.cart.headers["x-cart-token"], self.order.headers["x-order-token"]
        self.headers = {
            "anonymous": [],
            "guest": tokens(cart, order),
            "guest with the secrets swapped": tokens(order, cart),
            "guest with empty secrets": tokens("", ""),
            "guest with blank secrets": tokens("   ", "\t"),
            "guest with null": tokens("null", "null"),
            "guest with undefined": tokens("undefined", "[object Object]"),
            "guest with a wildcard": tokens("%", "*"),
            "guest with bytes": tokens(b"\xff\xfe", b"\x80" * 43),
            "guest with a secret of zeros": tokens("A" * 43, "A" * 43),
            "guest with two secrets": [*tokens(cart, order), *tokens("A" * 43, "")],
            "guest with cookies": [("cookie", f"cart={self.victim.cart.id}.; orders={self.victim.order.id}.")],
            "from a trusted network": [
                ("x-forwarded-for", "127.0.0.1"),
                ("x-real-ip", "10.0.0.1"),
                ("forwarded", "for=127.0.0.1;host=localhost;proto=https"),
                ("x-forwarded-host", "localhost"),
                ("x-forwarded-user", "admin"),
                ("x-remote-user", "admin"),
                ("x-sampan-actor", '{"kind":"system"}'),
                ("x-permissions", "orders.read"),
                ("x-original-url", "/health/live"),
                ("x-rewrite-url", "/health/live"),
                ("x-http-method-override", "GET"),
            ],
        }
        for name, value in {
            "service": "Service eyJjYWxsZXIiOiJvcmRlcnMifQ.c2lnbmF0dXJl",
            "service without a note": "Service ",
            "key of zeros": f"Bearer sampan_{'A' * 43}",
            "empty key": "Bearer ",
            "null key": "Bearer null",
            "Basic": "Basic YWRtaW46YWRtaW4=",
            "unsigned token": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        }.items():
            self.headers[name] = [("authorization", value), *tokens(cart, order)]
            self.unknown.add(name)
        for name, sql in {
            "withdrawn": "UPDATE auth.api_key SET withdrawn_at = now(), withdrawn_by = 'test' WHERE name = $1",
            "expired": "UPDATE auth.api_key SET expires_at = now() - interval '1 second' WHERE name = $1",
        }.items():
            key = await world.shop.live["auth"].create_key(name=name, permissions=sorted(PERMISSIONS))
            async with world.shop.databases["auth"].begin() as tx:
                assert await tx.execute(sql, name) == 1
            self.headers[name] = [("authorization", f"Bearer {key}")]
            self.unknown.add(name)
        for permission in sorted(PERMISSIONS):
            held = await world.key(permission)
            self.headers[permission] = [*held.items()]
            self.permission[permission] = permission
        for headers in self.headers.values():  # keys are asked about once in a while, and not between two requests
            await world.wire.send("GET", "/api/v1/admin/orders", headers)

    async def ask(self, who: str, example: Example) -> Any:
        """Send it as somebody else; what they may not know is taken out first."""
        example = example.copy(headers={"idempotency-key": uuid4().hex} if "idempotency-key" in example.headers else {})
        payload = example.payload()
        headers: Headers = [*self.headers[who], *example.headers.items()]
        if payload:
            headers.append(("content-type", example.media))
        return await self.world.wire.send(example.method, example.target(), headers, payload)
