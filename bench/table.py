"""The results as Markdown: what was measured, and how it stands to the targets."""

import platform
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench.measure import Statements
from bench.run import AT_CLIENTS, Row
from bench.sale import Sale


class Results(Struct):
    """A whole run, as it is kept in bench/results."""

    at: str
    commit: str
    products: int
    workers: int
    machine: str
    rows: list[Row]
    statements: dict[str, Statements]
    pgbench: dict[str, float]  # "tpcb 16": transactions a second
    memory_application: float = 0.0  # MB, proportional set size
    memory_mapped: float = 0.0  # of it pages of files, which the kernel takes back when it needs them
    memory_postgres: float = 0.0
    start_seconds: float = 0.0
    start_cpu: float = 0.0  # seconds of CPU until then
    seeding: float = 0.0  # products a second
    spread: bool = False
    idle: float = 0.0  # CPUs that the shop uses while nobody asks for anything
    sale: Sale | None = None
    invariants: bool | None = None
    aborted: dict[str, str] = {}


class Target(Struct):
    """At least `rate` operations a second, at most `cpu` milliseconds each, where given."""

    scenario: str
    words: str
    rate: float
    cpu: float | None = None


TARGETS: Final = (
    Target("product_detail", "product detail", 10_000, 0.2),
    Target("list", "list of 24", 8_000, 0.25),
    Target("search", "search with facets", 2_000, 1.0),
    Target("add_to_cart", "add to cart", 1_400, 1.4),
    Target("checkout", "complete checkout", 200, 10.0),
    Target("product_page", "product page, HTML", 3_000),
)
STATEMENTS: Final = 60
LATENCIES: Final = {"reads": 20.0, "add": 50.0, "place order": 80.0}
MEMORY: Final = 400
START: Final = 3.0
SEEDING: Final = 2000
WITH_MORE: Final = 0.8  # of the rates with the smaller catalogue


def machine() -> str:
    """Processors and kernel of this machine."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return f"{cores} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def grid(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, marks, *rows])


def rows_table(results: Results) -> str:
    head = ["scenario", "clients", "/s", "alone /s", "p50 ms", "p95 ms", "CPU ms", "app + PG", "SQL", "hits", "errors"]
    head += ["of limit", "limit /s", "generator", "others", "workers %"]
    rows = []
    for row in results.rows:
        sql = results.statements.get(row.scenario)
        rows.append(
            [
                row.scenario,
                str(row.clients),
                number(row.rate),
                number(row.alone),
                f"{row.p50:.1f}",
                f"{row.p95:.1f}",
                f"{row.cpu:.3f}",
                f"{row.application:.3f} + {row.postgres:.3f}",
                sql_cell(sql) if sql else "",
                "" if row.hits is None or row.kind != "read" else f"{row.hits:.0%}",
                str(row.errors),
                "" if row.of_limit is None else f"{row.of_limit:.0%}",
                "" if row.limit is None else number(row.limit),
                f"{row.generator:.2f}",
                f"{row.others:.2f}",
                "/".join(map(str, row.workers)),
            ]
        )
    return grid(head, rows)


def sql_cell(sql: Statements) -> str:
    """Until it is answered, behind the scenes, and all with many buyers; reads have only the first."""
    alone = f"{sql.answering:.1f}"
    return alone if sql.crowded is None else f"{alone} + {sql.behind:.1f}, {sql.crowded:.1f}"


def steps_table(results: Results) -> str:
    """The steps of a checkout: time and statements."""
    row = next((r for r in results.rows if r.scenario == "checkout" and r.clients == AT_CLIENTS), None)
    row = row or next((r for r in results.rows if r.scenario == "checkout"), None)
    sql = results.statements.get("checkout")
    if row is None or sql is None:
        return ""
    rows = []
    for step, statements in sql.by_step.items():
        latency = row.steps.get(step)
        times = [f"{latency.p50:.1f}", f"{latency.p95:.1f}"] if latency else ["", ""]
        rows.append([step, *times, f"{sum(statements.values()):.1f}"])
    return grid([f"step of checkout, {row.clients} clients", "p50 ms", "p95 ms", "SQL"], rows)


def targets_table(results: Results, smaller: Results | None) -> str:
    """Against what the shop promises; `smaller` is a run with fewer products to compare with."""
    rows: list[list[str]] = []

    def line(what: str, wanted: str, found: str, met: bool) -> None:
        rows.append([what, wanted, found, "yes" if met else "**no**"])

    for target in TARGETS:
        best = max((r for r in results.rows if r.scenario == target.scenario), key=lambda r: r.rate, default=None)
        if best is None:
            continue
        line(f"{target.words} /s", f"≥ {target.rate:,.0f}", number(best.rate), best.rate >= target.rate)
        if target.cpu is not None:
            line(f"{target.words}, CPU ms", f"≤ {target.cpu}", f"{best.cpu:.3f}", best.cpu <= target.cpu)
    if sql := results.statements.get("checkout"):
        alone = sql.answering + sql.behind
        total = alone if sql.crowded is None else sql.crowded
        found = f"{total:.0f} (of one buyer alone {sql.answering:.0f} until the answers, {sql.behind:.0f} behind)"
        line(f"all SQL statements per checkout, {AT_CLIENTS} clients", f"≤ {STATEMENTS}", found, total <= STATEMENTS)
    at = [r for r in results.rows if r.clients == AT_CLIENTS]
    measured = {
        "reads": [(r.p95, r.scenario) for r in at if r.kind in ("read", "page")],
        "add": [(r.p95, "") for r in at if r.scenario == "add_to_cart"],
        "place order": [(r.steps["place order"].p95, "") for r in at if r.scenario == "checkout"],
    }
    for what, times in measured.items():
        if times:
            slowest, which = max(times)
            name = f"p95 at {AT_CLIENTS} clients, ms: {what}"
            found = f"{slowest:.1f}" + (f" ({which}, the slowest)" if which else "")
            line(name, f"≤ {LATENCIES[what]:.0f}", found, slowest <= LATENCIES[what])
    if smaller is not None:
        for target in TARGETS:
            ours = max((r.rate for r in results.rows if r.scenario == target.scenario), default=0.0)
            theirs = max((r.rate for r in smaller.rows if r.scenario == target.scenario), default=0.0)
            if ours and theirs:
                name = f"{target.words}, share of the rate with {smaller.products:,} products"
                line(name, f"≥ {WITH_MORE}", f"{ours / theirs:.2f}", ours / theirs >= WITH_MORE)
    if results.memory_application:
        found = (
            f"{results.memory_application:.0f} ({results.memory_mapped:.0f} of it mapped files; "
            f"PostgreSQL {results.memory_postgres:.0f} more)"
        )
        line("memory of the application, MB", f"≤ {MEMORY}", found, results.memory_application <= MEMORY)
    if results.start_seconds:
        found = f"{results.start_seconds:.1f} ({results.start_cpu:.1f} of CPU)"
        line("start, s", f"≤ {START:.0f}", found, results.start_seconds <= START)
    if results.seeding:
        found = number(results.seeding)
        if at_best := results.pgbench.get(f"TPC-B {AT_CLIENTS}"):
            found += f" ({100 * results.seeding / at_best:.0f}% of TPC-B)"
        line("seeding, products /s", f"≥ {SEEDING:,}", found, results.seeding >= SEEDING)
    if results.sale is not None:
        sale = results.sale
        found = f"{sale.sold} sold, {sale.refused} refused, {sale.left} left, {sale.seconds:.2f} s"
        well = sale.sold == sale.units and sale.refused == sale.buyers - sale.units and sale.left == 0
        line(f"{sale.buyers} buyers for {sale.units} units", f"sold exactly {sale.units}", found, well)
    if results.invariants is not None:
        line("invariants after all of it", "hold", "hold" if results.invariants else "broken", results.invariants)
    return grid(["target", "wanted", "measured", "met"], rows)


def markdown(results: Results, smaller: Results | None = None) -> str:
    parts = [
        f"{results.at}, commit {results.commit}, {results.products:,} products, {results.workers} web workers, "
        f"rate limits off, connections {'spread evenly' if results.spread else 'as they fall'}\n{results.machine}",
        targets_table(results, smaller),
        rows_table(results),
        steps_table(results),
    ]
    parts.append(f"idle, the shop uses {results.idle:.3f} CPUs; operations at low rates bear that too")
    if results.pgbench:
        figures = ", ".join(f"{name} clients {number(rate)}/s" for name, rate in results.pgbench.items())
        parts.append(f"pgbench on the shop's PostgreSQL with its settings: {figures}")
    parts += [f"**{name} was aborted:** {why}" for name, why in results.aborted.items()]
    return "\n\n".join(part for part in parts if part) + "\n"
