"""What payments learn from others."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sampan.kernel.consumers import in_batches
from sampan.kernel.db import Tx
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments.actions.payments_actions import PaymentsActions
from sampan.services.payments.rules.delivery import delivery_for
from sampan.services.payments.rules.fact import Fact
from sampan.services.payments.store import facts


@in_batches
async def on_work_orders_changed(actions: PaymentsActions, tx: Tx, events: Sequence[WorkOrderChanged]) -> None:
    """The parcels of a cash-on-delivery order say when its cash was collected, or is owed no more.

    The highest version of what was said of a parcel counts. What lay between decides nothing: a parcel that was handed
    over or came back stays so.
    """
    newest: dict[UUID, WorkOrderChanged] = {}
    for event in events:
        known = newest.get(event.work_order_id)
        if known is None or known.version < event.version:
            newest[event.work_order_id] = event
    last = [newest[parcel] for parcel in sorted(newest)]
    noted = await facts.note_parcels(
        tx, [(event.work_order_id, event.order_id, event.status, event.of, event.version) for event in last]
    )
    ends = {order_id: end for order_id, parcels in noted.items() if (end := delivery_for(parcels)) is not None}
    if not ends:
        return
    orders = sorted(ends)
    attempts = await facts.cod_attempts(tx, orders)
    told = [
        Fact(
            kind=ends[order_id],
            source="fulfillment",
            event_id=f"{ends[order_id]}:{order_id}",
            order_id=order_id,
            attempt_id=attempts[order_id],
        )
        for order_id in orders
    ]
    for order_id, is_new in zip(orders, await facts.record_all(tx, told), strict=True):
        if is_new:
            tx.after_commit(partial(actions.advance_soon, order_id))
