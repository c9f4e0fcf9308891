"""Backup and restore as an operator does them: one command each, of a shop at work, into a folder that holds nothing."""

import asyncio
import errno
import fcntl
import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from msgspec.structs import replace
from tests.conftest import settings_for
from tests.journeys.conftest import Merchant, Shopper
from tests.processes.conftest import PROGRAM, House, eventually, moved_in, small_disk

from sampan.backup import restoring
from sampan.backup.archive import (
    DATABASE,
    FORMAT,
    MANIFEST,
    UNSEALED,
    Archive,
    BadBackup,
    Manifest,
    is_safe,
    unpack,
    verified,
    written,
)
from sampan.backup.making import give_name
from sampan.backup.restoring import CannotRestore, check_empty
from sampan.commands import EXIT, SYSTEM_REFUSES
from sampan.home import AlreadyRunning, held
from sampan.kernel.dump import DumpFailed, tools_for, without_password
from sampan.kernel.postgres import EmbeddedPostgres

OLDER = 20_000  # transactions that a young cluster has not made


@pytest.fixture(scope="module")
def shop(migrated: Path) -> Iterator[House]:
    found = moved_in(migrated, "backed-up")
    found.start()
    yield found
    found.end_all()


@pytest.fixture(scope="module")
def key(shop: House) -> str:
    return shop.command("key", "create", "tests", "--permissions", "all").stdout.strip()


async def buy(http: httpx.AsyncClient, key: str) -> tuple[Shopper, dict[str, Any], httpx.Response]:
    """Somebody orders with an Idempotency-Key of their own; shopper, request and answer."""
    shopper = Shopper(http)
    await shopper.fill(await Merchant(http, key).product())
    request = {
        "url": f"/api/v1/carts/{shopper.cart['id']}/checkout",
        "json": {"payment_method": "cod", "expected_total": shopper.cart["totals"]["total"]},
        "headers": {**shopper.headers, "idempotency-key": uuid4().hex},
    }
    answer = await http.post(**request)
    assert answer.status_code == 201, answer.text
    shopper.order = answer.json()["order"]
    shopper.headers["x-order-token"] = shopper.order["token"]
    return shopper, request, answer


def ask(house: House, sql: str, *values: Any) -> list[Any]:
    return asyncio.run(asked(house, sql, *values))


async def asked(house: House, sql: str, *values: Any) -> list[Any]:
    connection = await asyncpg.connect(EmbeddedPostgres(house.home / "postgres").url())
    try:
        return [row[0] for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


async def hold_still(house: House, process: int) -> None:
    """Stop a process, but not in the middle of a transaction: its locks would stop everybody."""
    while True:
        os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(0.2)  # what was sent before has been done
        if not await asked(house, "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"):
            return
        os.kill(process, signal.SIGCONT)
        await asyncio.sleep(0.05)


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], code: str, *words: str) -> None:
    """An exit code of this refusal, and one clear line."""
    assert done.returncode == EXIT[code], done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("sampan: ")]
    assert all(word in line for word in words), line


@pytest.fixture(scope="module")
def file(shop: House, key: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a shop at work."""
    made = tmp_path_factory.mktemp("backups") / "shop.tar"
    text = ok(shop.command("backup", str(made)))
    assert "whole and verified" in text
    return made


def test_a_restored_shop_goes_on_where_the_backup_was_made(shop, key, tmp_path):
    """What was known of an event stays known; what was not, and all that is new, arrives once."""
    ask(shop, f"DO $$ BEGIN FOR i IN 1..{OLDER} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")

    async def before() -> tuple[Any, Any]:
        async with httpx.AsyncClient(base_url=shop.url, timeout=20, trust_env=False) as http:
            known = await buy(http, key)
            await Merchant(http, key).work_order(known[0].order["id"])
            await hold_still(shop, shop.child("background"))
            return known, await buy(http, key)  # nobody hears of this one

    known, unheard = asyncio.run(before())
    try:
        text = ok(shop.command("backup", str(tmp_path)))
    finally:
        os.kill(shop.child("background"), signal.SIGCONT)
    [file] = tmp_path.glob("sampan-*.tar")
    assert str(file) in text
    assert file.stat().st_mode & 0o777 == 0o600

    copy = House(tmp_path / "copy")
    try:
        text = ok(copy.command("restore", str(file)))
        assert "muted" in text
        assert json.loads(ok(copy.command("invariants")))["ok"]
        copy.start()
        for schema in ("orders", "catalog"):
            [body] = ask(copy, f"SELECT prosrc FROM pg_proc WHERE oid = '{schema}.feed_xid(xid8)'::regprocedure")
            assert body != "SELECT id", "this cluster is as old as the other one: the test shows nothing"
        orders = asyncio.run(after(copy, key, known, unheard))
        counted = "SELECT count(*) FROM fulfillment.work_order WHERE order_id = $1"
        assert [ask(copy, counted, order) for order in orders] == [[1]] * 3
        mails = "SELECT status FROM notifications.message WHERE order_id = $1 AND key LIKE '%placed%'"
        waiting = [eventually(lambda order=order: ask(copy, mails, order), 20) for order in orders[1:]]
        assert waiting == [["waiting"]] * 2  # made once, and never sent by a muted copy
        assert json.loads(ok(copy.command("invariants")))["ok"]
        assert copy.stop() < 30
    finally:
        copy.end_all()


async def after(copy: House, key: str, known: Any, unheard: Any) -> list[str]:
    async with httpx.AsyncClient(base_url=copy.url, timeout=20, trust_env=False) as http:
        merchant = Merchant(http, key)  # the staff's key works
        for shopper, request, answer in (known, unheard):
            shopper.http = http
            again = await http.post(**request)
            assert again.json() == answer.json()  # with its token, which the secret signed
            assert again.headers["idempotency-replayed"] == "true"
            assert (await shopper.see())["number"] == answer.json()["order"]["number"]
        for shopper, *_ in (known, unheard):
            work = await merchant.work_order(shopper.order["id"])
            for step in ("pick", "pack", "ship", "deliver"):
                await merchant.step(work["id"], step)
            await shopper.see_until(fulfillment_status="delivered")
        new, *_ = await buy(http, key)
        await merchant.work_order(new.order["id"])
        assert new.order["number"] not in (known[0].order["number"], unheard[0].order["number"])
        methods = await new.call("GET", f"/carts/{new.cart['id']}/payment-methods")
        offered = {item["code"]: item["available"] for item in methods["items"]}
        assert not offered.get("vnpay", False)
        return [known[0].order["id"], unheard[0].order["id"], new.order["id"]]


def test_a_stopped_shop_is_backed_up_and_restored_as_the_shop_itself(house, tmp_path):
    picture = house.home / "files/media/ab/cd.webp"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")
    secret = (house.home / "secret").read_text() if (house.home / "secret").exists() else None
    made = tmp_path / "shop.tar"
    ok(house.command("backup", str(made)))
    copy = House(tmp_path / "copy")
    copy.home.mkdir()  # an empty folder will do: it may be a volume
    ok(copy.command("restore", str(made), "--live"))
    assert not (copy.home / "sampan.toml").exists()
    assert (copy.home / "files/media/ab/cd.webp").read_bytes() == b"picture"
    assert secret is None or (copy.home / "secret").read_text() == secret
    assert (copy.home / "secret").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in copy.home.iterdir()} >= {"postgres", "files", "secret"}
    assert not {"restoring", "database.dump"} & {path.name for path in copy.home.iterdir()}
    assert json.loads(ok(copy.command("invariants")))["ok"]


def killed_when(house: House, seen: Any, *arguments: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, *arguments], env=house.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(seen, 40)
    finally:
        process.kill()
        process.wait()


def test_a_backup_that_is_killed_leaves_no_file_and_does_not_disturb_the_next(shop, key, tmp_path):
    target = tmp_path / "shop.tar"
    stage = tmp_path / ".sampan-backup"
    killed_when(shop, lambda: (stage / "whole").exists(), "backup", str(target))
    assert not target.exists()
    assert list(stage.iterdir())
    ok(shop.command("backup", str(target)))
    assert list(tmp_path.iterdir()) == [target]
    verified(target, lambda count: None)


def test_a_restoration_that_is_killed_is_not_taken_for_a_shop(shop, file, tmp_path):
    half = House(tmp_path / "half")
    try:
        killed_when(half, lambda: (half.home / "postgres/postmaster.pid").exists(), "restore", str(file))
        assert (half.home / "restoring").exists()
        for command in (["run", "--no-demo"], ["key", "list"], ["backup", str(tmp_path / "b.tar")]):
            refused(half.command(*command), "kernel.half_restored", "broken off", "restore again")
        refused(half.command("restore", str(file)), "kernel.half_restored")
    finally:
        half.end_all()


def test_a_restoration_that_fails_leaves_the_folder_empty(shop, file, tmp_path):
    manifest = verified(file, lambda count: None)
    unpack(file, tmp_path / "parts", lambda count: None)
    (tmp_path / "parts/database.dump").write_bytes(b"PGDMP, but not really")
    broken = repacked(tmp_path / "parts", tmp_path / "broken.tar", manifest)
    copy = House(tmp_path / "copy")
    refused(copy.command("restore", str(broken)), "kernel.dump_failed", "pg_restore failed")
    assert {path.name for path in copy.home.iterdir()} <= {"lock"}
    check_empty(copy.home)  # a second try may follow
    (copy.home / "anything").touch()
    with pytest.raises(CannotRestore):
        check_empty(copy.home)


@pytest.mark.parametrize("runs", [True, False])
def test_a_shop_that_came_into_the_folder_while_the_backup_was_read_is_left_alone(file, tmp_path, monkeypatch, runs):
    home = tmp_path / "home"

    def slowly(*arguments: Any) -> Manifest:
        found = verified(*arguments)
        with ExitStack() as stack:
            stack.enter_context(held(home))
            (home / "postgres").mkdir()
            (home / "postgres/orders").write_text("of today")
            if runs:
                at_work.enter_context(stack.pop_all())
        return found

    monkeypatch.setattr(restoring, "verified", slowly)
    with ExitStack() as at_work, pytest.raises(AlreadyRunning if runs else CannotRestore):
        restoring.bring_back(settings_for(home), file, live=False)
    assert {path.name for path in home.iterdir()} == {"lock", "postgres"}  # and no mark: it can be started
    assert (home / "postgres/orders").read_text() == "of today"


def repacked(parts: Path, target: Path, manifest: Manifest, **changed: Any) -> Path:
    """An archive that is whole by its checksums, of other parts or with another manifest."""
    with open(target, "wb") as output:
        archive = Archive(output)
        for path in sorted(parts.rglob("*")):
            if path.is_file():
                with open(path, "rb") as source:
                    archive.add(path.relative_to(parts).as_posix(), source)
        archive.close(replace(manifest, members=archive.members, **changed))
    return target


def test_a_damaged_or_cut_file_is_refused_before_anything_is_touched(file, tmp_path):
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    cases = {"flipped": bytes(flipped), "cut": whole[: len(whole) // 2], "empty": b"", "other": b"x" * 2048}
    cases["no_end"] = whole[: whole.index(MANIFEST.encode())]
    cases["no_text"] = whole.replace(b"kernel/0001_ground.sql", b"kernel/0001_\xffround.sql", 1)
    made_at = whole.rindex(b'"made_at": "20') + 14
    cases["other_time"] = whole[:made_at] + b"19" + whole[made_at + 2 :]
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadBackup):
            verified(tmp_path / name, lambda count: None)
    copy = House(tmp_path / "copy")
    refused(copy.command("restore", str(tmp_path / "flipped")), "backup.bad_backup", "damaged")
    refused(copy.command("restore", str(tmp_path / "other_time")), "backup.bad_backup", "manifest.json is not what")
    refused(copy.command("restore", str(tmp_path / "missing")), "backup.bad_backup", "there is no file")
    assert not copy.home.exists()


def small_backup(target: Path) -> Manifest:
    """A backup of next to nothing; what its manifest says."""
    (target.parent / "dump").write_bytes(b"PGDMP")
    manifest = Manifest(FORMAT, "0.1.0", datetime(2026, 7, 28, tzinfo=UTC), "18.0", 18, {"auth": ["0001"]}, 7, {})
    with open(target, "wb") as output, open(target.parent / "dump", "rb") as source:
        archive = Archive(output)
        archive.add(DATABASE, source)
        archive.close(replace(manifest, members=archive.members))
    return verified(target, lambda count: None)


def test_no_byte_of_a_manifest_can_be_another_one(tmp_path):
    made = tmp_path / "shop.tar"
    body = written(small_backup(made))
    whole = made.read_bytes()
    start = whole.index(body)
    for at in range(start, start + len(body)):
        for byte in {whole[at] ^ 1, whole[at] ^ 0x80, *b'0129" '} - {whole[at]}:
            made.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with pytest.raises(BadBackup):
                verified(made, lambda count: None)


def test_a_former_backup_whose_manifest_has_no_checksum_of_its_own_is_taken(file, tmp_path):
    """As it was written then: format 1, and no word of such a checksum."""
    manifest = verified(file, lambda count: None)
    assert manifest.format == FORMAT
    unpack(file, tmp_path / "parts", lambda count: None)
    facts = json.loads(written(manifest))
    facts["format"] = UNSEALED
    del facts["sha256"]
    (tmp_path / "parts" / MANIFEST).write_text(json.dumps(facts))
    with tarfile.open(tmp_path / "former.tar", "w") as tar:
        for name in (*manifest.members, MANIFEST):
            tar.add(tmp_path / "parts" / name, name)
    copy = House(tmp_path / "copy")
    ok(copy.command("restore", str(tmp_path / "former.tar")))
    assert json.loads(ok(copy.command("invariants")))["ok"]


@pytest.mark.parametrize("name", ["/etc/passwd", "files/../../x", "files/", "other", "files//x", "..", "files/./x"])
def test_nothing_in_a_backup_leads_out_of_the_folder(name):
    assert not is_safe(name)
    assert is_safe("files/media/ab/1.webp")


def test_a_backup_of_a_newer_version_is_refused_and_says_so(file, tmp_path):
    manifest = verified(file, lambda count: None)
    unpack(file, tmp_path / "parts", lambda count: None)
    migrations = {**manifest.migrations, "orders": [*manifest.migrations["orders"], "9999_future.sql"]}
    newer = repacked(tmp_path / "parts", tmp_path / "newer.tar", manifest, migrations=migrations, version="9.9")
    copy = House(tmp_path / "copy")
    refused(
        copy.command("restore", str(newer)), "backup.cannot_restore", "newer Sampan (9.9)", "orders/9999_future.sql"
    )
    assert not copy.home.exists()


def test_what_cannot_be_is_refused_in_words(shop, file, tmp_path):
    refused(shop.command("restore", str(file)), "backup.cannot_restore", "holds a shop already", "--home")
    refused(shop.command("backup", str(file)), "backup.cannot_back_up", "there already")
    refused(shop.command("backup", str(tmp_path / "none/shop.tar")), "backup.cannot_back_up", "no folder")
    empty = House(tmp_path / "empty")
    refused(empty.command("backup", str(tmp_path / "b.tar")), "backup.cannot_back_up", "there is no shop")
    own = {"SAMPAN_DATABASE_URL_ORDERS": "postgresql://elsewhere/orders"}
    refused(
        shop.command("backup", str(tmp_path / "b.tar"), **own), "backup.cannot_back_up", "SAMPAN_DATABASE_URL_ORDERS"
    )
    refused(empty.command("restore", str(file), **own), "backup.cannot_restore", "SAMPAN_DATABASE_URL_ORDERS")
    assert list(tmp_path.iterdir()) == []


def test_a_service_has_a_user_or_a_database_of_its_own(house, place, tmp_path):
    async def found() -> tuple[str, str]:
        full, name = await place.new_database(), f"own_{uuid4().hex[:8]}"
        admin = await asyncpg.connect(place.url("postgres"))
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        return full, place.url(name)

    async def schemas(url: str) -> set[str]:
        connection = await asyncpg.connect(url)
        try:
            return {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
        finally:
            await connection.close()

    full, empty = asyncio.run(found())
    user = {"SAMPAN_DATABASE_URL": full, "SAMPAN_DATABASE_URL_ORDERS": full.replace("postgres@", "sampan_orders@")}
    assert user["SAMPAN_DATABASE_URL_ORDERS"] != full
    ok(house.command("backup", str(tmp_path / "shop.tar"), **user))  # one database: all of it is there
    own = {"SAMPAN_DATABASE_URL": full, "SAMPAN_DATABASE_URL_ORDERS": empty}
    ok(house.command("migrate", **own))
    assert asyncio.run(schemas(empty)) & {"orders", "catalog", "payments"} == {"orders"}
    assert json.loads(ok(house.command("invariants", **own)))["ok"]
    assert "BAD" not in house.command("doctor", **own).stdout


def test_another_postgresql_is_backed_up_and_restored_by_the_same_commands(house, place, tmp_path):
    async def two() -> tuple[str, str]:
        full, name = await place.new_database(), f"empty_{uuid4().hex[:8]}"
        admin = await asyncpg.connect(place.url("postgres"))
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        return full, place.url(name)

    full, empty = asyncio.run(two())
    made = tmp_path / "shop.tar"
    ok(house.command("backup", str(made), SAMPAN_DATABASE_URL=full))
    copy = House(tmp_path / "copy")
    ok(copy.command("restore", str(made), SAMPAN_DATABASE_URL=empty))
    assert not (copy.home / "postgres").exists()
    assert json.loads(ok(copy.command("invariants", SAMPAN_DATABASE_URL=empty)))["ok"]
    again = House(tmp_path / "again")
    refused(
        again.command("restore", str(made), SAMPAN_DATABASE_URL=empty),
        "backup.cannot_restore",
        "has a schema",
        "already",
    )


def test_a_server_that_no_tool_fits_is_named():
    with pytest.raises(DumpFailed, match="PostgreSQL 9: install its client programs"):
        tools_for(9)
    assert (tools_for(18) / "pg_dump").exists()


def test_a_password_does_not_stand_on_a_command_line():
    assert without_password("postgresql://me:s%3Fcret@db:5432/shop?sslmode=require") == (
        "postgresql://me@db:5432/shop?sslmode=require",
        "s?cret",
    )
    assert without_password("postgresql://me@db/shop?password=s%3Fcret&sslmode=require") == (
        "postgresql://me@db/shop?sslmode=require",
        "s?cret",
    )
    assert without_password("postgresql://postgres@/sampan?host=/tmp/x") == (
        "postgresql://postgres@/sampan?host=/tmp/x",
        "",
    )


@pytest.mark.parametrize("kilobytes", [200, 800])
def test_a_disk_that_is_too_small_is_named_and_nothing_half_stays_on_it(shop, tmp_path, kilobytes):
    disk = tmp_path / "disk"
    with small_disk(disk, f"{kilobytes}k"):
        done = shop.command("backup", str(disk))
        assert done.returncode in (EXIT["kernel.dump_failed"], SYSTEM_REFUSES), done.stderr
        [line] = [line for line in done.stderr.splitlines() if line.startswith("sampan: ")]
        assert "No space left on device" in line
        assert "Traceback" not in done.stderr
        assert [path for path in disk.rglob("*") if path.is_file()] == []


def test_a_disk_without_hard_links_takes_a_backup_and_nothing_is_replaced(tmp_path, monkeypatch):
    def refuse(*names: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as link(2) says it of FAT

    monkeypatch.setattr(os, "link", refuse)
    whole, target = tmp_path / "whole", tmp_path / "shop.tar"
    whole.write_text("today's")
    give_name(whole, target)
    assert target.read_text() == "today's"
    assert not whole.exists()
    whole.write_text("another")
    with pytest.raises(FileExistsError):
        give_name(whole, target)
    assert target.read_text() == "today's"


def test_two_backups_into_one_folder_do_not_mix(shop, key, tmp_path):
    stage = tmp_path / ".sampan-backup"
    stage.mkdir()
    descriptor = os.open(stage, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    refused(shop.command("backup", str(tmp_path / "shop.tar")), "backup.cannot_back_up", "another backup")
    os.close(descriptor)
