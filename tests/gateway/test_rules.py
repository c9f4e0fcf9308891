import pytest

from sampan.run import declared
from sampan.services.gateway.rules import NOT_FORWARDED, NOT_RETURNED, is_repeatable, owners_for


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
        assert found[0] == name, route.name
