"""The embedded PostgreSQL: it starts from nothing, ends cleanly, and copes with what a kill -9 leaves behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress

import asyncpg
import pytest
from tests.processes.conftest import eventually, frozen

from sampan.kernel import postgres
from sampan.kernel.db import Database, DatabaseUnavailable, open_pool
from sampan.kernel.doorbell import Doorbell
from sampan.kernel.feed import Signals
from sampan.kernel.postgres import EmbeddedPostgres, PostgresFailed, command_of, make_private


@pytest.fixture
def server(tmp_path):
    found = EmbeddedPostgres(tmp_path / "postgres", fsync=False)
    yield found
    found.stop()


async def ask(server: EmbeddedPostgres, sql: str):
    connection = await asyncpg.connect(server.url("postgres"), timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture
def durable(tmp_path):
    """As a shop runs it."""
    found = EmbeddedPostgres(tmp_path / "durable")
    yield found
    found.stop()


async def test_what_was_committed_is_there_after_a_kill_and_a_new_start(durable):
    server = durable
    server.start()
    await ask(server, "CREATE TABLE boat AS SELECT 7 AS id")
    pool = await open_pool(server.url("postgres"), size=2)
    first = server.process
    first.kill()
    first.wait()
    assert not server.alive()
    until = time.monotonic() + 20
    with pytest.raises(DatabaseUnavailable):
        while time.monotonic() < until:  # its own processes notice within moments: one may answer once more
            async with Database(pool, "boats").read() as tx:
                assert await tx.one(int, "SELECT id FROM boat") == 7
    while True:  # and until then it refuses to start
        try:
            await asyncio.to_thread(server.start)
            break
        except PostgresFailed:
            assert time.monotonic() < until
            await asyncio.sleep(0.2)
    async with Database(pool, "boats").read() as tx:
        assert await tx.one(int, "SELECT id FROM boat") == 7  # the same pool has healed
    await pool.close()


async def test_without_a_server_every_connection_is_a_refusal_to_try_again_later(server):
    server.start()
    pool = await open_pool(server.url("postgres"), size=1)
    await asyncio.to_thread(server.stop)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable) as refusal:
            async with Database(pool, "boats").begin() as tx:
                await tx.execute("SELECT 1")
        assert (refusal.value.status, refusal.value.facts["retry_after"]) == (503, 2)
    await pool.close()


async def test_a_server_that_hangs_is_waited_for_once_and_used_again_when_it_is_back(server):
    server.start()
    await ask(server, "CREATE TABLE boat (id int)")
    pool = await open_pool(server.url("postgres"), size=2, patience=1.5)
    db = Database(pool, "boats")
    with ExitStack() as ice:
        with pytest.raises(DatabaseUnavailable) as refusal:
            async with db.begin() as tx:
                await tx.execute("INSERT INTO boat VALUES (7)")
                ice.enter_context(frozen(server.process.pid))
                since = time.monotonic()
                await tx.execute("INSERT INTO boat VALUES (8)")
        assert time.monotonic() - since < 2.5  # it is not asked to roll back as well
        assert refusal.value.facts["retry_after"] == 2
    async with db.read() as tx:
        assert await tx.many(int, "SELECT id FROM boat") == []
    await pool.close()


async def test_a_server_whose_owner_was_killed_is_ended_cleanly_and_the_next_one_starts(server, tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from sampan.kernel.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), fsync=False); server.start()\n"
        "print(server.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(server.folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    assert str(server.folder) in command_of(orphan)
    await ask(server, "CREATE TABLE boat AS SELECT 7 AS id")
    server.start()
    assert command_of(orphan) == ""
    assert server.process.pid != orphan
    assert await ask(server, "SELECT id FROM boat") == 7


def test_a_pid_file_that_names_somebody_else_is_no_obstacle_and_somebody_else_is_left_alone(server):
    server.start()
    server.stop()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for content in (f"{other.pid}\n{server.folder}\n", f"{os.getpid()}\n", "99999999\n"):
            (server.folder / "postmaster.pid").write_text(content)
            server.start()
            assert server.answers()
            server.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_a_server_that_has_much_to_do_again_after_a_crash_is_given_the_time_it_takes(durable):
    durable.start()
    await ask(durable, "CREATE TABLE boat (id int, name text)")
    await ask(durable, "CHECKPOINT")
    for _ in range(4):
        await ask(durable, "INSERT INTO boat SELECT id, repeat('x', 200) FROM generate_series(1, 200000) AS id")
    durable.process.kill()
    durable.process.wait()
    until = time.monotonic() + 20
    while True:  # its own processes notice within moments, and until then it refuses to start
        try:
            await asyncio.to_thread(durable.start, seconds=0.5)
            break
        except PostgresFailed as failure:
            if "shared memory" not in failure.detail or time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
    assert await ask(durable, "SELECT count(*) FROM boat") == 800_000


@pytest.mark.parametrize("made", ["PG_VERSION", "global/pg_control", "base/1/PG_VERSION"])
def test_a_first_start_that_was_killed_while_it_made_the_cluster_is_followed_by_one_that_works(server, made):
    code = "import sys; from pathlib import Path; from sampan.kernel.postgres import EmbeddedPostgres as P\n"
    with subprocess.Popen([sys.executable, "-c", f"{code}P(Path(sys.argv[1])).start()", server.folder]) as first:
        eventually(lambda: list(server.folder.parent.glob(f"postgres*/{made}")), 20)
        first.kill()

    def all_killed() -> bool:
        """initdb, and what it runs, also what it began while we looked."""
        processes = map(int, filter(str.isdigit, os.listdir("/proc")))
        found = [pid for pid in processes if f"-D {server.folder}" in command_of(pid)]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    eventually(all_killed, 20)
    server.start()
    assert asyncio.run(ask(server, "SELECT 1")) == 1
    server.stop()
    server.start()  # by now whatever was still dying is dead
    assert {path.name for path in server.folder.parent.iterdir()} == {"postgres", "postgres.log"}


def test_a_server_that_cannot_start_says_why(server):
    server.start()
    server.stop()
    (server.folder / "postgresql.conf").write_text("this is no setting\n")
    with pytest.raises(PostgresFailed, match=r"did not start: .*postgresql\.conf"):
        server.start()
    assert not server.alive()


def test_a_log_that_has_grown_long_is_put_aside_at_the_next_start(server):
    old = server.log.with_suffix(".log.1")
    for size, kept in ((postgres.MOST_LOG, False), (postgres.MOST_LOG + 1, True)):
        with open(server.log, "wb") as log:
            log.truncate(size)
        server.start()
        server.stop()
        assert old.exists() is kept
    assert (old.stat().st_size, server.log.stat().st_size < 10_000) == (postgres.MOST_LOG + 1, True)


def test_a_folder_for_sockets_that_somebody_else_may_have_made_is_refused_and_nobody_in_it_is_asked(server, tmp_path):
    server.start()
    other = EmbeddedPostgres(tmp_path / "other", fsync=False)
    other.folder.mkdir()
    other.sockets.symlink_to(server.sockets)
    try:
        assert not other.answers()
        with pytest.raises(PostgresFailed, match=f"{other.sockets} was made by somebody else"):
            other.start()
    finally:
        other.sockets.unlink()
    assert not other.answers()


@pytest.mark.parametrize("what", ["link", "file", "foreign"])
def test_what_is_no_folder_of_ours_is_left_alone_and_named(tmp_path, what):
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    owners = {os.geteuid()}
    if what == "link":
        place.symlink_to(elsewhere)
    elif what == "file":
        place.touch()
    else:
        place.mkdir(mode=0o755)
        owners = {os.geteuid() + 1}
    before = place.stat().st_mode
    with pytest.raises(PostgresFailed, match="somebody else, or is no folder; remove it, or set TMPDIR"):
        make_private(place, owners)
    assert place.stat().st_mode == before
    if what != "foreign":
        with pytest.raises(PostgresFailed):
            Doorbell(place, Signals())


@pytest.mark.parametrize("mode", [None, 0o700, 0o755, 0o777])
def test_a_folder_of_ours_is_made_or_closed_to_everybody_else(tmp_path, mode):
    place = tmp_path / "place"
    if mode is not None:
        place.mkdir()
        place.chmod(mode)
    make_private(place, {os.geteuid()})
    assert place.stat().st_mode & 0o777 == 0o700
    if mode is not None:
        place.chmod(mode)
    Doorbell(place, Signals()).socket.close()
    assert place.stat().st_mode & 0o777 == 0o700


def test_it_is_reached_through_its_own_socket_only(server):
    server.start()
    assert server.sockets.stat().st_mode & 0o077 == 0
    assert asyncio.run(ask(server, "SHOW listen_addresses")) == ""


ASKED_TO_STOP = """
import os, signal, subprocess, sys
from pathlib import Path
from sampan.kernel.postgres import EmbeddedPostgres
from sampan.kernel.stopping import ends_on_sigterm

begin = subprocess.Popen

def interrupted(*arguments, **more):
    process = begin(*arguments, **more)
    if "-D" in arguments[0]:
        os.kill(os.getpid(), signal.SIGTERM)
    return process

subprocess.Popen = interrupted
server = EmbeddedPostgres(Path(sys.argv[1]))
try:
    with ends_on_sigterm():
        server.begin()
except SystemExit:
    print("asked to stop")
    print(server.alive())
    server.stop()
"""


def test_who_is_asked_to_stop_while_the_server_starts_knows_of_it(server):
    """Otherwise nobody would stop it: it is there before what started it is written down."""
    server.start()
    server.stop()
    done = subprocess.run(
        [sys.executable, "-c", ASKED_TO_STOP, server.folder], check=False, capture_output=True, text=True
    )
    assert done.stdout.split() == ["asked", "to", "stop", "True"], done.stderr
    assert not (server.folder / "postmaster.pid").exists()
