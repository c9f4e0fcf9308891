"""Security headers on every class of answer: pages, data, files, redirects, errors, streams."""

import gzip
import re
from typing import Any

import pytest
from tests.hostile.judge import Books
from tests.world import OPERATIONS, ROUTES, Reply, Wire, World

from sampan.kernel.http import accepts_gzip

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
FROM_US = {"'self'", "'none'"}
CACHED = {route.name for route in ROUTES if route.cached is not None}
PAGES = sorted({route.path for route in ROUTES if route.method == "GET" and not route.in_documents})
HTML = [("accept", "text/html,*/*")]
ODD = [  # method, target, headers, body
    ("GET", "/nothing-here", HTML, b""),
    ("GET", "/api/v1/nothing-here", [], b""),
    ("GET", "/static/nothing.css", [], b""),
    ("GET", "/files/media/aa/nothing.webp", [], b""),
    ("GET", "/files/..%2f..%2fetc%2fpasswd", [], b""),
    ("OPTIONS", "/api/v1/carts", [("origin", "https://evil.example")], b""),
    ("DELETE", "/api/v1/carts", [], b""),
    ("POST", "/api/v1/carts", [("content-type", "text/plain")], b"{}"),
    ("POST", "/api/v1/carts", [("content-type", "application/json")], b"{"),
    ("POST", "/cart/lines", [("content-type", "application/x-www-form-urlencoded")], b"a=b"),
    ("GET", "/api/v1/admin/orders", [], b""),
    ("GET", "/?" + "a" * 9000, [], b""),
    ("GET", "/", [("x-long", "a" * 20_000)], b""),
    ("GET", "/%00", [], b""),
    ("HEAD", "/", [], b""),
    ("GET", "/internal/orders/find_order", [], b""),
    ("POST", "/internal/orders/find_order", [("authorization", "Service x.y")], b"\x80"),
    ("POST", "/csp-report", [], b'{"csp-report":{}}'),
]


def check(reply: Reply, where: str, *, secure: bool) -> None:
    for name, value in ALWAYS.items():
        assert reply.header(name) == value, (where, name, reply.header(name))
    for name in ("x-request-id", "cache-control"):
        assert reply.header(name), (where, name)
    forever = "max-age=31536000; includeSubDomains"
    assert reply.header("strict-transport-security") == (forever if secure else ""), where
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & {name for name, _ in reply.headers}, where
    check_policy(reply, where)
    names = [name for name, _ in reply.headers if name not in ("set-cookie", "vary")]
    assert len(names) == len(set(names)), (where, sorted(names))


def check_policy(reply: Reply, where: str) -> None:
    """Nothing comes from elsewhere and nothing goes there, no page is put into another, and browsers tell of it."""
    directives = [part.split() for part in reply.header("content-security-policy").split(";")]
    policy = {name: set(sources) for name, *sources in directives}
    assert len(policy) == len(directives), where
    assert policy["default-src"] in ({"'self'"}, {"'none'"}), where
    if "sandbox" in policy:  # nothing at all runs there
        assert "allow-scripts" not in policy["sandbox"], where
        return
    assert reply.header("x-frame-options") == "DENY", where
    assert policy.pop("frame-ancestors") == {"'none'"}, where
    assert policy.pop("report-uri", {"none"}) == ({"/csp-report"} if "'self'" in policy["default-src"] else {"none"}), (
        where
    )
    assert policy.pop("object-src", policy["default-src"]) == {"'none'"}, where
    assert {"base-uri", "form-action"} <= policy.keys(), where
    assert policy.pop("img-src", set()) <= {*FROM_US, "data:"}, where
    for name, sources in policy.items():
        assert sources <= FROM_US or all(source.startswith("'sha256-") for source in sources), (where, name, sources)


@pytest.mark.parametrize("path", PAGES)
async def test_on_pages_and_files(world: World, public: Any, path: str) -> None:
    known = {
        "slug": "do-dac" if "/c/" in path else world.goods["slug"],
        "order_id": world.goods["product"],
        "message_id": world.goods["product"],
        "key...": world.picture.removeprefix("/files/"),
        "name...": world.shop.live["storefront"].pages.assets.url("sampan.css").removeprefix("/static/"),
    }
    target = re.sub(r"{([\w.]+)}", lambda found: known[found[1]], path)
    for wire, secure in ((world.wire, False), (public(), True)):
        for method in ("GET", "HEAD"):
            reply = await wire.send(method, target, [("accept", "text/html"), ("accept-encoding", "gzip")])
            assert reply.status < 500, reply.text
            check(reply, f"{method} {target} {reply.status}", secure=secure)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_on_data_and_its_refusals(world: World, public: Any, name: str) -> None:
    example = await world.known(name)
    wire: Wire = public()
    for headers in ({}, {"authorization": "Bearer sampan_nobody"}, example.headers):
        sent = [*headers.items(), ("content-type", example.media)]
        reply = await wire.send(example.method, example.target(), sent, example.payload())
        assert reply.status < 500, reply.text
        check(reply, f"{name} {reply.status}", secure=True)
        assert "set-cookie" not in dict(reply.headers), name
        if name not in CACHED or reply.status >= 400:
            assert reply.header("cache-control") == "no-store", (name, reply.header("cache-control"))


@pytest.mark.parametrize("case", ODD, ids=[f"{case[0]} {case[1][:40]} {number}" for number, case in enumerate(ODD)])
async def test_on_errors(world: World, public: Any, case: Any) -> None:
    method, target, headers, body = case
    for wire, secure in ((world.wire, False), (public(), True)):
        reply = await wire.send(method, target, headers, body)
        assert reply.status < 500, reply.text
        check(reply, f"{method} {target[:60]} {reply.status}", secure=secure)


async def test_no_site_but_ours_may_read_answers(world: World) -> None:
    for target in ("/", "/api/v1/categories", "/openapi.json", "/api/v1/carts", world.picture):
        for origin in ("https://evil.example", "null", "http://shop.test.evil.example", "http://shop.test"):
            asked = [("origin", origin), ("access-control-request-method", "POST")]
            asked.append(("access-control-request-headers", "x-cart-token,authorization"))
            for method in ("OPTIONS", "GET"):
                reply = await world.wire.send(method, target, asked)
                assert not [name for name, _ in reply.headers if name.startswith("access-control-")], (target, origin)


@pytest.mark.parametrize(
    "target", ["/", "/p/{slug}", "/cart", "/api/v1/locations/vn/provinces", "/openapi.json", "/sitemap.xml"]
)
async def test_what_is_sent_packed_is_what_others_get_as_it_is(world: World, target: str) -> None:
    """A page kept and one made for the visitor, an answer kept and one that is not, whatever was kept before them."""
    target = target.format(slug=world.goods["slug"])
    cookie = ("cookie", f"csrf={'x' * 32}")  # else each visitor's page has a token of its own
    for _ in range(2):
        packed = await world.wire.send("GET", target, [("accept-encoding", "gzip"), cookie])
        plain = await world.wire.send("GET", target, [cookie])
        assert packed.status == plain.status == 200
        assert packed.header("content-encoding") == "gzip"
        assert plain.header("content-encoding") == ""
        assert len(packed.body) < len(plain.body)
        assert gzip.decompress(packed.body) == plain.body


async def test_reading_changes_nothing(world: World) -> None:
    """GET and HEAD of everything, with the secrets that open it."""
    made = [await world.known(name) for name in OPERATIONS if name.startswith("GET") and "/ipn" not in name]
    async with Books.of(world) as books:
        for example in made:
            for method in ("GET", "HEAD"):
                reply = await world.ask(example.copy(method=method))
                assert reply.status < 400
                assert method == "GET" or reply.body == b""
        for path in PAGES:
            if "{" not in path:
                for method in ("GET", "HEAD"):
                    await world.wire.send(method, path + "?_method=DELETE&undo=1&placed=1", HTML)
        assert not await books.written()
        assert await books.changed() == []


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        (b"gzip", True),
        (b"br, GZIP ;q=0.5", True),
        (b"deflate, x-gzip", True),
        (b"gzip;q=0", False),
        (b"br, gzip; q=0.000", False),
        (b"identity", False),
        (b"not-gzip", False),
        (b"", False),
    ],
)
def test_gzip_is_sent_to_those_who_name_it_and_not_at_a_weight_of_zero(accepted, wanted):
    """RFC 9110, 12.5.3."""
    assert accepts_gzip({"headers": [(b"accept-encoding", accepted)]}) is wanted
