"""The OpenAPI document is true: it names all that is built, and no input makes the shop answer anything else.

Generated requests go to a shop that really runs, as anonymous, as a guest with a cart and an order, and as staff.
Each operation gets good and as many bad requests from everybody, and from whoever may use it many more of the boundary
values of its document. Then requests follow each other along the links of the document, from a cart to an order.
`SAMPAN_SEED` makes other ones, `SAMPAN_TORTURE` (a factor) more.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31
from tests.journeys.conftest import Afloat, Merchant, Shopper
from tests.world import DOCUMENT, OPERATIONS, ROUTES, SEED, TORTURE, address, contact

import sampan
from sampan.services.auth.rules import PERMISSIONS

EXAMPLES = max(1, round(10 * TORTURE))

# What the public interface promises, as far as it is built.
PROMISED = """
GET /products
GET /products/{key}
GET /categories
GET /categories/{slug}
GET /search
GET /search/suggest
POST /carts
GET /carts/{cart_id}
POST /carts/{cart_id}/lines
PATCH /carts/{cart_id}/lines/{line_id}
DELETE /carts/{cart_id}/lines/{line_id}
PUT /carts/{cart_id}/contact
PUT /carts/{cart_id}/shipping-address
GET /carts/{cart_id}/shipping-options
PUT /carts/{cart_id}/shipping-option
GET /carts/{cart_id}/payment-methods
POST /carts/{cart_id}/checkout
GET /orders/{order_id}
POST /orders/{order_id}/cancel
POST /orders/{order_id}/payments
POST /orders/lookup
GET /locations/vn/provinces
GET /locations/vn/provinces/{code}/wards
GET /locations/vn/search
POST /locations/vn/convert
POST /locations/vn/parse
GET /payments/vnpay/ipn
GET /payments/vnpay/return
GET /admin/orders
GET /admin/orders/{order_id}
POST /admin/orders/{order_id}/confirm
POST /admin/orders/{order_id}/cancel
POST /admin/orders/{order_id}/notes
POST /admin/orders/{order_id}/refunds
GET /admin/fulfillments
POST /admin/fulfillments/{work_order_id}/pick
POST /admin/fulfillments/{work_order_id}/pack
POST /admin/fulfillments/{work_order_id}/ship
POST /admin/fulfillments/{work_order_id}/deliver
POST /admin/fulfillments/{work_order_id}/fail
GET /admin/products
POST /admin/products
GET /admin/products/{product_id}
PATCH /admin/products/{product_id}
POST /admin/products/import
GET /admin/products/imports/{import_id}
GET /admin/products/export
GET /admin/stock
POST /admin/stock/adjustments
GET /admin/warehouses
GET /admin/prices
POST /admin/prices
GET /admin/price-lists
POST /admin/price-lists
"""
KEYS_REQUIRED = {
    "POST /carts/{cart_id}/checkout",
    "POST /orders/{order_id}/payments",
    "POST /admin/orders/{order_id}/refunds",
    "POST /admin/stock/adjustments",
}

SERVICES = sorted({operation["tags"][0] for operation in OPERATIONS.values()})


# --- the document -------------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1():
    assert list(jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(DOCUMENT)) == []
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_every_schema_of_the_document_is_one_that_validators_take():
    for name in DOCUMENT["components"]["schemas"]:
        jsonschema_rs.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}, validate_formats=True
        )


def test_every_reference_of_the_document_leads_somewhere_and_no_name_tells_of_our_modules():
    schemas = DOCUMENT["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)))
    assert references == schemas.keys()
    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z0-9_]+", name)] == []
    assert schemas["Problem"]["properties"].keys() >= {"type", "title", "status", "code", "detail", "request_id"}


def test_what_is_promised_is_in_the_document():
    promised = {line.replace(" /", " /api/v1/", 1) for line in PROMISED.split("\n") if line}
    assert promised - OPERATIONS.keys() == set()


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does():
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert [name for name, operation in OPERATIONS.items() if not operation["summary"]] == []


def test_a_key_is_required_where_money_or_stock_moves():
    for name in KEYS_REQUIRED:
        parameters = OPERATIONS[name.replace(" /", " /api/v1/", 1)]["parameters"]
        [key] = [parameter for parameter in parameters if parameter["name"] == "Idempotency-Key"]
        assert key["required"], name


def test_a_body_says_how_large_it_may_be():
    for route in ROUTES:
        operation = OPERATIONS.get(route.name)
        if operation and "requestBody" in operation:
            assert operation["requestBody"]["description"] == f"at most {route.body_limit} bytes"
    assert OPERATIONS["POST /api/v1/admin/products/import"]["requestBody"]["description"] == "at most 10485760 bytes"


def test_patterns_mean_the_same_to_us_and_to_clients():
    """Python's `$` lets a line feed pass at the end, so the code writes `\\Z` and the document `$`."""
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(DOCUMENT))
    assert patterns
    assert [pattern for pattern in patterns if "Z" in pattern and r"\\Z" in pattern] == []
    sources = sorted(Path(sampan.__file__).parent.rglob("*.py"))
    lax = [f"{path}: {found}" for path in sources for found in re.findall(r'pattern=r?"[^"]*\$"', path.read_text())]
    assert lax == []


def test_the_command_prints_the_document(tmp_path):
    printed = subprocess.run(
        [sys.executable, "-m", "sampan.commands", "openapi"],
        env={**os.environ, "SAMPAN_HOME": str(tmp_path), "SAMPAN_PUBLIC_URL": "http://shop.test"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(printed.stdout) == DOCUMENT


async def test_the_shop_serves_the_document(shop):
    served = (await shop.http.get("/openapi.json")).json()
    assert {**served, "servers": []} == {**DOCUMENT, "servers": []}


# --- requests as the document allows and forbids them -------------------------------------------------------------


def bad_data_refused(ctx: Any, response: Any, case: Case) -> bool | None:
    """An address that is too long is refused before anything in it is read."""
    return None if response.status_code == 414 else negative_data_rejection(ctx, response, case)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    bad_data_refused,
    unsupported_method,
]
WALK_CHECKS = [check for check in CHECKS if check not in (bad_data_refused, unsupported_method)]
SECRETS = ("authorization", "x-cart-token", "x-order-token")
LET_THROUGH = ("unexpected failure", "the database refused a value", "a constraint held what a rule")


class Sea:
    """A running shop with something in it, and what each kind of visitor knows of it."""

    def __init__(self, shop: Afloat) -> None:
        self.shop = shop
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["connection"] = "close"  # so that no request meets an idle connection's end
        self.headers: dict[str, dict[str, str]] = {"anonymous": {}, "guest": {}, "staff": {}}
        self.ids: dict[str, str] = {}
        self.stranger: dict[str, Any] = {}
        self.option = ""  # a way to deliver
        self.schema = schemathesis.openapi.from_dict(deepcopy(DOCUMENT))  # it adds links of its own
        self.schema.config.generation.with_security_parameters = False
        self.read = 0

    async def stock(self) -> None:
        made = self.shop.command("key", "create", "fuzz", "--permissions", "all")
        assert made.returncode == 0, made.stderr
        async with httpx.AsyncClient(base_url=self.shop.url, timeout=20, trust_env=False) as http:
            merchant = Merchant(http, made.stdout.strip())
            product = await merchant.product(stock=1000)
            buyer, shopper = Shopper(http), Shopper(http)
            await buyer.fill(product)
            await buyer.checkout("cod")
            await shopper.fill(product)
            self.stranger = await Shopper(http).call("POST", "/carts", {}, status=201)
            work = await merchant.work_order(buyer.order["id"])
            self.headers["guest"] = {
                "x-cart-token": shopper.headers["x-cart-token"],
                "x-order-token": buyer.headers["x-order-token"],
            }
            self.headers["staff"] = merchant.headers
            self.option = shopper.cart["shipping_option"]["id"]
            self.ids = {
                "cart_id": shopper.cart["id"],
                "line_id": shopper.cart["lines"][0]["id"],
                "order_id": buyer.order["id"],
                "product_id": product["id"],
                "key": product["slug"],
                "variant_id": product["variant_id"],
                "warehouse_id": (await merchant.warehouses())[0]["id"],
                "work_order_id": work["id"],
                "product_type": "things",
                "market": "VN",
                "currency": "VND",
                "province_code": "79",
                "ward_code": "26743",
            }

    def log(self) -> str:
        """What the shop wrote since the last look."""
        with open(self.shop.home / "log", "rb") as log:
            log.seek(self.read)
            found = log.read()
        self.read += len(found)
        return found.decode(errors="replace")

    def send(self, case: Case, who: str, chance: random.Random) -> str | None:
        """Sends one request; what is wrong with the answer, if anything."""
        self.aim(case, chance)
        for name in SECRETS:
            case.headers.pop(name, None)
        case.headers.update(self.headers[who])
        answer = case.call(base_url=self.shop.url, session=self.session, timeout=30, allow_redirects=False)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            names = ", ".join(sorted({type(failure).__name__ for failure in failures.exceptions}))
            return f"{case.operation.label} as {who}: {answer.status_code} {names}\n{failures}"[:3000]
        return None

    def aim(self, case: Case, chance: random.Random, linked: Any = None) -> None:
        """Most requests are about things that exist. What is `linked` stays."""
        meta = case.meta
        assert meta is not None
        for location, place in ((ParameterLocation.PATH, case.path_parameters), (ParameterLocation.BODY, case.body)):
            component = meta.components.get(location)
            if component is not None and component.mode == GenerationMode.POSITIVE and not (linked and place is linked):
                self.put_known(place, chance)

    def put_known(self, place: Any, chance: random.Random) -> None:
        if isinstance(place, list):
            for part in place:
                self.put_known(part, chance)
        elif isinstance(place, dict):
            for name in sorted(place):
                if name in self.ids and isinstance(place[name], str):
                    place[name] = self.ids[name] if chance.random() < 0.7 else place[name]
                else:
                    self.put_known(place[name], chance)

    def findings(self, operation: APIOperation, who: str) -> list[str]:
        """Sends everything for one operation; the first finding of each kind."""
        found: dict[str, str] = {}
        start = zlib.crc32(f"{SEED} {who} {operation.label}".encode())
        chance = random.Random(start)

        def check(case: Case) -> None:
            if (wrong := self.send(case, who, chance)) is not None:
                found.setdefault(wrong.partition("\n")[0], wrong)

        if who == whose(OPERATIONS[operation.label]):
            cases = list(
                self.schema.iter_coverage_cases(
                    operation, generation_modes=list(GenerationMode), generation_config=self.schema.config.generation
                )
            )
            for case in chance.sample(cases, min(len(cases), 20 * EXAMPLES)):
                check(case)
        for mode in GenerationMode:
            quiet = settings(
                max_examples=EXAMPLES,
                phases=[Phase.generate],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            with contextlib.suppress(Unsatisfiable):  # where there is no input, none is bad
                seed(start)(quiet(given(case=operation.as_strategy(generation_mode=mode))(check)))()
        for line in self.log().split("\n"):
            if any(words in line for words in LET_THROUGH):
                found.setdefault(re.sub(r"[0-9a-f-]{8,}", "", line)[:400], f"{operation.label} as {who}: {line[:3000]}")
        return list(found.values())


def whose(operation: dict[str, Any]) -> str:
    """Who gets furthest with an operation."""
    if "x-permission" in operation:
        return "staff"
    return "guest" if operation["security"] else "anonymous"


@pytest.fixture(scope="module")
def sea() -> Iterator[Sea]:
    shop = Afloat("together")
    shop.start()
    found = Sea(shop)
    asyncio.run(found.stock())
    found.log()
    yield found
    books = shop.command("invariants")
    shop.stop()
    shutil.rmtree(shop.home, ignore_errors=True)
    assert books.returncode == 0, books.stdout + books.stderr


def test_the_links_lead_from_a_cart_to_an_order(sea: Sea):
    """A walk along the links of the document: any that is open next, until an order was made, seen and reordered.

    It goes first: those who come after may take the goods off the shelf.
    """
    print(f"SAMPAN_SEED={SEED}")
    chance = random.Random(SEED)
    by_id = {operation["operationId"]: name for name, operation in OPERATIONS.items()}
    bodies = {
        "POST /api/v1/carts": {},
        "POST /api/v1/carts/{cart_id}/lines": {"variant_id": sea.ids["variant_id"], "quantity": 1},
        "PATCH /api/v1/carts/{cart_id}/lines/{line_id}": {"quantity": 2},
        "PUT /api/v1/carts/{cart_id}/contact": contact(),
        "PUT /api/v1/carts/{cart_id}/shipping-address": address(),
        "PUT /api/v1/carts/{cart_id}/shipping-option": {"id": sea.option},
        "POST /api/v1/orders/{order_id}/cancel": {"reason": "đổi ý"},
        "POST /api/v1/orders/{order_id}/payments": {"payment_method": "vnpay"},
    }
    tokens: dict[str, str] = {}
    totals: dict[str, Any] = {}
    doors: list[tuple[str, dict[str, str]]] = []  # each once; one that was opened stays open
    done: set[str] = set()

    def go(name: str, ids: dict[str, str]) -> None:
        method, _, path = name.partition(" ")
        body = bodies.get(name)
        if name.endswith("/checkout"):
            total = totals.get(ids["cart_id"], {"amount": 1, "currency": "VND"})
            body = {"payment_method": "cod", "expected_total": total}
        headers = {"idempotency-key": uuid4().hex}
        for kind in ("cart", "order"):
            if f"{kind}_id" in ids:
                headers[f"x-{kind}-token"] = tokens.get(ids[f"{kind}_id"], "")
        case = sea.schema[path][method].Case(
            path_parameters=ids, headers=headers, **({} if body is None else {"body": body})
        )
        if body is not None:
            case.media_type = "application/json"
        answer = case.call(base_url=sea.shop.url, session=sea.session, timeout=30, allow_redirects=False)
        case.validate_response(answer, checks=WALK_CHECKS)
        if answer.status_code >= 300:
            assert answer.status_code in (404, 409, 422), (name, answer.text)
            return
        done.add(name)
        said = answer.json()
        for thing in (said, said.get("order")):
            if isinstance(thing, dict) and thing.get("token"):
                tokens[thing["id"]] = thing["token"]
        if "coupons" in said:
            totals[said["id"]] = said["totals"]["total"]
        for link in OPERATIONS[name]["responses"][str(answer.status_code)].get("links", {}).values():
            found = {
                parameter: ids[source.rpartition(".")[2]] if source.startswith("$request") else at_pointer(said, source)
                for parameter, source in link["parameters"].items()
            }
            door = (by_id[link["operationId"]], found)
            if None not in found.values() and "/admin/" not in door[0] and door not in doors:
                doors.append(door)

    go("POST /api/v1/carts", {})
    goal = {
        "POST /api/v1/carts/{cart_id}/checkout",
        "GET /api/v1/orders/{order_id}",
        "POST /api/v1/orders/{order_id}/reorder",
    }
    for _ in range(2000):  # a hundred do, mostly
        wanted = [door for door in doors if door[0] in goal - done]  # or chance may pass them by for ever
        go(*chance.choice(wanted if wanted and chance.random() < 0.2 else doors))
        if goal <= done:
            break
    assert goal <= done, done


def at_pointer(value: Any, source: str) -> Any:
    """What `$response.body#/lines/0/id` says; None where it says nothing."""
    for step in source.partition("#/")[2].split("/"):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (IndexError, KeyError, TypeError):
            return None
    return value


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("who", ["anonymous", "guest", "staff"])
def test_no_input_gets_an_answer_that_is_not_in_the_document(sea: Sea, who: str, service: str):
    print(f"SAMPAN_SEED={SEED} SAMPAN_TORTURE={TORTURE}")
    found = []
    for result in sea.schema.get_all_operations():
        operation = result.ok()
        if service in (operation.tags or []):
            found += sea.findings(operation, who)
    assert not found, "\n\n".join(found)


# --- one request after another ------------------------------------------------------------------------------------


def test_what_is_made_leads_to_what_can_be_done_with_it():
    """The links of the document: from a new cart to its lines, its checkout, and the order."""
    links = {
        name: set(answer["links"])
        for name, operation in OPERATIONS.items()
        for answer in operation["responses"].values()
        if "links" in answer
    }
    ids = {name: operation["operationId"] for name, operation in OPERATIONS.items()}
    way = (
        "POST /carts",
        "POST /carts/{cart_id}/lines",
        "PUT /carts/{cart_id}/shipping-option",
        "POST /carts/{cart_id}/checkout",
        "POST /orders/{order_id}/reorder",
        "GET /carts/{cart_id}",
    )
    names = [name.replace(" /", " /api/v1/", 1) for name in way]
    for here, there in pairwise(names):
        assert ids[there] in links[here], (here, there)


def test_requests_that_follow_each_other_get_documented_answers(sea: Sea):
    """The stateful phase of schemathesis over everything: each step takes ids from an answer before."""
    print(f"SAMPAN_SEED={SEED} SAMPAN_TORTURE={TORTURE}")
    chance = random.Random(SEED)
    followed: set[str] = set()
    faults: list[str] = []

    class Voyage(sea.schema.as_state_machine()):  # type: ignore[misc]
        """A sequence of requests; who made a cart or an order holds its secret from then on."""

        def setup(self) -> None:
            self.tokens: dict[str, str] = {}

        def step(self, input: Any) -> Any:
            self.linked = input.is_applied
            return super().step(input)

        def before_call(self, case: Case) -> None:
            sea.aim(case, chance, linked=case.path_parameters if self.linked else {})
            for name in SECRETS:
                case.headers.pop(name, None)
            operation = OPERATIONS[case.operation.label]
            ids = case.path_parameters or {}
            for name, header in (("cart_id", "x-cart-token"), ("order_id", "x-order-token")):
                if name in ids:
                    case.headers[header] = self.tokens.get(str(ids[name]), sea.headers["guest"][header])
            if "x-permission" in operation:
                case.headers.update(sea.headers["staff"])

        def after_call(self, response: Any, case: Case) -> None:
            super().after_call(response, case)
            if self.linked and response.status_code < 300:
                followed.add(case.operation.label)
            if response.status_code >= 300 or "json" not in response.headers.get("content-type", ""):
                return
            said = response.json()
            for thing in (said, said.get("order")):
                if isinstance(thing, dict) and thing.get("token"):
                    self.tokens[thing["id"]] = thing["token"]

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": sea.shop.url, "session": sea.session, "timeout": 30, "allow_redirects": False}

        def validate_response(self, response: Any, case: Case, **more: Any) -> None:
            """Written down, for a failure would be tried again in a shop that is no longer the same."""
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failures:
                faults.append(f"{case.operation.label}: {response.status_code}\n{failures}"[:3000])

    for number in range(2 * EXAMPLES):
        # What may follow depends on answers, which Hypothesis takes for an inconsistent test and ends it.
        with contextlib.suppress(FlakyStrategyDefinition):
            run_state_machine_as_test(
                seed(SEED + number)(Voyage),
                settings=settings(
                    max_examples=4,
                    stateful_step_count=20,
                    phases=[Phase.generate],
                    database=None,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    assert not faults, "\n\n".join(faults[:10])
    wrong = [line for line in sea.log().split("\n") if any(words in line for words in LET_THROUGH)]
    assert not wrong, "\n".join(wrong)
    print(f"by links: {sorted(followed)}")
    assert followed


ODD_SEGMENTS = (
    "%00",
    "%FF",
    "%ED%A0%80",
    "%0A",
    "%F0%9F%9B%B6",
    "a" * 3000,
    "%C2%A0",
    "null",
    "-1",
    "9" * 40,
    "%27%3B--",
)
ODD_VALUES = (
    *ODD_SEGMENTS,
    "",
    "%2B1",
    "1e9",
    "9223372036854775808",
    "a&{name}=b",
    "WyJhIl0",
    "W10",
    "W251bGxd",
    "WzFlOTld",
)
ODD_BODIES = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xef\xbb\xbf{}",
    b'{"a": "\\u0000"}',
    b'{"a": "\\ud800"}',
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": 9223372036854775808}',
    b'{"a": 1, "a": 2}',
    b"[" * 100_000,
    b'"' + b"a" * (1 << 20) + b'"',
)
ODD_TYPES = (
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
)


@pytest.mark.parametrize("service", SERVICES)
def test_odd_bytes_are_refused_as_documented(sea: Sea, service: str):
    found = []
    for name, operation in OPERATIONS.items():
        if operation["tags"] != [service]:
            continue
        method, _, template = name.partition(" ")
        headers = {**sea.headers[whose(operation)], "content-type": "application/json"}
        known = re.sub(r"{(\w+)}", lambda part: sea.ids.get(part[1], "x"), template)
        places = re.findall(r"{(\w+)}", template)
        asked: list[tuple[str, bytes, dict[str, str]]] = []
        for place in places:
            for odd in ODD_SEGMENTS:
                path = template.replace(f"{{{place}}}", odd)
                asked.append((re.sub(r"{(\w+)}", lambda part: sea.ids.get(part[1], "x"), path), b"{}", headers))
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                query = parameter["name"] + (".x" if parameter.get("style") else "")
                asked += [(f"{known}?{query}={odd.replace('{name}', query)}", b"", headers) for odd in ODD_VALUES]
        if "requestBody" in operation:
            asked += [(known, body, headers) for body in ODD_BODIES]
            asked += [(known, b"{}", {**headers, "content-type": kind}) for kind in ODD_TYPES]
        for path, body, sent in asked:
            key = {"idempotency-key": uuid4().hex} if method in ("POST", "PATCH") else {}
            answer = sea.session.request(
                method, sea.shop.url + path, data=body, headers={**sent, **key}, timeout=30, allow_redirects=False
            )
            if str(answer.status_code) not in operation["responses"] or answer.status_code >= 500:
                found.append(f"{method} {path[:300]} {body[:60]!r} {sent.get('content-type')}: {answer.status_code}")
        found += [f"{name}: {line[:2000]}" for line in sea.log().split("\n") if any(w in line for w in LET_THROUGH)]
    assert not found, "\n".join(found[:50])


# --- who may do what ----------------------------------------------------------------------------------------------

GUARDED = [route for route in ROUTES if route.policy.permission]
HELD = [route for route in ROUTES if route.policy.token_header and route.in_documents]
BODIES: dict[str, dict[str, Any]] = {
    "POST /carts/{cart_id}/lines": {"variant_id": str(uuid4()), "quantity": 1},
    "PATCH /carts/{cart_id}/lines/{line_id}": {"quantity": 7},
    "PUT /carts/{cart_id}/contact": {"name": "Kẻ Lạ", "phone": "0987654321"},
    "PUT /carts/{cart_id}/shipping-address": {
        "name": "Kẻ Lạ",
        "phone": "0987654321",
        "province_code": "79",
        "ward_code": "26743",
        "street": "1 Xa",
    },
    "PUT /carts/{cart_id}/shipping-option": {"id": "anything"},
    "POST /carts/{cart_id}/coupons": {"code": "ANY"},
    "POST /carts/{cart_id}/checkout": {"payment_method": "cod", "expected_total": {"amount": 1, "currency": "VND"}},
    "POST /orders/{order_id}/cancel": {"reason": ""},
    "POST /orders/{order_id}/payments": {"payment_method": "cod"},
}


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_staff_operations_are_for_those_who_hold_their_permission(shop, route):
    path = re.sub(r"{\w+}", lambda _: str(uuid4()), route.path)
    others = sorted(PERMISSIONS - {route.policy.permission})
    for headers, status in (
        ({}, 401),
        ({"authorization": "Bearer sk_nobody"}, 401),
        ({"authorization": "Basic YTpi"}, 401),
        ({"x-cart-token": "a" * 43, "x-order-token": "a" * 43}, 401),
        (await shop.staff(*others), 403),
    ):
        answer = await shop.http.request(route.method, path, headers=headers)
        assert answer.status_code == status, (headers, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().keys() == {"type", "title", "status", "code", "detail", "request_id"}


@pytest.mark.parametrize("route", HELD, ids=lambda route: route.name)
def test_carts_and_orders_of_others_are_as_if_they_were_not_there(sea: Sea, route: Any):
    own = sea.headers["guest"]
    stranger = {"x-cart-token": sea.stranger["token"], "x-order-token": sea.stranger["token"]}
    body = BODIES.get(route.name.replace(" /api/v1", " ", 1))
    if route.method in ("POST", "PUT", "PATCH") and not body:
        assert "data" not in route.function.__annotations__, "name a body that would be taken"
    swapped = {"x-cart-token": own["x-order-token"], "x-order-token": own["x-cart-token"]}

    def ask(headers: dict[str, Any], ids: dict[str, str]) -> requests.Response:
        path = re.sub(r"{(\w+)}", lambda name: ids[name[1]], route.path)
        headers = {**headers, "idempotency-key": uuid4().hex}
        return sea.session.request(route.method, sea.shop.url + path, json=body, headers=headers, timeout=20)

    def said(answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 404, (route.name, answer.status_code, answer.text)
        return {name: value for name, value in answer.json().items() if name != "request_id"}

    nothing = said(ask(own, {name: str(uuid4()) for name in sea.ids}))
    nearly = {name: value[:-1] for name, value in own.items()}
    for headers in ({}, stranger, swapped, nearly, dict.fromkeys(own, b"\xff\xfe"), dict.fromkeys(own, "")):
        assert said(ask(headers, sea.ids)) == nothing, headers
    if "line_id" in route.path:
        answer = ask({"x-cart-token": sea.stranger["token"]}, {**sea.ids, "cart_id": sea.stranger["id"]})
        assert answer.status_code == (200 if route.method == "DELETE" else 404)  # what is not there is out already
        assert sea.ids["line_id"] not in answer.text
