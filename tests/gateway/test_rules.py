import pytest

from sampan.kernel.http import BadRequest, Routes, page, public
from sampan.run import declared
from sampan.services.gateway.rules import (
    NOT_FORWARDED,
    NOT_RETURNED,
    Owner,
    check_path,
    is_repeatable,
    owners_for,
    unknown_pages_for,
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_may_be_sent_a_second_time(method):
    assert is_repeatable(method)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "", "get"])
def test_a_write_is_never_sent_a_second_time(method):
    assert not is_repeatable(method)


def test_what_only_we_may_say_of_a_client_is_not_taken_from_the_client():
    for name in (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded", b"x-real-ip"):
        assert name in NOT_FORWARDED
    assert {b"x-request-id", b"x-deadline", b"host", b"content-length", b"transfer-encoding"} <= NOT_FORWARDED
    assert {b"server", b"connection", b"transfer-encoding"} <= NOT_RETURNED
    assert not {b"content-type", b"location", b"etag", b"set-cookie", b"cache-control"} & NOT_RETURNED


def test_every_address_has_exactly_one_owner():
    everything = declared(sandbox=True)
    table = [(name, route) for name, service in everything.items() for r in service.routes for route in r]
    owners = owners_for(table)
    for name, route in table:
        found = owners.find(route.path.replace("{", "").replace("}", "").replace("...", ""))
        assert found is not None
        assert found[0].service == name, route.name


async def nothing() -> None: ...


def test_an_address_takes_the_largest_body_of_its_methods_and_an_unknown_page_the_smallest_of_the_storefront():
    routes = Routes(prefix="")
    for method, path, limit in ((routes.get, "/a/{x}", 10), (routes.put, "/a/{y}", 30), (routes.patch, "/a/{x}", 20)):
        method(path, policy=public, body_limit=limit)(nothing)
    pages = Routes(prefix="")
    for path, limit in (("/", 500), ("/cart", 400)):
        pages.get(path, policy=page, body_limit=limit)(nothing)
    table = [("boats", route) for route in routes]
    assert unknown_pages_for(table) is None
    table += [("storefront", route) for route in pages]
    owners = owners_for(table)
    assert owners.find("/a/1") == (Owner("boats", 30), ["1"])
    assert unknown_pages_for(table) == Owner("storefront", 400)


ELSEWHERE = [b"/..", b"/a/../b", b"/a/./b", b"/a/.", b"/a/%2E%2e/b", b"/a/.%2e", b"/%2e", b"", b"a", b"*"]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_an_address_that_leads_elsewhere_is_not_handed_on(path):
    with pytest.raises(BadRequest):
        check_path(path)


@pytest.mark.parametrize("path", [b"/", b"/a//b/", b"/a/...", b"/.well-known/x", b"/a.b/c..d", b"/a/%252e%252e/b"])
def test_any_other_address_is(path):
    check_path(path)
