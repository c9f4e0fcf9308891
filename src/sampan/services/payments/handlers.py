"""What payments learn from others."""

from sampan.kernel.db import Tx
from sampan.services.fulfillment.contract import WorkOrderChanged
from sampan.services.payments.actions import PaymentsActions
from sampan.services.payments.rules.delivery import delivery_for
from sampan.services.payments.rules.fact import Fact
from sampan.services.payments.store import facts


async def on_work_order_changed(actions: PaymentsActions, tx: Tx, event: WorkOrderChanged) -> None:
    """The parcels of a cash-on-delivery order say when its cash was collected, or is owed no more."""
    parcels = await facts.note_parcel(
        tx,
        work_order_id=event.work_order_id,
        order_id=event.order_id,
        status=event.status,
        of=event.of,
        version=event.version,
    )
    delivery = delivery_for(parcels)
    if delivery is None:
        return
    fact = Fact(
        kind=delivery,
        source="fulfillment",
        event_id=f"{delivery}:{event.order_id}",
        order_id=event.order_id,
        attempt_id=await facts.cod_attempt(tx, event.order_id),
    )
    if await facts.record(tx, fact):
        tx.after_commit(lambda: actions.advance_soon(event.order_id))
