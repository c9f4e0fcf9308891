"""Imports that are killed, doubled or disturbed: each product is written once, and none stops the others."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.catalog.tables import PATH, counts, imported, sent, simple, table

from sampan.kernel import context
from sampan.kernel.errors import NotFound
from sampan.services.catalog.actions import importing
from sampan.services.catalog.actions.importing import BATCH
from sampan.services.catalog.contract import ProductChanged
from sampan.services.catalog.rules import Draft, NewVariant, SkuTaken

Drafts = Callable[..., Draft]
pytestmark = pytest.mark.usefixtures("nothing_waits")


async def test_an_import_that_stopped_goes_on_where_it_stood(catalog: Any, shop: Any, writer: Any, news: Any) -> None:
    tag, told = uuid4().hex[:8], await news()
    started = (await sent(shop, writer, simple(tag, 2 * BATCH + 10))).json()
    assert started["status"] == "waiting"
    assert await catalog.imports.step()
    stopped = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    assert (stopped["status"], stopped["done"], stopped["created"]) == ("running", BATCH, BATCH)
    work = asyncio.ensure_future(catalog.imports.step())  # the lease is lost in the middle of a batch
    await asyncio.sleep(0.005)
    work.cancel()
    await asyncio.wait([work])
    report = stopped
    async with asyncio.timeout(20):
        while report["status"] != "done":  # the database may hold the row a moment longer; the job comes round again
            await catalog.work_imports()
            report = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    assert counts(report) == (2 * BATCH + 10, 0, 0, 0)
    slugs = [event.product.slug for event in await told(ProductChanged)]
    assert sorted(slugs) == sorted(f"ghe-{tag}-{i}" for i in range(2 * BATCH + 10))


async def test_two_workers_at_once_write_every_product_once(catalog: Any, shop: Any, writer: Any, news: Any) -> None:
    tag, told = uuid4().hex[:8], await news()
    started = (await sent(shop, writer, simple(tag, 4 * BATCH))).json()
    barrier = asyncio.Barrier(3)

    async def worker() -> None:
        await barrier.wait()
        while (await catalog.imports.find(import_id=started["id"])).finished_at is None:
            await catalog.imports.step()

    await asyncio.gather(*(worker() for _ in range(3)))
    report = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    assert counts(report) == (4 * BATCH, 0, 0, 0)
    assert len(await told(ProductChanged)) == 4 * BATCH


async def test_two_imports_of_one_file_at_once_write_every_product_once(
    catalog: Any, shop: Any, writer: Any, news: Any
) -> None:
    tag, told = uuid4().hex[:8], await news()
    body = simple(tag, 2 * BATCH + 5)
    answers = await asyncio.gather(sent(shop, writer, body), sent(shop, writer, body, "?dry_run=true"))
    answers += await asyncio.gather(*(sent(shop, writer, body) for _ in range(2)))
    ids = [answer.json()["id"] for answer in answers]

    async def worker() -> None:
        while any([(await catalog.imports.find(import_id=each)).finished_at is None for each in ids]):
            await catalog.imports.step()

    await asyncio.gather(*(worker() for _ in range(3)))
    reports = [(await shop.http.get(f"{PATH}/imports/{each}", headers=writer)).json() for each in ids]
    assert sum(report["created"] for report in reports if not report["dry_run"]) == 2 * BATCH + 5
    assert {report["created"] + report["unchanged"] for report in reports} == {2 * BATCH + 5}
    assert len(await told(ProductChanged)) == 2 * BATCH + 5
    assert await catalog.invariants() == []


async def test_a_dry_run_that_stopped_still_knows_what_it_would_have_taken(
    catalog: Any, shop: Any, writer: Any
) -> None:
    tag = uuid4().hex[:8]
    first = [f"ghe-{tag}", f"{tag}-a", "furniture", "Ghế", f"seat-{tag}"]
    between = [[f"khac-{tag}-{i}", f"{tag}-{i}", "furniture", "Khác", ""] for i in range(2 * BATCH)]
    last = [f"ban-{tag}", f"{tag}-b", "furniture", "Bàn", f"seat-{tag}"]
    body = table(first, *between, last, columns="handle,sku,product_type,name_vi,slug_en")
    started = (await sent(shop, writer, body, "?dry_run=true")).json()
    assert await catalog.imports.step()
    work = asyncio.ensure_future(catalog.imports.step())
    await asyncio.sleep(0.005)
    work.cancel()
    await asyncio.wait([work])
    dry = started
    async with asyncio.timeout(20):
        while dry["status"] != "done":
            await catalog.work_imports()
            dry = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    real = await imported(shop, writer, body)
    assert [(error["row"], error["code"]) for error in dry["errors"]] == [(2 * BATCH + 3, "slug_taken")]
    assert (dry["errors"], counts(dry)) == (real["errors"], counts(real))


async def test_a_worker_that_read_an_old_place_changes_nothing(catalog: Any, shop: Any, writer: Any) -> None:
    await sent(shop, writer, simple(uuid4().hex[:8], 3))
    batch = await catalog.imports.next_batch(1)
    assert await catalog.imports.take(batch)
    assert not await catalog.imports.take(batch)
    assert not await catalog.imports.give_up(batch, SkuTaken(""))
    assert (await catalog.imports.find(import_id=batch.due.id)).up_to == 1


KILLED = """
import asyncio, sys
from sampan.kernel.settings import load
from sampan.run import compose
async def main():
    shop = await compose(load({}, home=sys.argv[1], secret="x" * 40), sys.argv[2])
    print("ready", flush=True)
    await shop.live["catalog"].work_imports()
asyncio.run(main())
"""


async def test_a_worker_that_is_killed_leaves_nothing_half_done(
    catalog: Any, shop: Any, writer: Any, tmp_path: Path
) -> None:
    tag, count = uuid4().hex[:8], 16 * BATCH
    started = (await sent(shop, writer, simple(tag, count))).json()
    command = [sys.executable, "-c", KILLED, str(tmp_path), shop.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        done = 0
        while done < BATCH and process.poll() is None:
            await asyncio.sleep(0.01)
            done = (await catalog.imports.find(import_id=started["id"])).up_to
        process.send_signal(signal.SIGKILL)
    left = await catalog.imports.find(import_id=started["id"])
    assert 0 < left.up_to < count
    async with shop.db("catalog").read() as tx:
        written = await tx.one(int, "SELECT count(*) FROM catalog.product WHERE slug LIKE $1", f"ghe-{tag}-%")
    assert written == left.up_to
    while await catalog.imports.step():
        pass
    report = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    assert counts(report) == (count, 0, 0, 0)
    async with shop.db("catalog").read() as tx:
        told = "SELECT count(*) FROM catalog.outbox WHERE name = $1 AND body #>> '{product,slug}' LIKE $2"
        assert await tx.one(int, told, ProductChanged.name, f"ghe-{tag}-%") == count
    assert await catalog.invariants() == []


async def test_a_sku_that_is_taken_in_the_same_moment_stops_its_own_product_only(
    catalog: Any, shop: Any, writer: Any, draft: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = uuid4().hex[:8]
    await sent(shop, writer, simple(tag, 5))
    look = importing.plan

    async def late(tx: Any, at: Any, writings: Any, *more: Any) -> Any:
        planned = await look(tx, at, writings, *more)
        if not await catalog.find_skus(skus=[f"{tag}-2"]):  # another has it after we looked, before we wrote
            variants = [NewVariant(f"{tag}-2")]
            monkeypatch.setattr(importing, "plan", look if len(writings) == 1 else late)
            await asyncio.create_task(elsewhere(draft(options=[], variants=variants)))
        return planned

    async def elsewhere(wanted: Draft) -> None:
        context.in_transaction.set(False)
        await catalog.create_product(draft=wanted)

    monkeypatch.setattr(importing, "plan", late)
    await catalog.work_imports()
    found = await catalog.find_skus(skus=[f"{tag}-{i}" for i in range(5)])
    assert len(found) == 5
    assert len({variant.product_id for variant in found}) == 5
    async with shop.db("catalog").read() as tx:
        sql = "SELECT outcome FROM catalog.import_product WHERE handle LIKE $1 ORDER BY place"
        assert await tx.many(str, sql, f"ghe-{tag}-%") == ["created", "created", "refused", "created", "created"]


async def test_a_product_that_cannot_be_written_does_not_stop_the_others(
    catalog: Any, shop: Any, writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag, look = uuid4().hex[:8], importing.plan
    started = (await sent(shop, writer, simple(tag, 3))).json()

    async def broken(tx: Any, at: Any, writings: Any, *more: Any) -> Any:
        if any(each.draft.slugs["vi"] == f"ghe-{tag}-1" for each in writings):
            raise RuntimeError("a fault of ours")
        return await look(tx, at, writings, *more)

    monkeypatch.setattr(importing, "plan", broken)
    await catalog.work_imports()
    report = (await shop.http.get(f"{PATH}/imports/{started['id']}", headers=writer)).json()
    assert counts(report) == (2, 0, 0, 1)
    assert [(error["row"], error["code"]) for error in report["errors"]] == [(3, "failed")]


async def test_the_job_works_off_what_was_sent_and_forgets_it_after_a_month(
    catalog: Any, shop: Any, writer: Any
) -> None:
    answer = await sent(shop, writer, simple(uuid4().hex[:8], 2))
    [runner] = [runner for runner in shop.shop.job_runners() if runner.job.do == "work_imports"]
    await runner.step(now=True)
    found = await catalog.imports.find(import_id=answer.json()["id"])
    assert (found.created, found.finished_at is None) == (2, False)
    async with shop.db("catalog").read() as tx:
        rows = await tx.many(list, "SELECT rows FROM catalog.import_product WHERE import_id = $1", found.id)
        assert rows == [[], []]  # what is done keeps its outcome only
        await tx.execute("UPDATE catalog.import SET finished_at = now() - interval '31 days' WHERE id = $1", found.id)
    await catalog.work_imports()
    with pytest.raises(NotFound):
        await catalog.imports.find(import_id=found.id)
