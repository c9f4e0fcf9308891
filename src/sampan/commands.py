"""The command line, `sampan`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import msgspec

from sampan.kernel import context
from sampan.kernel.errors import ShopError, invalid
from sampan.kernel.logs import configure
from sampan.kernel.settings import BadSetting, Settings, load

if TYPE_CHECKING:  # a command that needs no service does without them: they take a second to import
    from sampan.run import Shop

# Exit codes that a script can tell apart; documented in docs/operators.md.
EXIT = {
    "kernel.port_taken": 10,
    "kernel.database_unreachable": 11,
    "kernel.migration_failed": 12,
    "kernel.missing_peer": 13,
    "kernel.bad_setting": 14,
    "kernel.postgres_failed": 15,
    "kernel.already_running": 16,
    "kernel.no_such_service": 17,
    "kernel.half_restored": 18,
    "kernel.dump_failed": 19,
    "backup.bad_backup": 20,
    "backup.cannot_back_up": 21,
    "backup.cannot_restore": 22,
}
SYSTEM_REFUSES = 23
NOT_TRIED_AGAIN = {"": "there is no such mail", "forgotten": "what it said is forgotten after ninety days"}
LABELS = {"ok": "ok", "warning": "warn", "bad": "BAD"}


def main(arguments: list[str] | None = None) -> None:
    """Run one command; a refusal is one clear line on standard error and its own exit code."""
    options = parser().parse_args(arguments)
    try:
        settings = load(
            home=getattr(options, "home", None),
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
            workers=getattr(options, "workers", None),
        )
        options.do(settings, options)
    except BadSetting as refusal:
        if options.command != "doctor":
            refuse(refusal)
        from sampan.doctor.finding import bad

        report([bad(refusal.detail, "correct this setting: docs/operators.md lists them all")], as_json=options.json)
    except ShopError as refusal:
        refuse(refusal)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        os._exit(0)
    except OSError as failure:
        print(f"sampan: {failure.filename or options.command}: {failure.strerror or failure}", file=sys.stderr)
        raise SystemExit(SYSTEM_REFUSES) from None


def refuse(refusal: ShopError) -> NoReturn:
    print(f"sampan: {refusal.detail}", file=sys.stderr)
    raise SystemExit(EXIT.get(refusal.code, 1)) from None


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="sampan", description="An open shop: many small boats, one market.")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, do: Callable[[Settings, Any], None], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, description=text, help=text)
        made.set_defaults(do=do)
        made.add_argument("--home", help="data folder (SAMPAN_HOME, default .sampan)")
        return made

    made = command("run", run, "run the whole shop, or the named services only")
    made.add_argument("services", nargs="*", metavar="SERVICE")
    made.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    made.add_argument("--port", type=int, help="port to listen on (default 8000)")
    made.add_argument("--workers", type=int, help="web workers (default 2)")
    made.add_argument("--no-demo", action="store_true", help="do not fill an empty shop with demo goods")
    made = command("fleet", fleet, "run every service as a process of its own, for development and tests")
    made.add_argument("--port", type=int, help="port of the gateway (default 8000)")
    command("migrate", migrate, "bring the database up to date")
    made = command("seed", seed, "fill the shop with demo goods")
    made.add_argument("--products", type=int, metavar="N", help="make N products for measurements instead")
    made.add_argument("--if-empty", action="store_true", help="only when there is nothing yet")
    made = command("key", key, "API keys of staff and integrations")
    made.add_argument("what", choices=("create", "list", "withdraw"))
    made.add_argument("name", nargs="?", default="", help="the key's name; for withdraw its id")
    made.add_argument("--permissions", default="", help="comma-separated, or `all`")
    command("list", list_services, "list the services")
    command("invariants", invariants, "check that money and stock are right; JSON, exit code 1 when they are not")
    command("rules", rules, "print the rules of the shop, collected from the code")
    command("openapi", openapi, "print the OpenAPI document")
    made = command("gateway", gateway, "configuration of a proxy before the shop, made from the route table")
    made.add_argument("what", choices=("render",))
    made.add_argument("edge", choices=("nginx", "kong", "kubernetes"))
    made.add_argument("services", nargs="*", metavar="SERVICE", help="those that are deployed (all)")
    made.add_argument("--to", default="", metavar="URL", help="where all of them are (else where the settings say)")
    made.add_argument("--listen", default="80", metavar="ADDRESS", help="nginx: port, or address and port (80)")
    made = command("search", search, "the search index")
    made.add_argument("what", choices=("rebuild",))
    made = command("locations", locations, "Vietnam's places: take a newer official list into force")
    made.add_argument("what", choices=("import",))
    made.add_argument("provinces", type=contents, metavar="PROVINCES.csv", help="columns: code, full_name")
    made.add_argument(
        "wards", type=contents, metavar="WARDS.csv", help="columns: code, full_name, province_code, formerly"
    )
    made.add_argument("--effective", type=date.fromisoformat, metavar="DATE", help="in force from then on (today)")
    made.add_argument("--source", default="an imported list", metavar="TEXT", help="the resolution it comes from")
    made.add_argument("--dry-run", action="store_true", help="show what the list changes, and change nothing")
    made = command("events", events, "events that failed")
    made.add_argument("what", choices=("redrive",))
    made = command("mails", mails, "mails that failed: see them, and have them sent again")
    made.add_argument("what", choices=("failed", "retry"))
    made.add_argument("ids", nargs="*", type=UUID, metavar="ID", help="retry these; `failed` tells their ids")
    made.add_argument("--all", action="store_true", help="retry all that failed")
    made.add_argument("--limit", type=a_limit, default=50, metavar="N", help="list the newest N, at most 1000 (50)")
    made = command("backup", backup, "write the whole shop to one file, also while it runs")
    made.add_argument("file", type=Path, metavar="FILE", help="a new file, or a folder for a file named by the time")
    made = command("restore", restore, "make a shop of a backup, in an empty data folder")
    made.add_argument("file", type=Path, metavar="FILE", help="what `sampan backup` wrote")
    made.add_argument(
        "--live",
        action="store_true",
        help="this takes the shop's place: let mails and payments out (else the copy is muted)",
    )
    made = command("doctor", doctor, "say what is wrong and how to mend it; exit code 1 when something is bad")
    made.add_argument("--json", action="store_true", help="for programs")
    return found


def contents(path: str) -> bytes:
    """A file named on the command line."""
    try:
        return Path(path).read_bytes()
    except OSError as failure:
        raise argparse.ArgumentTypeError(f"{path}: {failure.strerror}") from None


def a_limit(text: str) -> int:
    """How many of something to list, as the command line says it."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text}: not between 1 and 1000")
    return int(text)


def with_shop(settings: Settings, work: "Callable[[Shop], Awaitable[Any]]", *, hasty: bool = False) -> Any:
    """Do `work` with the whole shop composed in this process.

    `hasty` does not wait for the disk at each commit: a crash of the machine can lose the last second of such work.
    """

    from sampan.database import database
    from sampan.run import compose

    async def go(urls: dict[str, str]) -> Any:
        shop = await compose(settings, urls)
        try:
            return await work(shop)
        finally:
            await shop.close()

    with database(settings) as urls:
        return asyncio.run(go({name: without_waiting(url) if hasty else url for name, url in urls.services.items()}))


def without_waiting(url: str) -> str:
    """The database at this address, whose commits are not waited for until they are on the disk."""
    return f"{url}{'&' if '?' in url else '?'}synchronous_commit=off"


def run(settings: Settings, options: Any) -> None:
    from sampan.supervisor import run_together

    configure("supervisor", settings.core.log_level)
    home = "" if settings.core.home == ".sampan" else f" --home {settings.core.home}"
    ready = (
        f"\n  The shop is open:   {settings.public_url}\n"
        f"  Its API:            {settings.public_url}/docs\n"
        f"  A first staff key:  .venv/bin/sampan key create me --permissions all{home}\n"
        "  Ctrl-C closes it.\n"
    )
    if settings.core.muted:
        ready = f"\n  This shop is a muted copy: no mail, no provider (SAMPAN_MUTED).{ready}"
    if settings.production:
        ready = f"the shop is open: {settings.public_url}"
    demo = not options.services and not options.no_demo and not settings.production
    run_together(settings, options.services, ready=ready, demo=demo)


def fleet(settings: Settings, options: Any) -> None:
    from sampan.supervisor import run_fleet

    configure("supervisor", settings.core.log_level)
    run_fleet(settings, ready=f"\n  The fleet is afloat: http://localhost:{settings.core.port}\n")


def migrate(settings: Settings, options: Any) -> None:
    from sampan.database import database

    with database(settings):
        print("the database is up to date")


def key(settings: Settings, options: Any) -> None:
    async def work(shop: "Shop") -> None:
        auth = shop.live["auth"]
        if options.what == "create":
            from sampan.services.auth.rules import PERMISSIONS

            names = sorted(PERMISSIONS) if options.permissions == "all" else options.permissions.split(",")
            print(await auth.create_key(name=options.name, permissions=[n.strip() for n in names if n.strip()]))
        elif options.what == "withdraw":
            try:
                key_id = UUID(options.name)
            except ValueError:
                raise invalid("name", "uuid", "name the key by its id: sampan key list") from None
            await auth.withdraw_key(key_id=key_id)
            print("withdrawn")
        else:
            for found in await auth.list_keys():
                state = "withdrawn" if found.withdrawn_at else "open"
                print(f"{found.id}  {state:9}  {found.name}  {','.join(found.permissions)}")

    with_shop(settings, work)


def list_services(settings: Settings, options: Any) -> None:
    from sampan.run import declared

    for name, service in sorted(declared(sandbox=not settings.production).items()):
        text = (service.contract.__doc__ or "").partition("\n")[0]
        print(f"{name:14} {text}")


def invariants(settings: Settings, options: Any) -> None:
    from sampan.run import Shop

    broken = with_shop(settings, Shop.invariants)
    print(msgspec.json.format(msgspec.json.encode({"ok": not broken, "violations": broken})).decode())
    if broken:
        raise SystemExit(1)


def openapi(settings: Settings, options: Any) -> None:
    from sampan.kernel.openapi import document
    from sampan.run import declared

    routes = [r for s in declared(sandbox=False).values() for group in s.routes for r in group]
    print(msgspec.json.format(msgspec.json.encode(document(routes, url=settings.public_url))).decode())


def gateway(settings: Settings, options: Any) -> None:
    from sampan.run import chosen
    from sampan.services.gateway.edge import kong, kubernetes, nginx
    from sampan.services.gateway.edge.plan import plan_for

    here, _ = chosen(options.services, settings)
    if options.edge == "kubernetes":  # stand-ins are for one's own machine
        here = {name: service for name, service in here.items() if not service.sandbox}
    table = [(name, route) for name, service in here.items() for routes in service.routes for route in routes]
    plan = plan_for(table, settings, to=options.to)
    if options.edge == "nginx":
        print(nginx.render(plan, listen=options.listen), end="")
    else:
        print((kong if options.edge == "kong" else kubernetes).render(plan), end="")


def events(settings: Settings, options: Any) -> None:
    async def work(shop: "Shop") -> list[tuple[int, int]]:
        return [await consumer.redrive() for consumer in shop.consumers()]

    configure("events", settings.core.log_level)
    tried = with_shop(settings, work)
    failing = sum(failing for _, failing in tried)
    print(f"{sum(done for done, _ in tried)} events took effect, {failing} still fail")
    if failing:
        raise SystemExit(1)


def mails(settings: Settings, options: Any) -> None:
    if options.what == "retry" and bool(options.ids) == options.all:
        raise invalid("ids", "missing", "name the mails by their ids (sampan mails failed), or say --all")
    if options.what == "failed" and (options.ids or options.all):
        raise invalid("ids", "unknown", "all that failed are listed; did you mean: sampan mails retry")
    with_shop(settings, partial(retry_mails if options.what == "retry" else list_failed_mails, options=options))


async def list_failed_mails(shop: "Shop", options: Any) -> None:
    found = await shop.live["notifications"].failed(limit=options.limit + 1)
    for mail in found[: options.limit]:
        made = f"{mail.made_at:%Y-%m-%dT%H:%MZ}"
        print(mail.id, made, mail.recipient, mail.template, f"{mail.tries} tries", mail.error, sep="  ")
    if not found:
        print("no mail failed")
    elif len(found) > options.limit:
        print(f"these are the newest {options.limit}; there are more: --limit")


async def retry_mails(shop: "Shop", options: Any) -> None:
    """Exit code 1 when a named one is not sent again."""
    notifications = shop.live["notifications"]
    due, others = await notifications.retry(message_ids=None if options.all else options.ids)
    print(f"{due} mails are tried again from now on")
    if due and shop.settings.core.muted:
        print("this shop is muted: they wait until it no longer is (SAMPAN_MUTED)")
    elif due and not notifications.smtp.host:
        print("there is no mail server here: where none is set they are kept, and not sent (SAMPAN_SMTP_HOST)")
    for message_id, status in others.items():
        print(f"{message_id}: {NOT_TRIED_AGAIN.get(status, f'it did not fail, it is {status}')}", file=sys.stderr)
    if others:
        raise SystemExit(1)


def rules(settings: Settings, options: Any) -> None:
    from sampan.rulebook import rulebook

    print(rulebook(), end="")


def seed(settings: Settings, options: Any) -> None:
    from sampan.demo.seed import seed_demo, seed_many

    async def work(shop: "Shop") -> None:
        if options.products:
            await seed_many(shop, options.products)
        else:
            await seed_demo(shop, only_if_empty=options.if_empty)

    with_shop(settings, work, hasty=bool(options.products))


def search(settings: Settings, options: Any) -> None:
    async def work(shop: "Shop") -> None:
        await shop.live["search"].rebuild(progress=True)

    with_shop(settings, work)


def locations(settings: Settings, options: Any) -> None:
    from sampan.services.locations.rules.edition import BadList, report_of

    async def work(shop: "Shop") -> None:
        with context.working_as(context.SYSTEM):
            found = await shop.live["locations"].import_units(
                provinces=options.provinces,
                wards=options.wards,
                effective_from=options.effective,
                source=options.source,
                dry_run=options.dry_run,
            )
        print("\n".join(report_of(found, dry_run=options.dry_run)))

    try:
        with_shop(settings, work)
    except BadList as refusal:
        print("\n".join(refusal.facts["errors"]), file=sys.stderr)
        raise


def backup(settings: Settings, options: Any) -> None:
    from sampan.backup.making import back_up

    configure("backup", settings.core.log_level)
    written = back_up(settings, options.file)
    print(f"{written}: {written.stat().st_size:,} bytes, whole and verified")


def restore(settings: Settings, options: Any) -> None:
    from sampan.backup.restoring import bring_back

    configure("restore", settings.core.log_level)
    manifest = bring_back(settings, options.file, live=options.live)
    print(
        f"{settings.home} is the shop of {manifest.made_at:%Y-%m-%d %H:%M} UTC; "
        f"start it: sampan run --home {settings.home}"
    )
    if not options.live:
        print(f"It is muted: no mail, no provider. When it takes the shop's place, remove {settings.home}/sampan.toml")


def doctor(settings: Settings, options: Any) -> None:
    from sampan.doctor.examine import examine

    report(examine(settings), as_json=options.json)


def report(findings: list[Any], *, as_json: bool) -> None:
    """Print what the doctor found; exit code 1 when something is bad."""
    well = all(finding.level != "bad" for finding in findings)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode({"ok": well, "findings": findings})).decode())
    else:
        for finding in findings:
            print(f"{LABELS[finding.level]:5}{finding.text}")
            if finding.mend:
                print(f"     → {finding.mend}")
    if not well:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
