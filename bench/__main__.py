"""`python -m bench`: one command, one table. docs/performance.md says what it measures and how."""

import argparse
import contextlib
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.drive import Caller, Refused, WrongAnswer
from bench.limits import bare_server
from bench.run import Bench, Plan, say
from bench.sale import flash_sale
from bench.scenarios import Scenario, add_to_cart, carts, checkout, mixed, read_catalogue, reads
from bench.shop import RunningShop
from bench.table import Results, machine, markdown

ROOT = Path(__file__).resolve().parent.parent
SOLD = 2500  # products whose variants are put into carts
BUYERS, UNITS = 50, 10
SEEDED = 6000  # products, to measure how fast they come in


def options() -> argparse.Namespace:
    found = argparse.ArgumentParser(prog="bench", description="Measure a whole shop on this machine.")
    found.add_argument("--products", type=int, default=10_000, help="made-up products (default 10,000)")
    found.add_argument("--clients", default="", help="comma-separated numbers of clients (default 1,16,64)")
    found.add_argument("--only", default="", help="comma-separated scenarios; default all but the sale: all")
    found.add_argument("--quick", action="store_true", help="short rows, 1 and 16 clients")
    found.add_argument("--seconds", type=float, help="length of a row (default 5, quick 2)")
    found.add_argument("--workers", type=int, default=2, help="web workers (default 2)")
    found.add_argument("--home", default="", help="data folder, filled once (default .bench/<products>)")
    found.add_argument("--json", default="", help="where the figures go (default bench/results/<date>.json)")
    found.add_argument("--against", default="", help="figures of a run with fewer products, to compare with")
    found.add_argument("--no-limits", action="store_true", help="leave out the bare server and pgbench")
    found.add_argument("--no-statements", action="store_true", help="do not count SQL statements")
    found.add_argument("--no-demo", action="store_true", help="fill without the demo's goods (no home page)")
    found.add_argument("--most", type=int, help="operations of a row at most: to see that everything works")
    found.add_argument("--spread", action="store_true", help="as many connections to each web worker")
    found.add_argument("--seed", type=int, default=2026, help="of all that is random")
    found.add_argument("--profile", action="store_true", help="py-spy on a web worker and the background process")
    return found.parse_args()


def plan_of(chosen: argparse.Namespace) -> Plan:
    clients = [int(part) for part in chosen.clients.split(",") if part] or ([1, 16] if chosen.quick else [1, 16, 64])
    seconds = chosen.seconds or (2.0 if chosen.quick else 5.0)
    limit = 0.0 if chosen.no_limits else min(seconds, 2.0)
    return Plan(
        clients,
        seconds if chosen.most is None else 60.0,
        warm=min(1.0, seconds),
        limit_seconds=limit,
        counted=0 if chosen.no_statements else min(10, chosen.most or 10),
        spread=chosen.spread,
        most=chosen.most,
    )


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def measure(shop: RunningShop, chosen: argparse.Namespace, results: Results) -> None:
    """Everything, into `results`."""
    plan, only = plan_of(chosen), [name for name in chosen.only.split(",") if name]
    dice = random.Random(chosen.seed)
    key = shop.key()
    say("reading the catalogue …")
    caller = Caller(shop.port)
    catalogue = read_catalogue(caller, key, dice, sold=SOLD)
    caller.close()
    wide = 2000 if chosen.most is None else 2 * chosen.most
    known: list[Scenario] = reads(catalogue, dice, different=wide)
    if not only or {"add_to_cart", "mixed"} & {*only}:
        known.append(add_to_cart(carts(shop.port, catalogue, dice, min(wide, 200) if chosen.quick else wide)))
    known.append(checkout(catalogue))
    known.append(mixed(known))
    unknown = set(only) - {scenario.name for scenario in known} - {"sale", "seeding"}
    if unknown:
        raise SystemExit(f"no such scenario: {', '.join(sorted(unknown))}")
    with contextlib.ExitStack() as stack:
        bare = 0 if chosen.no_limits else stack.enter_context(bare_server(shop.workers))
        bench = Bench(shop, plan, bare_port=bare, seed=chosen.seed)
        for scenario in known:
            if only and scenario.name not in only:
                continue
            if scenario.name == "home" and chosen.no_demo:
                continue
            try:
                run_scenario(bench, scenario, chosen, results)
            except (WrongAnswer, Refused) as wrong:
                results.aborted[scenario.name] = str(wrong)
                say(f"{scenario.name}: aborted: {wrong}")
        if not chosen.no_limits:
            for clients in plan.clients:
                results.pgbench[f"TPC-B {clients}"] = bench.database(clients, select_only=False)
                results.pgbench[f"select {clients}"] = bench.database(clients, select_only=True)
    if not only or "sale" in only:
        results.sale = flash_sale(shop.port, key, buyers=BUYERS, units=UNITS)
    shop.group.settle(most=20)
    results.idle = shop.group.idle(3.0)
    results.memory_application, results.memory_mapped, results.memory_postgres = shop.group.memory()


def run_scenario(bench: Bench, scenario: Scenario, chosen: argparse.Namespace, results: Results) -> None:
    bench.check(scenario)
    if bench.plan.counted:
        results.statements[scenario.name] = bench.statements(scenario)
    bench.warm_up(scenario)
    with profiled(bench.shop, scenario.name) if chosen.profile else contextlib.nullcontext():
        for row in bench.rows(scenario):
            results.rows.append(row)
            say(
                f"{row.scenario:20} {row.clients:3} clients {row.rate:9,.0f}/s  p95 {row.p95:7.1f} ms  "
                f"CPU {row.cpu:7.3f} ms  errors {row.errors}"
            )


@contextlib.contextmanager
def profiled(shop: RunningShop, name: str):  # type: ignore[no-untyped-def]
    """py-spy beside a scenario's rows; its own CPU is counted as a stranger's."""
    folder = shop.home / "profiles"
    folder.mkdir(exist_ok=True)
    application, _ = shop.group.members()
    wanted = [p for p in application if p.name.startswith(("web", "background"))]
    running = []
    for process in wanted:
        kind = process.name.replace(" ", "-")
        target = folder / f"{name}-{kind}-{process.pid}.txt"
        command = ["py-spy", "record", "--pid", str(process.pid), "--rate", "100", "--format", "raw", "-o", str(target)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    say(f"profiles go to {folder}: pip install py-spy; a line is a stack and its samples")
    try:
        yield
    finally:
        for spy in running:
            spy.send_signal(2)
        for spy in running:
            spy.wait(30)


def main() -> None:
    chosen = options()
    now = datetime.now(UTC)
    home = Path(chosen.home or ROOT / ".bench" / str(chosen.products))
    smaller = msgspec.json.decode(Path(chosen.against).read_bytes(), type=Results) if chosen.against else None
    shop = RunningShop(home, workers=chosen.workers)
    shop.seed(chosen.products, demo=not chosen.no_demo)
    results = Results(
        at=now.strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        products=chosen.products,
        workers=chosen.workers,
        machine=machine(),
        rows=[],
        statements={},
        pgbench={},
        spread=chosen.spread,
    )
    if not chosen.only or "seeding" in chosen.only.split(","):
        results.seeding = shop.seeding(min(chosen.products, SEEDED))
        say(f"seeding {results.seeding:,.0f} products/s")
    try:
        results.start_seconds = shop.start()
        results.start_cpu = shop.group.used().shop
        measure(shop, chosen, results)
        say("checking the invariants …")
        results.invariants = shop.command("invariants", check=False).returncode == 0
    finally:
        shop.stop()
    target = Path(chosen.json) if chosen.json else ROOT / "bench" / "results" / f"{now:%Y-%m-%d-%H%M}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    print(markdown(results, smaller))
    print(f"figures: {target}", file=sys.stderr)
    if results.aborted:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
