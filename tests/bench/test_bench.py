"""The bench measures a real shop: a tiny one here, so that it cannot rot unseen."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bench.drive import Answer, Refused, WrongAnswer, evenly, expect, parse, request
from bench.measure import Group, StatementLog, machine_seconds
from bench.run import Row
from bench.scenarios import Read, distinct, ensure, lows, whole
from bench.table import Results, markdown

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ["product_detail_cold", "list", "search", "suggest", "category_page", "product_page", "checkout"]
SCENARIOS += ["add_to_cart"]
DIFFERENT = 6  # of three operations at most; 2,000 of a whole run


@pytest.fixture(scope="module")
def run() -> Iterator[tuple[Results, str]]:
    """The figures and the table of a run with fifty products and one client."""
    folder = Path(tempfile.mkdtemp(prefix="sampan-bench-"))
    target = folder / "out.json"
    options = ["--products", "50", "--no-demo", "--clients", "1", "--most", "3", "--seconds", "0.2"]
    options += ["--only", ",".join([*SCENARIOS, "seeding", "sale"])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *options, "--home", str(folder / "home"), "--json", str(target)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield msgspec.json.decode(target.read_bytes(), type=Results), done.stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_every_scenario_is_measured_with_right_answers(run):
    results, _ = run
    assert {row.scenario for row in results.rows} == {*SCENARIOS}
    assert results.aborted == {}
    for row in results.rows:
        assert row.operations == 3
        assert row.errors == 0
        assert row.rate > 0
        assert row.p95 >= row.p50 > 0
        assert row.bytes > 100
        assert row.limit
        assert row.different is None or row.different >= DIFFERENT
        assert sum(row.workers) in (99, 100, 101)


def test_statements_are_counted_by_step_of_the_checkout(run):
    results, _ = run
    sql = results.statements["checkout"]
    steps = {"create cart", "add line", "contact", "address", "options", "choose option", "payment methods"}
    assert steps | {"place order", "(behind)"} == sql.by_step.keys()
    placing = sql.by_step["place order"]
    assert any("INSERT INTO orders.sales_order" in text for text in placing)
    assert sql.answering >= sum(placing.values()) > 10
    assert sql.behind > 0
    assert sql.crowded > sql.answering / 2  # all of them, however few operations
    assert results.statements["list"].crowded is None


def test_fifty_buyers_get_ten_units_and_the_books_are_right(run):
    results, _ = run
    assert results.sale is not None
    assert (results.sale.sold, results.sale.refused, results.sale.left) == (10, 40, 0)
    assert results.invariants


def test_the_table_says_how_the_shop_stands_to_its_targets(run):
    results, shown = run
    assert results.memory_application > 50
    assert 0 < results.memory_mapped < results.memory_application
    assert results.start_seconds > 0
    assert results.start_cpu > 0.5
    assert results.seeding > 1
    for words in (
        "| list of 24 /s | ≥ 8,000 |",
        "all SQL statements per checkout, 16 clients | ≤ 60 |",
        "| seeding, products /s | ≥ 2,000 |",
        "sold exactly 10",
    ):
        assert words in shown
    assert markdown(results) in shown


# --- the parts ------------------------------------------------------------------------------------------------------


def test_cpu_is_what_the_processes_themselves_say_they_used():
    """The supervisor, its children and those it has buried; PostgreSQL apart."""
    burn = "import sys, time\nwhile time.process_time() < {0}: pass\nprint(flush=True)\n"
    child = burn.format(0.2) + "sys.stdin.read() # /postgres "
    parent = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {burn.format(0.3)!r}])\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
    ) + burn.format(0.4) + "sys.stdin.read()"  # fmt: skip
    before = machine_seconds()
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        used = Group(process.pid).used()
        process.communicate()
    assert used.postgres == pytest.approx(0.2, abs=0.06)
    assert used.application == pytest.approx(0.3 + 0.4, abs=0.12)
    assert used.machine - before >= used.shop - 0.1


def test_as_many_different_requests_are_drawn_as_are_wanted():
    chance = random.Random(1)
    few = Read("x", b"", b"", lambda body: None)
    drawn = distinct(lambda: msgspec.structs.replace(few, data=b"%d" % chance.randrange(2100)), 2000)
    assert len({read.data for read in drawn}) == len(drawn) == 2000
    assert len(distinct(lambda: few, 10)) == 1
    for ways in (7, 28, 84, 3000):
        assert len(lows(2000, ways)) * ways >= 2000


def test_an_answer_of_a_pool_is_looked_at_whole():
    read = Read("x", b"", b"[", lambda body: ensure(body == b"[1]", "wrong", body))
    for body, right in ((b"[1]", True), (b"[2]", False)):
        asking = whole(read)
        next(asking)
        with pytest.raises(StopIteration if right else WrongAnswer):
            asking.send(Answer(200, body))


def test_an_answer_is_read_in_pieces():
    whole = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello"
    for cut in range(len(whole)):
        assert parse(whole[:cut]) is None
    assert parse(whole + b"HTTP") == (Answer(201, b"hello"), b"HTTP")
    assert parse(b"HTTP/1.1 204 No Content\r\n\r\n") == (Answer(204, b""), b"")
    with pytest.raises(WrongAnswer):
        parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_a_busy_shop_is_an_error_and_another_answer_is_wrong():
    assert expect(Answer(200, b'{"id":1}'), 200, b'"id"') == b'{"id":1}'
    with pytest.raises(Refused):
        expect(Answer(503, b""), 200)
    with pytest.raises(Refused):
        expect(Answer(429, b""), 200)
    for answer in (Answer(200, b"{}"), Answer(404, b'"id"')):
        with pytest.raises(WrongAnswer):
            expect(answer, 200, b'"id"')


def test_a_request_says_how_long_its_body_is():
    data = request("POST", "/carts", {"a": "é"}, x_cart_token="t")
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"x-cart-token: t" in head
    assert f"content-length: {len(body)}".encode() in head


def test_connections_can_be_spread_over_the_workers():
    class Closed:
        def __init__(self, port: int) -> None:
            self.port, self.closed = port, False
            self.ended = self.transport = self

        def set_result(self, _: None) -> None: ...

        def close(self) -> None:
            self.closed = True

    all_of_them = [Closed(port) for port in range(10)]
    kept = evenly(all_of_them, {port: 1 if port < 7 else 2 for port in range(10)}, 4)  # type: ignore[arg-type]
    assert [buyer.port for buyer in kept] == [0, 7, 1, 8]
    assert sum(buyer.closed for buyer in all_of_them) == 6


def test_statements_of_the_log_are_read_whole(tmp_path):
    log = tmp_path / "postgres.log"
    log.write_text("2026-11-28 LOG:  before\n")
    found = StatementLog(log)
    with open(log, "a") as file:
        file.write("bench 17 LOG:  statement: BEGIN;\n")
        file.write("bench 18 LOG:  execute __asyncpg_stmt_a__: SELECT a\n\t  FROM b\n\t WHERE c = $1\n")
        file.write("bench 17 LOG:  checkpoint starting: time\n")
    assert found.new() == [(17, "BEGIN"), (18, "SELECT a FROM b WHERE c = $1")]
    assert found.new() == []


def test_what_a_rate_would_be_alone_counts_the_generator_too():
    row = msgspec.convert(
        dict(
            scenario="s", title="", kind="read", clients=1, rate=100.0, p50=1, p95=1, p99=1, cpu=1.0, application=1.0,
            postgres=0.0, errors=0, refusals={}, operations=1, different=None, bytes=1, generator=0.1, others=0,
            workers=[100],
        ),
        Row,
    )  # fmt: skip
    assert row.alone == pytest.approx((os.cpu_count() or 1) * 1000 / 2.0)
