"""A running shop whose parts are killed: it comes back by itself, and nothing that counts is wrong."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.journeys.conftest import Merchant, Shopper
from tests.processes.conftest import House, children_of, command_line, eventually

from sampan.demo.seed import UNFINISHED
from sampan.kernel.postgres import EmbeddedPostgres

BACK = 60.0  # seconds in which the shop serves again without anybody's help
PHONE, MAIL, NAME = "0938271645", "canary.bird@example.com", "Hoàng Yến"


@pytest.fixture(scope="module")
def key(running: House) -> str:
    done = running.command("key", "create", "tests", "--permissions", "all")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def order(house: House, key: str) -> dict[str, Any]:
    """Somebody buys something, from the shelf to the placed order."""

    async def buy() -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False) as http:
            product = await Merchant(http, key).product()
            shopper = Shopper(http)
            await shopper.fill(product)
            cart = f"/carts/{shopper.cart['id']}"
            await shopper.call("PUT", f"{cart}/contact", {"name": NAME, "phone": PHONE, "email": MAIL})
            shopper.cart = await shopper.call("GET", cart)
            placed: dict[str, Any] = (await shopper.checkout("cod"))["order"]
            async for _ in _moments(30):
                work = await Merchant(http, key).call("GET", "/admin/fulfillments?limit=100")
                if any(item["order_id"] == placed["id"] for item in work["items"]):
                    return placed
            raise AssertionError("nobody works on the order")

    return asyncio.run(buy())


async def _moments(seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield None
        await asyncio.sleep(0.1)


def serves_again(house: House, key: str, since: float) -> float:
    """Seconds until pages, orders and the work behind them go on."""
    eventually(lambda: house.answers("/health/ready") == 200 and house.answers("/api/v1/categories") == 200, BACK)
    placed = None
    while placed is None:
        try:
            placed = order(house, key)
        except (AssertionError, httpx.HTTPError):  # a refusal to try again later, or a connection that broke
            assert time.monotonic() - since < BACK
            time.sleep(0.2)
    seconds = time.monotonic() - since
    assert seconds < BACK
    return seconds


def books_are_right(house: House) -> None:
    done = house.command("invariants")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"ok": True, "violations": {}}


@pytest.mark.parametrize("kind", ["web", "background", "postgres"])
def test_a_part_that_is_killed_comes_back_and_the_shop_serves_again(running, key, kind):
    order(running, key)
    since = time.monotonic()
    killed = running.kill(kind)
    seconds = serves_again(running, key, since)
    assert not command_line(killed)
    eventually(lambda: sorted(running.children().values()) == ["background", "postgres", "web", "web"], BACK)
    books_are_right(running)
    print(f"after kill -9 of {kind}: orders again after {seconds:.1f} s")


def test_a_shop_that_was_used_before_is_ready_within_seconds(running):
    print(f"ready after {running.ready_after:.1f} s on an existing data folder")
    assert running.ready_after < 15


def test_while_one_web_worker_is_away_the_other_answers(running, key):
    """New connections go to whoever still accepts on the shared socket."""
    running.kill("web")
    answered = [running.answers("/health/live") for _ in range(40)]
    assert answered.count(200) >= 35, answered
    eventually(lambda: list(running.children().values()).count("web") == 2, 30)


def test_every_line_of_the_log_is_a_json_object_and_tells_nothing_of_a_customer(running, key):
    placed = order(running, key)
    running.answers(f"/api/v1/orders/{placed['id']}?phone={PHONE}&email={MAIL}")
    wrong = running.command("events", "redrive")
    assert wrong.returncode == 0, wrong.stderr
    text = running.log.read_text("utf-8")
    lines = text.splitlines()
    assert len(lines) > 3
    for line in lines:
        found = json.loads(line)
        assert {"at", "level", "service", "message"} <= found.keys(), line
    secrets = [PHONE, "938271645", MAIL, "canary.bird", NAME, placed["token"], key.removeprefix("sampan_")]
    secrets += [(running.home / "secret").read_text().strip()]
    for secret in secrets:
        assert secret not in text
        assert json.dumps(secret).strip('"') not in text


def test_keys_are_made_listed_and_withdrawn(running):
    def allowed(token: str) -> int:
        answer = httpx.get(
            running.url + "/api/v1/admin/warehouses", headers={"authorization": f"Bearer {token}"}, trust_env=False
        )
        return answer.status_code

    made = running.command("key", "create", "máy quét", "--permissions", "inventory.read, orders.read")
    token = made.stdout.strip()
    assert re.fullmatch(r"sampan_[A-Za-z0-9_-]{43}", token), made.stderr
    assert allowed(token) == 200
    listed = running.command("key", "list").stdout
    assert token not in listed
    [line] = [line for line in listed.splitlines() if "máy quét" in line]
    number, state, *_ = line.split()
    assert state == "open"
    assert "inventory.read,orders.read" in line
    assert running.command("key", "withdraw", number).stdout == "withdrawn\n"
    assert f"{number}  withdrawn" in running.command("key", "list").stdout
    eventually(lambda: allowed(token) == 401, 10)
    for wrong in (("withdraw", number), ("withdraw", "no-id"), ("create", "x", "--permissions", "y")):
        done = running.command("key", *wrong)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("sampan: ")


def test_doctor_finds_a_running_shop_well(running):
    since = time.monotonic()
    done = running.command("doctor")
    print(f"the doctor took {time.monotonic() - since:.1f} s")
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout
    assert "money, stock and work under way are right" in done.stdout
    elsewhere = running.command("doctor", SAMPAN_PUBLIC_URL="http://127.0.0.1:9")
    assert elsewhere.returncode == 1
    assert "BAD  the public address http://127.0.0.1:9 does not answer" in elsewhere.stdout
    assert f"the shop answers on port {running.port}" in done.stdout
    assert "services have their tables" in done.stdout


def test_a_second_shop_in_the_same_folder_is_16(running):
    done = running.command("run", "--no-demo", "--port", str(House(running.home).port))
    assert done.returncode == 16
    assert "running already" in done.stderr
    assert running.answers("/health/ready") == 200


def test_an_idle_shop_takes_at_most_600_mb(running):
    """What the processes have for themselves plus their share of what they have in common (PSS)."""

    def megabytes(pid: int) -> float:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0]) / 1024

    if not os.access(f"/proc/{running.process.pid}/smaps_rollup", os.R_OK):
        pytest.skip("the system does not tell how memory is shared")
    eventually(lambda: len(running.children()) == 4, 30)
    family = running.family()
    parts = {pid: megabytes(pid) for pid in family if command_line(pid)}
    total = sum(parts.values())
    named = {running.process.pid: "supervisor", **running.children()}
    shares = {f"{named.get(pid, 'postgres session')} {pid}": round(mb) for pid, mb in parts.items()}
    print(f"idle: {total:.0f} MB in {len(parts)} processes: {shares}")
    assert total <= 600


def test_who_starts_processes_has_one_thread(running):
    """What other threads hold at the moment of a fork, nobody lets go of in the new process."""
    assert len(os.listdir(f"/proc/{running.process.pid}/task")) == 1


def test_sigterm_ends_everything_within_thirty_seconds_and_leaves_no_process(running, key):
    order(running, key)
    family = running.family()
    assert len(family) > 5
    seconds = running.stop()
    print(f"SIGTERM: ended after {seconds:.1f} s")
    assert seconds < 30
    assert running.process.returncode == 0
    eventually(lambda: not any(str(running.home) in command_line(pid) for pid in family), 2)
    assert [pid for pid in family if "sampan" in command_line(pid)] == []
    assert running.answers("/health/live") == 0
    assert not (running.home / "postgres/postmaster.pid").exists()
    books_are_right(running)


def test_after_a_kill_of_the_supervisor_its_processes_end_by_themselves_and_the_next_start_works_at_once(house):
    house.start()
    children = house.children()
    assert sorted(children.values()) == ["background", "postgres", "web", "web"]
    house.process.send_signal(signal.SIGKILL)
    house.process.wait()
    since = time.monotonic()
    house.begin()  # the former processes still hold the port and the database
    eventually(lambda: not any("sampan" in command_line(pid) for pid in children), 40)
    eventually(lambda: house.is_ready() and len(house.children()) == 4, 40)
    print(f"ready {time.monotonic() - since:.1f} s after kill -9 of the supervisor and a new start")
    assert house.log.read_text().count("the supervisor is gone") == 3
    assert house.answers("/health/ready") == 200
    books_are_right(house)
    assert house.stop() < 30


def test_broken_invariants_are_found_on_schedule_and_every_web_worker_tells_of_them(house):
    house.start()
    house.stop()
    ask_stopped(
        house,
        "INSERT INTO inventory.parked_event (id, source, name, body, request_id, actor, at, tries, error) "
        "VALUES (gen_random_uuid(), 'catalog', 'catalog.product_changed.v1', '{}', '', '', now(), 5, 'x');"
        "UPDATE inventory.job SET due_at = now() WHERE name = 'look'",
    )
    house.start()

    def figures() -> str:
        return httpx.get(house.url + "/metrics", timeout=5, trust_env=False).text

    told = 'sampan_invariant_violations{service="inventory"} 1.0'
    eventually(lambda: all(told in figures() for _ in range(4)), 45)
    text = figures()
    assert 'sampan_parked_events{service="inventory"} 1.0' in text
    assert 'sampan_invariant_violations{service="orders"} 0.0' in text
    assert 'sampan_feed_lag_seconds{service="orders",source="payments"} 0.0' in text


def ask_stopped(house: House, sql: str) -> None:
    """Run SQL in the database of a shop that does not run."""
    server = EmbeddedPostgres(house.home / "postgres")
    server.start()

    async def go() -> None:
        connection = await asyncpg.connect(server.url())
        await connection.execute(sql)
        await connection.close()

    try:
        asyncio.run(go())
    finally:
        server.stop()


def test_sigterm_during_the_start_leaves_nothing_behind(house):
    house.begin()
    server = eventually(lambda: house.child("postgres"), 20)
    house.process.send_signal(signal.SIGTERM)
    house.process.wait(30)
    assert str(house.home) not in command_line(server)
    assert not (house.home / "postgres/postmaster.pid").exists()


def test_a_kill_of_the_supervisor_during_the_start_leaves_nothing_that_works_on(house):
    house.begin()
    server = eventually(lambda: house.child("postgres"), 20)
    house.process.send_signal(signal.SIGKILL)
    house.process.wait()
    house.start()
    assert house.child("postgres") == server or not command_line(server)
    books_are_right(house)
    assert house.stop() < 30


def test_a_shop_that_is_being_filled_is_closed_and_ends_when_it_is_told_to(house):
    """The demo's goods are put into an empty shop before anybody comes in, with helpers who draw; all of them end."""
    house.begin(demo=True)
    filling = eventually(lambda: house.child("seed"), 60)
    helpers = eventually(lambda: [pid for pid in children_of(filling) if "spawn_main" in command_line(pid)], 60)
    assert (house.home / "files" / UNFINISHED).exists()
    assert house.answers("/health/ready") == 0
    assert house.stop() < 30
    assert house.process.returncode == 128 + signal.SIGTERM  # it never opened
    eventually(lambda: not any(command_line(pid) for pid in (filling, *helpers)), 20)
    assert all(json.loads(line) for line in house.log.read_text().splitlines())  # nothing but its log is said


def test_a_shop_that_has_goods_opens_with_them_alone(house):
    house.start()
    key = house.command("key", "create", "me", "--permissions", "all").stdout.strip()
    order(house, key)
    assert house.stop() < 30
    house.start(demo=True)

    def found() -> list[object]:
        """The goods; search may hear of them only after the start."""
        items: list[object] = httpx.get(f"{house.url}/api/v1/products", timeout=5, trust_env=False).json()["items"]
        return items

    assert len(eventually(found, 20)) == 1
    assert not (house.home / "files" / UNFINISHED).exists()
    assert house.child("seed") == 0


SPAWNED = """
import sys
from multiprocessing import get_context
from sampan import supervisor
from sampan.commands import main

if __name__ == "__main__":
    supervisor.STARTING = get_context("spawn")
    main(["run", "--no-demo"])
"""


def test_a_shop_runs_where_processes_cannot_be_forked(house, tmp_path):
    """As on macOS: each process is a program of its own, and is told by its supervisor what it is."""
    program = tmp_path / "spawned.py"
    program.write_text(SPAWNED)
    with open(house.log, "ab") as log:
        house.process = subprocess.Popen([sys.executable, str(program)], env=house.environment, stdout=log, stderr=log)
    eventually(house.is_ready, 60)
    eventually(lambda: house.log.read_text().count('"message":"started"') == 3, 30)
    order(house, house.command("key", "create", "me", "--permissions", "all").stdout.strip())
    assert house.stop() < 30
    assert house.process.returncode == 0
    assert house.log.read_text().count('"message":"stopped"') == 3
