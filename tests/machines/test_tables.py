"""Those who watch see what they are there for."""

from tests.machines.tables import MACHINES, illegal
from tests.machines.watch import SUSPICIONS
from tests.machines.world import World
from tests.town import DISAGREEMENTS


def test_every_state_leads_somewhere_that_exists() -> None:
    for machine, (_, _, table) in MACHINES.items():
        named = {state for states in table.values() for state in states.split()}
        assert named | {""} == set(table), machine


def test_what_ended_does_not_begin_again() -> None:
    ends = [
        ("order", "x", "cancelled", "placed"),
        ("payment", "x", "refunded", "paid"),
        ("hold", "x", "shipped", "held"),
    ]
    assert len(illegal(ends)) == len(ends)
    assert illegal([("order", "x", "pending", "placed"), ("order", "x", "placed", "placed")]) == []


async def test_a_move_that_nobody_decided_is_noted(world: World) -> None:
    story = await world.begin()
    await world.act("buy_online", world.here, story)
    await world.act("bank_takes", world.here, story)
    assert illegal(await world.moves()) == []
    async with world.stall.db.pool.acquire() as connection:
        await connection.execute("BEGIN")
        await connection.execute("UPDATE payments.intent SET status = 'failed' WHERE order_id = $1", story.order_id)
        rows = await connection.fetch(
            "SELECT machine, order_id::text, was, now FROM watch.move WHERE id > $1", world.seen
        )
        await connection.execute("ROLLBACK")
    assert illegal([tuple(row) for row in rows]) == [f"payment of {story.order_id}: paid → failed"]
    await world.peace([story])


# What is done behind everybody's back to an order ($1) that was paid, partly refunded and delivered, and what is then
# found. Each of the queries of a town and of a world finds something here.
CANCELLED = "UPDATE orders.sales_order SET status = 'cancelled', cancelled_at = now() WHERE id = $1"
REFERENCES = "SELECT reference FROM payments.attempt WHERE order_id = $1"
VARIANTS = "SELECT variant_id FROM orders.order_line WHERE order_id = $1"
AGAIN = "INSERT INTO {0}.outbox (id, name, body, request_id, actor) SELECT gen_random_uuid(), name, body, '', '' FROM {0}.outbox"
DAMAGES: list[tuple[str, str]] = [
    ("money without an order", CANCELLED),
    ("half way", "UPDATE orders.sales_order SET status = 'pending', opened = 0 WHERE id = $1"),
    (
        "goods without an order",
        "INSERT INTO inventory.hold (order_id, status, attempt, province_code, first_held_at) "
        "SELECT gen_random_uuid(), 'confirmed', 1, '79', now() FROM orders.sales_order WHERE id = $1",
    ),
    (
        "goods without an order",
        f"WITH off AS ({CANCELLED}) UPDATE inventory.hold SET status = 'confirmed' WHERE order_id = $1",
    ),
    ("an order without its goods", "UPDATE inventory.hold SET status = 'released' WHERE order_id = $1"),
    (
        "an order without its work",
        'UPDATE orders.sales_order SET allocations = allocations || \'[{"warehouse_id": "x"}]\' WHERE id = $1',
    ),
    ("a step is half way", "UPDATE fulfillment.work_order SET intent = '{}', due_at = now() WHERE order_id = $1"),
    (
        "work for nothing",
        f"WITH off AS ({CANCELLED}) UPDATE fulfillment.work_order "
        "SET status = 'packed', tracking_number = NULL, shipment_id = NULL WHERE order_id = $1",
    ),
    *(
        (f"never told: {name}", f"DELETE FROM orders.outbox WHERE name ~ '{name}' AND (body ->> 'order_id')::uuid = $1")
        for name in ("order_placed", "order_shipped", "order_delivered", "order_completed", "order_refunded")
    ),
    ("never told: order_cancelled", CANCELLED),
    ("never told: there are", f"UPDATE inventory.availability SET version = 9 WHERE variant_id IN ({VARIANTS})"),
    *(
        (f"told twice: {service}", f"{AGAIN.format(service)} WHERE (body ->> 'order_id')::uuid = $1")
        for service in ("orders", "payments", "fulfillment", "shipping")
    ),
    ("mails: order_placed", "DELETE FROM notifications.message WHERE order_id = $1"),
    (
        "mails: order_placed",
        "INSERT INTO notifications.message (id, key, order_id, template, language, recipient, data) SELECT "
        "gen_random_uuid(), key || '2', order_id, template, language, recipient, data FROM notifications.message "
        "WHERE order_id = $1",
    ),
    (
        "the bank took the money",
        f"UPDATE vnpay_sandbox.payment SET amount = 1, paid_amount = 1 WHERE txn_ref IN ({REFERENCES})",
    ),
    (
        "the bank gave back",
        "UPDATE vnpay_sandbox.refund SET amount = amount + 1 WHERE payment_id IN "
        f"(SELECT id FROM vnpay_sandbox.payment WHERE txn_ref IN ({REFERENCES}))",
    ),
    *(
        (
            f"parked: {service}",
            f"INSERT INTO {service}.parked_event (id, source, name, body, request_id, actor, at, tries, error) "
            f"SELECT id, 'x', '{service}', '{{}}', '', '', now(), 1, 'x' FROM orders.sales_order WHERE id = $1",
        )
        for service in ("orders", "payments", "fulfillment", "inventory", "notifications")
    ),
    ("sent for nothing", "UPDATE payments.attempt SET surplus = 'twice' WHERE order_id = $1"),
    ("paid twice", "UPDATE shipping.shipment SET cod_amount = 1 WHERE order_id = $1"),
    ("booked wrongly", "UPDATE shipping.booking SET cod_amount = 1 WHERE order_id = $1"),
    ("lost on the shelf", f"UPDATE inventory.level SET on_hand = on_hand + 1 WHERE variant_id IN ({VARIANTS})"),
    ("set aside for nobody", f"UPDATE inventory.level SET held = held + 1 WHERE variant_id IN ({VARIANTS})"),
    ("owed for nothing", f"WITH off AS ({CANCELLED}) UPDATE payments.attempt SET owed = amount WHERE order_id = $1"),
    ("not told", "UPDATE payments.intent SET status = 'review' WHERE order_id = $1"),
    ("says its goods are", "UPDATE orders.sales_order SET fulfillment_status = 'shipped' WHERE id = $1"),
]


async def test_what_is_wrong_between_the_services_is_found(world: World) -> None:
    """A query that nobody ever saw find anything may find nothing."""
    story = await world.begin(stock=3, quantity=2)
    for act in ("buy_online", "bank_takes", "settle", "refund_one", "settle", "ship", "deliver"):
        assert await world.act(act, world.here, story) == "", act
    await world.peace([story])
    spoke = set()
    async with world.stall.db.pool.acquire() as connection:
        for word, damage in DAMAGES:
            undone = connection.transaction()
            await undone.start()
            assert await connection.execute(damage, story.order_id) != "UPDATE 0"
            found = {sql: [row[0] for row in await connection.fetch(sql)] for sql in (*DISAGREEMENTS, *SUSPICIONS)}
            await undone.rollback()
            assert any(word in line for lines in found.values() for line in lines), (word, found.values())
            spoke |= {sql for sql, lines in found.items() if lines}
    assert spoke == {*DISAGREEMENTS, *SUSPICIONS}
    await world.peace([story])
