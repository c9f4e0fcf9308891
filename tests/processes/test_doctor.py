"""`sampan doctor` names what is wrong and how to mend it: each thing is broken for real, and found."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP
from tests.conftest import settings_for
from tests.processes.conftest import House, small_disk
from tests.serving import free_port

from sampan.doctor import cluster, database, machine, outside
from sampan.doctor.examine import last_backup
from sampan.doctor.finding import Finding
from sampan.kernel.settings import Core, Settings, load
from sampan.run import declared, unread_settings

NOWHERE = "postgresql://postgres@127.0.0.1:9/sampan"


@pytest.fixture
def empty(tmp_path):
    return House(tmp_path / "home")


def look(house: House, **settings: str) -> dict[str, list[tuple[str, str]]]:
    """What the doctor says as JSON, by level: (text, mend). Its exit code is 1 exactly when something is bad."""
    done = house.command("doctor", "--json", **settings)
    told = json.loads(done.stdout)
    found: dict[str, list[tuple[str, str]]] = {"ok": [], "warning": [], "bad": []}
    for each in told["findings"]:
        found[each["level"]].append((each["text"], each["mend"]))
    assert done.returncode == (1 if found["bad"] else 0), done.stdout + done.stderr
    assert told["ok"] == (not found["bad"])
    assert all(mend for _, mend in found["bad"] + found["warning"])
    return found


def only(found: list[tuple[str, str]], text: str, mend: str) -> None:
    """One finding, with these words."""
    assert len(found) == 1, found
    assert text in found[0][0], found
    assert mend in found[0][1], found


def inventory(home: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in [home, *home.rglob("*")]
        if home.exists()
    }


# --- folder, settings, network


def test_a_stopped_shop_that_is_well_has_nothing_bad_and_is_not_touched(house):
    before = inventory(house.home)
    found = look(house)
    assert found["bad"] == []
    only(found["warning"], "no backup was ever made", "sampan backup")
    assert inventory(house.home) == before


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(empty):
    found = look(empty)
    assert found["bad"] == found["warning"] == []
    assert not empty.home.exists()


def test_everything_around_a_shop_that_is_wrong_is_named_at_once(house):
    (house.home / "secret").write_text("short")
    (house.home / "secret").chmod(0o644)
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.port))
        other.listen()
        done = house.command(
            "doctor",
            SAMPAN_DATABASE_URL=NOWHERE,
            SAMPAN_REDIS_URL="redis://127.0.0.1:9/0",
            SAMPAN_SMTP_HOST="127.0.0.1",
            SAMPAN_SMTP_PORT="9",
            SAMPAN_SMPT_SENDER="shop@example.com",
            SAMPAN_SECRET="s3cret",
            SAMPAN_MUTED="yes",
        )
    assert done.returncode == 1
    text = done.stdout
    assert text.count("\nBAD ") == 6, text
    for bad in (
        f"chmod 600 {house.home}/secret",
        "too short to be a secret",
        f"port {house.port} on 127.0.0.1 cannot be taken",
        "check SAMPAN_DATABASE_URL",
        "check SAMPAN_REDIS_URL",
        "the mail server 127.0.0.1:9 does not serve us",
    ):
        assert bad in text
    for warning in ("nobody reads SAMPAN_SMPT_SENDER", "SAMPAN_SECRET has fewer than 32", "this shop is muted"):
        assert f"warn {warning}" in text


@pytest.mark.parametrize(
    ("setting", "value"), [("SAMPAN_PORT", "eighty"), ("SAMPAN_MODE", "production"), ("SAMPAN_SMTP_PORT", "x")]
)
def test_a_wrong_setting_is_named(empty, setting, value):
    found = look(empty, **{setting: value})
    only(found["bad"], "SAMPAN_SECRET" if value == "production" else setting, "setting")
    assert not empty.home.exists()


def test_a_name_that_nobody_reads_is_named_with_the_nearest_one_wherever_it_stands(empty):
    empty.home.mkdir()
    (empty.home / "sampan.toml").write_text(
        'publik_url = "https://shop.example"\nport_of_call = 1\nanswers_mb = 50\n'
        '[smtp]\nsender = "shop@shop.example"\nhots = "mail.example"\n'
    )
    found = look(
        empty, SAMPAN_SMTP_HOTS="mail.example", SAMPAN_DATABASE_URL_ORDER="", SAMPAN_smtp_port="25", SAMPAN_ZZ=""
    )
    file = f"in {empty.home}/sampan.toml"
    assert dict(found["warning"]) == {
        "nobody reads SAMPAN_SMTP_HOTS": "if SAMPAN_SMTP_HOST is meant, correct the name; else take it out",
        "nobody reads SAMPAN_DATABASE_URL_ORDER": "if SAMPAN_DATABASE_URL_ORDERS is meant, correct the name; else take it out",
        "nobody reads SAMPAN_smtp_port": "if SAMPAN_SMTP_PORT is meant, correct the name; else take it out",
        "nobody reads SAMPAN_ZZ": "take it out",
        f"nobody reads publik_url {file}": "if public_url is meant, correct the name; else take it out",
        f"nobody reads port_of_call {file}": "take it out",
    }
    found = look(empty)
    assert dict(found["warning"]).keys() >= {f"nobody reads smtp_hots {file}"}


NO_SETTINGS = re.compile(r"SMPT_SENDER|SMTP_HOTS|DATABASE_URL_ORDER|ZZ|URL_ONE|POST_.*")  # of tests of settings


@pytest.mark.parametrize(
    ("mode", "files"),
    [
        ("production", ["docs/**/*.md", "README.md"]),
        (
            "development",
            ["docs/**/*.md", "README.md", "Makefile", *(f"{each}/**/*.py" for each in ("src", "tests", "bench"))],
        ),
    ],
)
def test_no_name_that_is_in_use_is_said_to_be_read_by_nobody(mode, files):
    root = Path(__file__).parents[2]
    texts = [path.read_text("utf-8") for pattern in files for path in root.glob(pattern)]
    used = {name for text in texts for name in re.findall(r"\bSAMPAN_([A-Z_]*[A-Z])\b", text)}
    used = {name for name in used if NO_SETTINGS.fullmatch(name) is None}
    services = {f"{kind}_{name.upper()}" for name in declared(sandbox=False) for kind in ("URL", "DATABASE_URL")}
    assert used >= {"SMTP_HOST", "VNPAY_HASH_SECRET", "STOREFRONT_MAINTENANCE", "SEED", "TORTURE"}
    assert unread_settings(Settings({}, Core(mode=mode), dict.fromkeys(used | services, ""))) == {}


def test_a_half_restored_folder_is_named(house):
    (house.home / "restoring").touch()
    named(list(machine.folder(settings_for(house.home))), "bad", "restoration", "restore again")


def test_an_old_backup_is_named(house):
    note = {"at": "2020-01-01T00:00:00Z", "file": "/somewhere/shop.tar", "bytes": 1}
    (house.home / "last_backup.json").write_text(json.dumps(note))
    named(last_backup(settings_for(house.home)), "warning", "/somewhere/shop.tar", "sampan backup")


def test_a_disk_that_is_nearly_full_or_cannot_be_written_is_named(empty):
    with small_disk(empty.home, "8m"):
        settings = settings_for(empty.home)
        named(list(machine.folder(settings)), "bad", "MB free", "make room")
        subprocess.run(["mount", "-o", "remount,ro", str(empty.home)], check=True)
        named(list(machine.folder(settings)), "bad", "is not writable", "the right to write")


# --- the embedded PostgreSQL


def cluster_of(house: House) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {"ok": [], "warning": [], "bad": []}
    for each in cluster.findings(settings_for(house.home)):
        found[each.level].append((each.text, each.mend))
    return found


def test_a_database_of_another_postgresql_is_named(house):
    (house.home / "postgres/PG_VERSION").write_text("17\n")
    only(cluster_of(house)["bad"], "made by PostgreSQL 17", "restore that with this one")


def test_a_pid_file_left_behind_is_named_and_not_bad(house):
    (house.home / "postgres/postmaster.pid").write_text(f"{os.getpid()}\n{house.home}/postgres\n")
    found = cluster_of(house)
    assert found["bad"] == []
    assert any("left behind" in text for text, _ in found["warning"])
    assert (house.home / "postgres/postmaster.pid").exists()


def test_a_configuration_that_postgresql_refuses_is_named(house):
    (house.home / "postgres/postgresql.conf").write_text("this is no setting\n")
    only(cluster_of(house)["bad"], "configuration", "postgresql.conf")


def test_a_broken_control_file_is_named(house):
    control = house.home / "postgres/global/pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    only(cluster_of(house)["bad"], "control file", "restore the last backup")


def test_a_folder_that_is_no_database_is_named(house):
    (house.home / "postgres/PG_VERSION").unlink()
    only(cluster_of(house)["bad"], "no whole database", "sampan restore")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_database_of_another_owner_or_open_to_others_is_named(house):
    folder = house.home / "postgres"
    owner = folder.stat().st_uid
    os.chown(folder / "PG_VERSION", 0, 0)
    folder.chmod(0o755)
    texts = dict(cluster_of(house)["bad"])
    assert texts[f"what is in {folder} does not belong to user {owner}"] == f"chown -R {owner} {folder}"
    assert texts[f"{folder} is open to others; PostgreSQL refuses that"] == f"chmod 700 {folder}"


# --- what lies in the database


class Books:
    """A database that a test damages, and the doctor's look at it."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home

    def damage(self, *statements: str) -> None:
        async def go() -> None:
            connection = await asyncpg.connect(self.url)
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(go())

    def look(self, *, running: bool = False) -> list[Finding]:
        settings = settings_for(self.home, database_url=self.url)
        return asyncio.run(database.findings(settings, running=running))


@pytest.fixture
def books(place, tmp_path):
    return Books(asyncio.run(place.new_database()), tmp_path / "home")


def named(found: list[Finding], level: str, text: str, mend: str) -> None:
    assert any(each.level == level and text in each.text and mend in each.mend for each in found), found


def test_a_database_that_is_well_is_said_to_be(books):
    found = books.look(running=True)
    assert {each.level for each in found} == {"ok"}, found
    assert any("money, stock and work under way are right" in each.text for each in found)


def test_migrations_that_are_missing_unknown_or_changed_are_named(books, place):
    books.damage("DELETE FROM auth.migration WHERE name LIKE 'kernel/0003%'", "DROP SCHEMA storefront CASCADE")
    found = books.look()
    named(found, "warning", "auth waits for 1 migrations", "sampan migrate")
    named(found, "warning", "storefront has no tables yet", "sampan migrate")
    books.damage("INSERT INTO orders.migration (name, digest) VALUES ('9999_future.sql', '')")
    named(books.look(), "bad", "orders/9999_future.sql is not known here", "restore the backup")
    books.damage("UPDATE pricing.migration SET digest = 'other' WHERE name = 'kernel/0001_ground.sql'")
    named(books.look(), "bad", "pricing/kernel/0001_ground.sql was changed", "the file of the release")


@pytest.mark.parametrize("running", [True, False])
def test_work_that_lies_undone_is_named_and_bad_only_while_the_shop_runs(books, running):
    books.damage(
        "INSERT INTO catalog.outbox (id, name, body, request_id, actor, at) VALUES "
        "(gen_random_uuid(), 'catalog.product_changed.v1', '{}', '', '', now() - interval '10 minutes')",
        "INSERT INTO catalog.outbox (id, name, body, request_id, actor, at) VALUES "
        "(gen_random_uuid(), 'catalog.nobody_handles_this.v1', '{}', '', '', now() - interval '9 days')",
        "INSERT INTO search.consumer (source) VALUES ('catalog')",
        "INSERT INTO inventory.job (name, due_at) VALUES ('release_expired', now() - interval '1 hour')",
        "INSERT INTO inventory.job (name, due_at) VALUES ('a job of an older version', now() - interval '1 year')",
    )
    found = books.look(running=running)
    level, mend = ("bad", "see the log") if running else ("warning", "sampan run")
    named(found, level, "search has not read events of catalog for 10 minutes", mend)
    named(found, level, "inventory: the job release_expired is 60 minutes late", mend)
    assert len([each for each in found if each.level != "ok"]) == 2, found


def test_what_failed_and_what_was_moved_is_named(books):
    books.damage(
        "INSERT INTO orders.parked_event (id, source, name, body, request_id, actor, at, tries, error) "
        "VALUES (gen_random_uuid(), 'payments', 'payments.payment_changed.v1', '{}', '', '', now(), 5, 'x')",
        "INSERT INTO payments.job (name, error) VALUES ('apply_facts', 'ValueError: no')",
        "INSERT INTO pricing.outbox (xid, id, name, body, request_id, actor) "
        "VALUES ('1000000000', gen_random_uuid(), 'x', '{}', '', '')",
    )
    found = books.look()
    named(found, "bad", "orders: 1 parked events", "sampan events redrive")
    named(found, "bad", "payments: the job apply_facts failed: ValueError: no", "log")
    named(found, "bad", "the events of pricing are of another cluster", "stop and start the shop")


def test_broken_books_stuck_work_and_a_missing_index_are_named(books):
    books.damage(
        "INSERT INTO inventory.warehouse (id, code, name, province_code, ward_code, street, priority, provinces, active) "
        "VALUES ('00000000-0000-0000-0000-000000000001', 'X', 'X', '79', '26743', 'x', 1, '{}', true)",
        "INSERT INTO inventory.level (variant_id, warehouse_id, on_hand, sells) "
        "VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 5, true)",
        "INSERT INTO payments.intent (order_id, order_number, amount, currency, status, authorised, captured, "
        "changed_at) VALUES (gen_random_uuid(), 'LOST-1', 5, 'VND', 'paid', 5, 5, now() - interval '1 hour')",
        "INSERT INTO search.document (product_id, version, deleted, categories, prices, facets, in_stock, updated_at) "
        "VALUES (gen_random_uuid(), 1, true, '{}', '{}', '{}', false, now() - interval '1 hour')",
    )
    found = books.look()
    named(found, "bad", "its movements say", "When something is broken")
    named(found, "bad", "LOST-1", "When something is broken")
    named(found, "bad", "search: ", "sampan search rebuild")


def test_a_database_that_is_too_old_or_away_is_named(tmp_path):
    class Old:
        def get_server_version(self) -> Any:
            return asyncpg.types.ServerVersion(14, 0, 0, "final", 0)

        async def fetchval(self, sql: str) -> str:
            return "14.9"

    named(asyncio.run(database.server(Old())), "bad", "PostgreSQL 14.9 is too old", "15 or later")
    away = asyncio.run(database.findings(settings_for(tmp_path, database_url=NOWHERE), running=False))
    named(away, "bad", "does not answer", "SAMPAN_DATABASE_URL")


def test_clocks_that_are_apart_are_named():
    assert list(database.clocks(100.0, 100.2, 100.5)) == []
    named(list(database.clocks(100.0, 160.0, 100.5)), "warning", "60 seconds apart", "time server")
    named(list(database.clocks(100.0, 40.0, 100.5)), "warning", "60 seconds apart", "time server")


# --- what the shop reaches


def test_a_mail_server_is_greeted_and_one_that_does_not_speak_to_us_is_named(tmp_path):
    async def ask(**more: str) -> list[Finding]:
        server = await asyncio.get_running_loop().create_server(lambda: SMTP(object()), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        values = {"SAMPAN_SMTP_HOST": "127.0.0.1", "SAMPAN_SMTP_PORT": str(port), **more}
        try:
            return await outside.smtp(load(values, home=str(tmp_path)))
        finally:
            server.close()

    named(asyncio.run(ask(SAMPAN_SMTP_SECURITY="none")), "ok", "takes our mail", "")
    named(asyncio.run(ask()), "bad", "does not serve us", "SAMPAN_SMTP_HOST")  # no TLS there
    assert asyncio.run(outside.smtp(load({}, home=str(tmp_path)))) == []


def test_redis_that_answers_is_well(tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        settings = load({"SAMPAN_REDIS_URL": f"redis://127.0.0.1:{port}/0"}, home=str(tmp_path))
        for _ in range(100):
            found = asyncio.run(outside.redis(settings))
            if found[0].level == "ok":
                break
        named(found, "ok", "Redis answers", "")
    finally:
        server.terminate()
        server.wait()


def test_a_public_address_that_leads_elsewhere_is_named(tmp_path):
    async def serve(shop: str) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = f"Sitemap: https://{shop}.example/sitemap.xml".encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", 0)

    async def ask(public: str) -> list[Finding]:
        ours, theirs = await serve("ours"), await serve("theirs")
        ports = {"ours": ours.sockets[0].getsockname()[1], "theirs": theirs.sockets[0].getsockname()[1], "none": 9}
        settings = load({}, home=str(tmp_path), port=ports["ours"], public_url=f"http://127.0.0.1:{ports[public]}")
        try:
            return await outside.public_url(settings, running=True)
        finally:
            ours.close()
            theirs.close()

    named(asyncio.run(ask("ours")), "ok", "leads to this shop", "")
    named(asyncio.run(ask("theirs")), "bad", "does not lead to this shop", "SAMPAN_PUBLIC_URL")
    named(asyncio.run(ask("none")), "bad", "does not answer", "SAMPAN_PUBLIC_URL")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loopback has one address")
def test_a_shop_is_looked_for_where_it_listens(tmp_path):
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.2", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.2:{server.server_port}"
        settings = load({}, home=str(tmp_path), host="127.0.0.2", port=server.server_port, public_url=url)
        assert machine.is_running(settings)
        named(asyncio.run(outside.public_url(settings, running=True)), "ok", "leads to this shop", "")
        assert not machine.is_running(load({}, home=str(tmp_path), port=server.server_port))
        server.shutdown()


def test_what_is_not_running_is_not_asked(tmp_path):
    settings = load({}, home=str(tmp_path / uuid4().hex))
    assert asyncio.run(outside.public_url(settings, running=False)) == []
    assert asyncio.run(database.findings(settings, running=False)) == []
