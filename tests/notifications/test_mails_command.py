"""`sampan mails`: what failed, and that it is tried again."""

import asyncio
import os
import subprocess
import sys
from uuid import UUID, uuid4

import pytest
from tests.notifications.conftest import deliver, placed

from sampan.services.orders.contract import OrderPlaced


async def failing(shop, mailing, box, answer: str) -> tuple[OrderPlaced, UUID]:
    """A mail that the server refused for good, and no other one; its order, and its id."""
    async with shop.db("notifications").begin() as tx:
        await tx.execute("DELETE FROM notifications.message WHERE status = 'failed'")
    await mailing.send_due()  # what other tests left
    event = placed()
    box.mails.clear()
    box.answers = [answer]
    await deliver(mailing, event)
    await mailing.send_due()
    [message] = await mailing.messages_for(order_id=event.order_id)
    assert message.status == "failed"
    return event, message.id


@pytest.fixture
def sampan(shop, box, tmp_path):
    """The command line beside the shop."""
    environment = {
        **os.environ,
        "SAMPAN_DATABASE_URL": shop.url,
        "SAMPAN_HOME": str(tmp_path / "home"),
        "SAMPAN_SMTP_HOST": "127.0.0.1",
    }

    async def run(*arguments: str, **more: str) -> tuple[int, list[str], list[str]]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sampan.commands", "mails", *arguments),
            env={**environment, **more},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said, complained = await process.communicate()
        return process.returncode, said.decode().splitlines(), complained.decode().splitlines()

    return run


async def test_a_mail_that_failed_is_listed_and_sent_again_by_a_command(shop, mailing, box, sampan):
    event, first = await failing(shop, mailing, box, "550 5.1.1 <an@example.com> is\x1b[2J unknown")
    later = placed(email="binh@example.com")
    box.answers = ["550 no"]
    await deliver(mailing, later)
    await mailing.send_due()
    [second] = await mailing.messages_for(order_id=later.order_id)

    code, lines, _ = await sampan("failed")
    assert code == 0
    assert [line.split("  ")[0] for line in lines] == [str(second.id), str(first)]
    assert lines[1].split("  ")[2:] == [
        "a…@example.com",
        "order_placed",
        "1 tries",
        "550 5.1.1 <a…@example.com> is[2J unknown",
    ]
    assert await sampan("failed", "--limit", "1") == (
        0,
        [lines[0], "these are the newest 1; there are more: --limit"],
        [],
    )

    assert await sampan("retry", str(first)) == (0, ["1 mails are tried again from now on"], [])
    [message] = await mailing.messages_for(order_id=event.order_id)
    assert (message.status, message.tries) == ("waiting", 0)
    assert await mailing.invariants() == []
    await mailing.send_due()
    assert [b"To: an@example.com" in mail for mail in box.mails] == [True]
    [message] = await mailing.messages_for(order_id=event.order_id)
    assert (message.status, message.tries) == ("sent", 1)

    assert await sampan("retry", "--all") == (0, ["1 mails are tried again from now on"], [])
    await mailing.send_due()
    assert len(box.mails) == 2
    assert await sampan("retry", "--all") == (0, ["0 mails are tried again from now on"], [])
    assert await sampan("failed") == (0, ["no mail failed"], [])


async def test_what_is_not_sent_again_is_named_and_the_rest_is_sent(shop, mailing, box, sampan):
    sent = placed()
    await deliver(mailing, sent)
    await mailing.send_due()
    [taken] = await mailing.messages_for(order_id=sent.order_id)
    event, failed = await failing(shop, mailing, box, "550 no")
    old = placed()
    box.answers = ["550 no"]
    await deliver(mailing, old)
    await mailing.send_due()
    [gone] = await mailing.messages_for(order_id=old.order_id)
    async with shop.db("notifications").begin() as tx:
        await tx.execute("UPDATE notifications.message SET made_at = now() - interval '91 days' WHERE id = $1", gone.id)
    await mailing.forget_old()
    unknown = uuid4()
    code, said, complained = await sampan("retry", *map(str, (taken.id, failed, gone.id, unknown, unknown)))
    assert (code, said) == (1, ["1 mails are tried again from now on"])
    assert complained == [
        f"{taken.id}: it did not fail, it is sent",
        f"{gone.id}: what it said is forgotten after ninety days",
        f"{unknown}: there is no such mail",
    ]
    await mailing.send_due()
    assert len(box.mails) == 1
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_a_mail_that_is_sent_again_after_days_is_not_late(shop, mailing, box):
    event, failed = await failing(shop, mailing, box, "550 no")
    async with shop.db("notifications").begin() as tx:
        await tx.execute("UPDATE notifications.message SET made_at = now() - interval '9 days' WHERE id = $1", failed)
    assert await mailing.retry(message_ids=None) == (1, {})
    assert await mailing.invariants() == []
    async with shop.db("notifications").begin() as tx:
        await tx.execute(
            "UPDATE notifications.message SET retried_at = now() - interval '3 days' WHERE id = $1", failed
        )
    assert [str(failed) in late for late in await mailing.invariants()] == [True]
    await mailing.send_due()
    assert [m.status for m in await mailing.messages_for(order_id=event.order_id)] == ["sent"]


async def test_a_shop_that_sends_nothing_says_so_and_what_makes_no_sense_is_refused(shop, mailing, box, sampan):
    for more, words in (({"SAMPAN_MUTED": "yes"}, "this shop is muted"), ({"SAMPAN_SMTP_HOST": ""}, "no mail server")):
        _, failed = await failing(shop, mailing, box, "550 no")
        code, said, complained = await sampan("retry", str(failed), **more)
        assert (code, complained) == (0, [])
        assert said[0] == "1 mails are tried again from now on"
        assert words in said[1]
    for arguments in ((), (str(failed), "--all")):
        code, said, [line] = await sampan("retry", *arguments)
        assert (code, said) == (1, [])
        assert "sampan mails failed" in line
    assert (await sampan("failed", str(failed)))[0] == 1
    assert (await sampan("failed", "--limit", "0"))[0] == (await sampan("retry", "all"))[0] == 2
    await mailing.send_due()
