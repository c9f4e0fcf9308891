"""What an operator's scripts rely on: each failure at start has its own exit code and one line that names the cause."""

import asyncio
import json
import socket
import time

import asyncpg
import pytest
from tests.processes.conftest import House

from sampan.run import declared


@pytest.fixture
def empty(tmp_path):
    found = House(tmp_path / "home")
    yield found
    found.end_all()


def one_line(done) -> str:
    """The complaint: our own sentence, never a traceback."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("sampan: ")
    return lines[0]


def test_a_taken_port_is_10(empty):
    with socket.socket() as other:
        other.bind(("127.0.0.1", empty.port))
        other.listen()
        done = empty.command("run", "--no-demo")
    assert done.returncode == 10
    assert f"port {empty.port}" in one_line(done)
    assert not (empty.home / "postgres").exists()  # nothing was begun


@pytest.mark.parametrize("command", ["run", "migrate", "invariants"])
def test_a_database_that_does_not_answer_is_11(empty, command):
    done = empty.command(command, SAMPAN_DATABASE_URL="postgresql://postgres@127.0.0.1:9/sampan")
    assert done.returncode == 11
    assert "SAMPAN_DATABASE_URL" in one_line(done)


def test_a_changed_migration_is_12_and_names_the_file(house, place):
    url = asyncio.run(place.new_database())
    change = "UPDATE auth.migration SET digest = 'another' WHERE name = (SELECT min(name) FROM auth.migration)"
    asyncio.run(changed(url, change))
    done = house.command("run", "--no-demo", SAMPAN_DATABASE_URL=url)
    assert done.returncode == 12
    assert "auth/" in one_line(done)
    assert "was changed after it had been applied" in done.stderr


def test_a_missing_peer_is_13_and_names_the_peer_and_the_setting(empty):
    everywhere = {f"SAMPAN_URL_{name.upper()}": "http://127.0.0.1:9" for name in declared(sandbox=True)}
    started = time.monotonic()
    done = empty.command("run", "orders", **everywhere)
    assert done.returncode == 13
    line = one_line(done)
    assert line.startswith("sampan: orders needs ")
    assert "SAMPAN_URL_" in line
    assert time.monotonic() - started < 25


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SAMPAN_PORT": "eighty"}, "SAMPAN_PORT"),
        ({"SAMPAN_WORKERS": "0"}, "SAMPAN_WORKERS"),
        ({"SAMPAN_MODE": "production"}, "SAMPAN_SECRET"),
        ({"SAMPAN_HOST": "192.0.2.1"}, "SAMPAN_HOST"),
        ({"SAMPAN_DATABASE_URL": "mysql://shop"}, "SAMPAN_DATABASE_URL"),
        ({"SAMPAN_SMTP_PORT": "x"}, "SAMPAN_SMTP_PORT"),
        ({"SAMPAN_VNPAY_TMN_CODE": "DEMO0001"}, "SAMPAN_VNPAY_HASH_SECRET"),
        ({"SAMPAN_REDIS_URL": "localhost:6379"}, "SAMPAN_REDIS_URL"),
    ],
)
def test_a_wrong_setting_is_14_and_is_named(empty, settings, named):
    done = empty.command("run", "--no-demo", **settings)
    assert done.returncode == 14
    assert named in one_line(done)


def test_a_postgresql_that_does_not_start_is_15(house):
    (house.home / "postgres/postgresql.conf").write_text("this is no setting\n")
    done = house.command("run", "--no-demo")
    assert done.returncode == 15
    assert "did not start" in one_line(done)


def test_parked_events_that_fail_again_are_1_and_counted(house, place):
    parked = (
        "INSERT INTO {0}.parked_event (id, source, name, body, request_id, actor, at, tries, error) "
        "VALUES (gen_random_uuid(), 'catalog', 'catalog.product_changed.v1', '{{}}', '', '', now(), 5, 'x')"
    )
    url = asyncio.run(place.new_database())

    def redriven(sql: str) -> tuple[int, str]:
        asyncio.run(changed(url, sql))
        done = house.command("events", "redrive", SAMPAN_DATABASE_URL=url)
        assert all(line.startswith("{") for line in done.stderr.splitlines()), done.stderr
        return done.returncode, done.stdout

    both = f"{parked.format('search')}; {parked.format('inventory')}"
    assert redriven(both) == (1, "0 events took effect, 2 still fail\n")
    assert redriven("DELETE FROM search.parked_event") == (1, "0 events took effect, 1 still fail\n")
    assert redriven("DELETE FROM inventory.parked_event") == (0, "0 events took effect, 0 still fail\n")


async def changed(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def test_a_service_that_does_not_exist_is_17_and_those_that_do_are_named(empty):
    done = empty.command("run", "boats")
    assert done.returncode == 17
    assert "orders" in one_line(done)


def test_the_lists_of_services_rules_and_operations_need_no_shop(empty):
    assert "orders" in empty.command("list").stdout
    assert empty.command("rules").stdout.startswith("# The rules of the shop")
    assert json.loads(empty.command("openapi").stdout)["openapi"] == "3.1.0"
    assert not empty.home.exists()


def test_what_the_system_refuses_is_23_and_named(empty):
    for home in ("/proc/no-such-folder", "/dev/null"):
        done = empty.command("run", "--no-demo", SAMPAN_HOME=home)
        assert done.returncode == 23
        assert home in one_line(done)


def test_a_file_of_settings_that_cannot_be_read_is_14_and_named(empty):
    (empty.home / "sampan.toml").mkdir(parents=True)
    done = empty.command("run", "--no-demo")
    assert done.returncode == 14
    assert f"{empty.home}/sampan.toml cannot be read" in one_line(done)
