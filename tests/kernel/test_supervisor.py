"""What is looked at before the first process starts."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from sampan.database import DatabaseUnreachable, prepare, wait_for_peers
from sampan.door import PortTaken, listen
from sampan.home import AlreadyRunning, held, urls_for
from sampan.kernel.settings import BadSetting, load
from sampan.run import Cycle, MissingPeer, NoSuchService, chosen, declared, in_order


def test_a_taken_port_is_named_with_what_to_do():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} .* --port"):
            listen("127.0.0.1", port)
    listen("127.0.0.1", port).close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every port is for everybody")
def test_a_port_that_is_not_for_everybody_is_not_said_to_be_taken():
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    code = "from sampan.door import listen; listen('127.0.0.1', 1)"
    done = subprocess.run([*powerless, sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "PortTaken: port 1 on 127.0.0.1 is not for us: Permission denied; choose one from 1024 on" in done.stderr


STARTS = """
import os, signal, socket, sys, time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from sampan import supervisor
from sampan.supervisor import Child, Spec


def sleep(path):
    Path(path).write_text(f"{os.getpid()} {os.getpgid(0)}")
    time.sleep(60)


def until(what):
    for _ in range(400):
        if what():
            return
        time.sleep(0.05)
    sys.exit("it took too long")


if __name__ == "__main__":
    mine, other = socket.socketpair()
    there = Path(sys.argv[1]) / "there"
    child = Child(Spec("web 1", partial(sleep, str(there)), mine), [other])
"""


def started(tmp_path, *lines):
    """Run lines in a program of its own, where a fork disturbs nobody: what they say to a child that sleeps."""
    code = tmp_path / "starts.py"
    code.write_text(STARTS + "".join(f"    {line}\n" for line in lines))
    done = subprocess.run([sys.executable, str(code), str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_cannot_be_started_is_tried_again_and_ends_nobody_else(tmp_path):
    said = started(
        tmp_path,
        "def refuse(): raise BlockingIOError(11, 'no process left')",
        "fork, os.fork = os.fork, refuse",
        "child.watch()",
        "child.watch()",
        "print(child.process)",
        "os.fork = fork",
        "until(lambda: child.watch() or child.process and there.exists())",
        "child.process.kill()",
        "child.process.join()",
        "print(child.process.exitcode)",
    )
    assert said.split() == ["None", "-9"]


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_process_stands_on_its_own_feet(tmp_path, way):
    """A group of its own, its name, and no socket that is another's; forked, and as macOS has it."""
    said = started(
        tmp_path,
        f"supervisor.STARTING = get_context({way!r})",
        "child.watch()",
        "other.close()",
        "until(lambda: there.exists() and there.read_text())",
        "pid, group = map(int, there.read_text().split())",
        "print(pid == group == child.process.pid, Path(f'/proc/{pid}/comm').read_text().strip())",
        "mine.settimeout(10)",
        "print(mine.recv(1))",  # the end, for nobody holds the other one
        "child.process.terminate()",
        "child.process.join()",
        "print(child.process.exitcode)",
    )
    assert said.splitlines() == ["True web 1", "b''", "-15"]


def test_a_signal_in_the_first_moment_of_a_process_is_not_lost(tmp_path):
    """It comes while the process is still our likeness, with our way of taking a signal."""
    said = started(
        tmp_path,
        "signal.signal(signal.SIGTERM, lambda *_: None)",
        "fork = os.fork",
        "def forked():",
        "    pid = fork()",
        "    if pid == 0:",
        "        os.kill(os.getpid(), signal.SIGTERM)",
        "    return pid",
        "os.fork = forked",
        "child.watch()",
        "child.process.join(30)",
        "print(child.process.exitcode)",
    )
    assert said == "-15\n"


def test_a_process_that_outlives_the_supervisor_does_not_hold_its_folder(tmp_path):
    said = started(
        tmp_path,
        "from sampan.home import held",
        "with held(Path(sys.argv[1])):",
        "    child.watch()",
        "    until(lambda: there.exists() and there.read_text())",
        "with held(Path(sys.argv[1])):",
        "    print('ours', child.process.exitcode)",
        "child.process.kill()",
        "child.process.join()",
    )
    assert said == "ours None\n"


def test_an_address_of_another_machine_is_a_wrong_setting():
    with pytest.raises(BadSetting, match="SAMPAN_HOST"):
        listen("192.0.2.1", 0)


def test_a_data_folder_belongs_to_one_supervisor_at_a_time(tmp_path):
    with held(tmp_path / "home"):
        with pytest.raises(AlreadyRunning, match="running already"), held(tmp_path / "home"):
            pass
        with held(tmp_path / "other"):
            pass
    with held(tmp_path / "home") as was_killed:
        assert not was_killed


def test_whoever_follows_a_supervisor_that_was_killed_knows_it_and_waits_for_the_port(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from sampan.home import held\n"
        "with held(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=30)
    assert done.returncode == -9
    with held(tmp_path) as was_killed:
        assert was_killed
    with held(tmp_path) as was_killed:
        assert not was_killed
    with socket.socket() as former:
        former.bind(("127.0.0.1", 0))
        former.listen()
        port = former.getsockname()[1]
        threading.Timer(0.4, former.close).start()
        listen("127.0.0.1", port, seconds=10).close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:9/sampan",
        "postgresql://postgres@no-such-host.invalid/sampan",
        "postgresql://postgres@/sampan?host=/nowhere",
    ],
)
async def test_a_database_that_does_not_answer_is_named_by_its_setting(tmp_path, url):
    settings = load({"SAMPAN_DATABASE_URL": url}, home=str(tmp_path))
    with pytest.raises(DatabaseUnreachable, match="SAMPAN_DATABASE_URL"):
        await prepare(settings, urls_for(settings, ["auth"], apart=False).admin)


async def test_a_database_or_user_that_is_not_there_is_named_by_its_setting(tmp_path, place):
    for url in (place.url("no_such_database"), place.url("postgres", user="nobody_here")):
        settings = load({"SAMPAN_DATABASE_URL": url}, home=str(tmp_path))
        with pytest.raises(DatabaseUnreachable, match=r"SAMPAN_DATABASE_URL: .*does not exist"):
            await prepare(settings, urls_for(settings, ["auth"], apart=False).admin)


async def test_what_is_no_database_address_is_a_wrong_setting(tmp_path):
    settings = load({"SAMPAN_DATABASE_URL": "mysql://shop"}, home=str(tmp_path))
    with pytest.raises(BadSetting, match="SAMPAN_DATABASE_URL"):
        await prepare(settings, urls_for(settings, ["auth"], apart=False).admin)


def test_a_service_that_needs_a_peer_does_not_start_without_it(tmp_path):
    everywhere = {f"SAMPAN_URL_{name.upper()}": "http://127.0.0.1:9" for name in declared(sandbox=True)}
    settings = load(everywhere, home=str(tmp_path))
    started = time.monotonic()
    with pytest.raises(MissingPeer, match=r"orders needs \w+, .*SAMPAN_URL_"):
        wait_for_peers(settings, ["orders"], seconds=0.5)
    assert 0.5 <= time.monotonic() - started < 5


def test_whoever_needs_nobody_or_brings_everybody_waits_for_nobody(tmp_path):
    everywhere = {f"SAMPAN_URL_{name.upper()}": "http://127.0.0.1:9" for name in declared(sandbox=True)}
    settings = load(everywhere, home=str(tmp_path))
    started = time.monotonic()
    wait_for_peers(settings, [], seconds=5)
    wait_for_peers(settings, ["auth"], seconds=5)
    assert time.monotonic() - started < 1


def test_a_service_that_is_none_of_ours_is_refused_with_those_there_are(tmp_path):
    settings = load({}, home=str(tmp_path))
    with pytest.raises(NoSuchService, match=r"no service boats; there are: .*orders"):
        chosen(["orders", "boats"], settings)
    here, everything = chosen(["orders"], settings)
    assert list(here) == ["orders"]
    assert "catalog" in everything


def test_stand_ins_for_providers_do_not_exist_in_production():
    assert "vnpay_sandbox" in declared(sandbox=True)
    assert "vnpay_sandbox" not in declared(sandbox=False)


def test_services_that_need_each_other_in_a_circle_do_not_start():
    everything = declared(sandbox=True)
    assert list(in_order(dict(reversed(everything.items())))).index("catalog") < list(everything).index("orders")
    from msgspec.structs import replace

    contract = everything["orders"].contract
    everything["catalog"] = replace(everything["catalog"], needs=(contract,))
    with pytest.raises(Cycle, match=r"orders → .*"):
        in_order(everything)
