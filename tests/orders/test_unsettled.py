"""An order has so many steps to come to rest in; what does not rest is left to the sweeper, never lost."""

import pytest

from sampan.services.orders import checkout
from sampan.services.orders.checkout import Unsettled


async def test_an_order_that_does_not_rest_is_a_refusal_to_try_again_and_the_sweeper_finishes_it(stall, monkeypatch):
    variant = await stall.goods(stock=5)
    cart = await stall.ready((variant, 2))
    with monkeypatch.context() as patch:
        patch.setattr(checkout, "MOST_STEPS", 1)
        with pytest.raises(Unsettled) as refusal:
            await stall.checkout(cart)
    [(order_id, status)] = await stall.orders_of(cart)
    assert (refusal.value.status, refusal.value.facts) == (503, {"order_id": str(order_id)})
    assert status == "pending"
    async with stall.db.begin() as tx:  # half a minute later
        due = "UPDATE orders.sales_order SET due_at = now() WHERE id = $1 AND due_at IS NOT NULL"
        assert await tx.execute(due, order_id) == 1
    await stall.orders.advance_due()
    assert await stall.orders_of(cart) == [(order_id, "placed")]
    assert await stall.available(variant) == 3
    assert (await stall.checkout(cart)).order.id == order_id
