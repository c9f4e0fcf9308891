"""Each hostile value in each field of each operation: refused as documented or taken as it is, and never an error.

A refused request leaves every row as it was. `SAMPAN_SEED` chooses among the values, `SAMPAN_TORTURE` takes all.
"""

import random
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from tests.hostile.corpus import IN_BODY, IN_HEADER, Bad, in_address
from tests.hostile.judge import Books, body_schema, fits, wrong_with
from tests.world import DOCUMENT, OPERATIONS, SEED, TORTURE, Example, Reply, World

MOST_SECONDS = 1.5
OTHERS = 3  # of the values that are not sharp, for a field
LOOKS = 5  # into all tables, for an operation
HOLE = "0d2f8c51-a-hole-in-the-body"
Place = tuple[str | int, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def books(world: World) -> AsyncIterator[Books]:
    async with Books.of(world) as found:
        yield found


# --- where values go ----------------------------------------------------------------------------------------------


def resolved(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """The schema itself, of several the one that is about objects or lists."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value)
    options = [resolved(option, value) for option in schema.get("anyOf", [])]
    wanted = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""
    return next((option for option in options if option.get("type") == wanted), options[0] if options else schema)


def places(schema: dict[str, Any], value: Any, here: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every field that a body can have, at each depth, with its schema. The example has to show what is nested."""
    schema = resolved(schema, value)
    if schema.get("type") == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        for name, inner in known.items():
            yield (*here, name), inner
            if name in value:
                yield from places(inner, value[name], (*here, name))
            else:
                assert not known.get(name, {}).get("$ref"), f"the example lacks {(*here, name)}"
        if isinstance(more := schema.get("additionalProperties"), dict):
            for name in list(value)[:1]:
                yield (*here, name), more
                yield from places(more, value[name], (*here, name))
    elif schema.get("type") == "array" and isinstance(value, list) and value:
        yield (*here, 0), schema["items"]
        yield from places(schema["items"], value[0], (*here, 0))


def objects(value: Any, here: Place = ()) -> Iterator[Place]:
    if isinstance(value, dict):
        yield here
        for name, inner in value.items():
            yield from objects(inner, (*here, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value[:1]):
            yield from objects(inner, (*here, place))


def at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def clone(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def with_hole(body: Any, place: Place, raw: bytes) -> bytes:
    """The body with the bytes of a value at a place."""
    if not place:
        return raw
    made = clone(body)
    at(made, place[:-1])[place[-1]] = HOLE
    return msgspec.json.encode(made).replace(f'"{HOLE}"'.encode(), raw)


# --- one request ----------------------------------------------------------------------------------------------------


class Sender:
    """Sends variations of an example and writes down what is wrong with the answers."""

    def __init__(self, world: World, books: Books, example: Example) -> None:
        self.world = world
        self.books = books
        self.example = example
        self.operation = OPERATIONS[example.name]
        self.faults: list[str] = []
        self.sent = self.looked = 0

    async def send(
        self,
        what: str,
        *,
        target: bytes = b"",
        headers: dict[str, str | bytes] | None = None,
        body: bytes | None = None,
        status: int = 0,
    ) -> Reply:
        example = self.example
        values: dict[str, str | bytes] = {**example.headers, **(headers or {})}
        if "idempotency-key" in example.headers and "idempotency-key" not in (headers or {}):
            values["idempotency-key"] = uuid4().hex
        payload = example.payload() if body is None else body
        if payload or body is not None:
            values.setdefault("content-type", example.media)
        goal = target or example.target().encode()

        async def once() -> Reply:
            return await self.world.wire.send(example.method, goal, list(values.items()), payload)

        started = time.perf_counter()
        reply = await once()
        took = time.perf_counter() - started
        self.sent += 1
        wrong = wrong_with(example.name, reply)
        if not wrong and status and reply.status != status:
            wrong = f"{reply.status} instead of {status}: {reply.text[:300]}"
        if not wrong and took > MOST_SECONDS:
            started = time.perf_counter()  # a busy machine is slow once
            await once()
            if time.perf_counter() - started > MOST_SECONDS:
                wrong = f"took {took:.2f} s"
        # Who was refused after writing has to have taken it back: that is looked at in a second try.
        wrote = await self.books.written()
        if wrote and reply.status >= 400 and (TORTURE or self.looked < LOOKS):
            self.looked += 1
            await self.books.open_page()
            again = await once()
            if again.status >= 400 and (changed := await self.books.changed()):
                wrong = wrong or f"{again.status}, and yet it changed {changed}"
        for name, value in reply.headers:
            if any(character in value for character in "\r\n\0") or name == "set-cookie":
                wrong = wrong or f"a header of the answer: {name}: {value[:100]}"
        if wrong:
            self.faults.append(f"{what}: {wrong}")
        return reply


def chosen(values: list[Any], key: str, sharp: Any, *, free: bool = True) -> list[Any]:
    """The sharp ones and some others; others for each field and each seed. `free`: the field takes any text."""
    chance = random.Random(zlib.crc32(f"{SEED} {key}".encode()))
    if TORTURE:
        return values
    if not free:
        return chance.sample(values, min(len(values), 2 * OTHERS))
    always = [value for value in values if sharp(value)]
    others = [value for value in values if not sharp(value)]
    return always + chance.sample(others, min(OTHERS, len(others)))


def is_free(schema: dict[str, Any]) -> bool:
    """Whether a field takes any text, rather than a number, a code, a choice, or nothing but objects."""
    options = [resolved(option, "") for option in schema.get("anyOf", [schema])]
    return any(
        not option or (option.get("type") == "string" and not option.keys() & {"pattern", "format", "enum"})
        for option in options
    )


SHARP = {bad.name for bad in IN_BODY if bad.sharp}
READER = [bad for bad in IN_BODY if bad.status]  # what the JSON reader refuses, wherever it stands
VALUES = [bad for bad in IN_BODY if not bad.status]


def is_sharp(named: tuple[str, bytes]) -> bool:
    return named[0] in SHARP or named[0].startswith("bytes")


async def try_address(sender: Sender) -> None:
    example = sender.example
    values = in_address()
    for name in example.path:
        before, after = example.template.split(f"{{{name}}}")
        for other, value in example.path.items():
            before, after = before.replace(f"{{{other}}}", value), after.replace(f"{{{other}}}", value)
        [shape] = [p["schema"] for p in sender.operation["parameters"] if (p["in"], p["name"]) == ("path", name)]
        for what, raw in chosen(values, f"{example.name} {name}", is_sharp, free=is_free(shape)):
            if raw:
                query = example.target().partition("?")[2]
                target = before.encode() + raw + after.encode() + (f"?{query}".encode() if query else b"")
                if len(target) < 8192 and b"%2F" not in raw:  # a slash makes it another address
                    await sender.send(f"path {name}: {what}", target=target)
    path = example.copy(query=[]).target()
    for parameter in sender.operation["parameters"]:
        if parameter["in"] != "query":
            continue
        name = parameter["name"] + (".code" if parameter.get("style") == "form" else "")
        rest = "&".join(f"{key}={value}" for key, value in example.query if key.partition(".")[0] != parameter["name"])
        for what, raw in chosen(values, f"{example.name} {name}", is_sharp, free=is_free(parameter["schema"])):
            if len(path) + len(raw) + len(rest) < 8000:
                await sender.send(f"query {name}: {what}", target=f"{path}?{rest}&{name}=".encode() + raw)
        if not parameter.get("style"):
            twice = f"{path}?{name}=1&{name}=1".encode()
            status = 0 if example.name.endswith("/vnpay/ipn") else 400
            await sender.send(f"query {name} twice", target=twice, status=status)
            for odd in (name.upper(), f"{name}[]", f"{name}[$ne]", f"{name}%00"):
                reply = await sender.send(f"query {odd}", target=f"{path}?{odd}=1".encode())
                if reply.status < 400:
                    sender.faults.append(f"query {odd}: taken")
    if example.name.endswith(("/vnpay/ipn", "/vnpay/return")):
        return
    for what, query in (("unknown", b"no_such_parameter=1"), ("method", b"_method=DELETE")):
        reply = await sender.send(f"{what} parameter", target=path.encode() + b"?" + query)
        has_query = any(p["in"] == "query" for p in sender.operation["parameters"])
        if has_query and reply.status < 400:
            sender.faults.append(f"{what} parameter: taken")


async def try_headers(sender: Sender) -> None:
    example = sender.example
    names = {*example.headers, "accept-language", "idempotency-key", "cookie", "accept", "x-request-id", "origin"}
    for name in sorted(names):
        for what, raw in chosen(IN_HEADER, f"{example.name} {name}", is_sharp, free=False):
            await sender.send(f"header {name}: {what}", headers={name: raw})


async def try_body(sender: Sender) -> None:
    example = sender.example
    schema = body_schema(example.name)
    if schema is None:
        return
    body = example.body

    async def send(what: str, raw: bytes, status: int = 0) -> None:
        reply = await sender.send(what, body=raw, status=status)
        if status or reply.status >= 400:
            return
        value = msgspec.json.decode(raw)
        if not fits(schema, value):
            sender.faults.append(f"{what}: taken, and not what the document allows: {raw[:200]!r}")

    async def bad(place: Place, value: Bad) -> None:
        await send(
            f"{'.'.join(map(str, place)) or 'the body'}: {value.name}",
            with_hole(body, place, value.as_json()),
            value.status,
        )

    fields = list(places(schema, body))
    chance = random.Random(zlib.crc32(f"{SEED} {example.name}".encode()))
    for value in READER:
        for place, _ in fields if TORTURE else [((), {}), *chance.sample(fields, min(1, len(fields)))]:
            await bad(place, value)
    for place, shape in [((), {"type": "object"}), *fields]:
        for value in chosen(VALUES, f"{example.name} {place}", lambda value: value.sharp, free=is_free(shape)):
            await bad(place, value)
        if place:
            left = clone(body)
            parent = at(left, place[:-1])
            if isinstance(parent, dict) and place[-1] in parent:
                del parent[place[-1]]
                await send(f"{place} left out", msgspec.json.encode(left))
                parent[str(place[-1]).upper()] = at(body, place)
                await send(f"{place} in capitals", msgspec.json.encode(left))
        known = at(body, place) if place and exists(body, place) else None
        if isinstance(known, list) and known:
            for size in (101, 10_000):
                await send(f"{place} {size} times", with_hole(body, place, msgspec.json.encode(known[:1] * size)))
    for place in objects(body):
        inner = msgspec.json.encode(at(body, place))
        for extra in (b'"no_such_field":1', b'"__proto__":{}', b'"":""'):
            raw = inner[:-1] + (b"," if len(inner) > 2 else b"") + extra + b"}"
            await send(f"{place} with {extra.decode()}", with_hole(body, place, raw))
        if len(inner) > 2:
            first = next(iter(at(body, place)))
            twice = inner[:-1] + b"," + msgspec.json.encode(first) + b":1}"
            await send(f"{place}.{first} twice", with_hole(body, place, twice), 400)
    whole = msgspec.json.encode(body)
    await send("nothing", b" ", 400)
    await send("a byte order mark", b"\xef\xbb\xbf" + whole, 400)
    await send("something after it", whole + b"x", 400)
    await send("a second document", whole + whole, 400)
    await send("cut off", whole[:-1], 400)
    await send("UTF-16", whole.decode().encode("utf-16"), 400)
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "x"):
        await sender.send(f"as {media!r}", headers={"content-type": media}, body=whole, status=415)
    await sender.send(
        "in another charset", headers={"content-type": "application/json; charset=utf-16"}, body=whole, status=415
    )
    await sender.send("compressed", headers={"content-encoding": "gzip"}, body=whole, status=415)


def exists(value: Any, place: Place) -> bool:
    try:
        at(value, place)
    except (KeyError, IndexError, TypeError):
        return False
    return True


@pytest.mark.parametrize("name", OPERATIONS)
async def test_hostile_values_are_refused_or_harmless(world: World, books: Books, name: str):
    print(f"SAMPAN_SEED={SEED} SAMPAN_TORTURE={TORTURE}")
    sender = Sender(world, books, await world.example(name))
    await books.written()
    await try_address(sender)
    await try_headers(sender)
    await try_body(sender)
    print(f"{sender.sent} requests")
    assert not sender.faults, f"{len(sender.faults)} of {sender.sent}:\n" + "\n".join(sender.faults[:25])
