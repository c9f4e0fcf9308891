"""Invariants of payments. Each query finds what must not be there; its first column is a sentence."""

from typing import Final

from sampan.kernel.db import Tx

LIMIT: Final = 20  # of each kind

CHECKS: Final = (
    """
    SELECT 'the ledger transaction ' || t.transaction_id || ' does not balance'
      FROM payments.ledger_transaction t LEFT JOIN payments.ledger_entry e USING (transaction_id)
     GROUP BY t.transaction_id, e.currency HAVING sum(e.amount) IS DISTINCT FROM 0
    """,
    """
    SELECT 'the books do not add up to nothing in ' || currency || ' but to ' || sum(amount)
      FROM payments.ledger_entry GROUP BY currency HAVING sum(amount) <> 0
    """,
    """
    SELECT 'the amounts of the payment of order ' || i.order_id || ' are not the sums of its attempts'
      FROM payments.intent i LEFT JOIN payments.attempt a USING (order_id)
     GROUP BY i.order_id
    HAVING (i.authorised, i.captured, i.refunded, i.returned) IS DISTINCT FROM (
               COALESCE(sum(a.captured), 0), COALESCE(sum(a.captured), 0), COALESCE(sum(a.refunded), 0),
               COALESCE(sum(a.returned), 0))
    """,
    """
    SELECT 'the attempt ' || a.reference || ' has not given back what its refunds say'
      FROM payments.attempt a LEFT JOIN payments.refund r ON r.attempt_id = a.id
     GROUP BY a.id
    HAVING a.refunded <> COALESCE(sum(r.amount) FILTER (WHERE r.status <> 'failed'), 0)
        OR a.returned <> COALESCE(sum(r.amount) FILTER (WHERE r.status = 'settled'), 0)
    """,
    """
    SELECT 'the amounts of the payment of order ' || i.order_id || ' are not those in the books'
      FROM payments.intent i
      LEFT JOIN payments.ledger_transaction t USING (order_id)
      LEFT JOIN payments.ledger_entry e ON e.transaction_id = t.transaction_id AND e.amount > 0
       AND (t.kind <> 'capture' OR e.account LIKE 'provider:%')
     GROUP BY i.order_id
    HAVING i.captured <> COALESCE(sum(e.amount) FILTER (WHERE t.kind IN ('capture', 'cod_collected')), 0)
        OR i.authorised <> COALESCE(sum(e.amount) FILTER (WHERE t.kind IN ('authorisation', 'cod_collected')), 0)
        OR i.refunded <> COALESCE(sum(e.amount) FILTER (WHERE t.kind = 'refund'), 0)
                       - COALESCE(sum(e.amount) FILTER (WHERE t.kind = 'refund_failed'), 0)
        OR i.returned <> COALESCE(sum(e.amount) FILTER (WHERE t.kind = 'refund_settled'), 0)
    """,
    """
    SELECT 'cash to be collected is ' || owed.amount || ' ' || owed.currency || ' by the attempts and '
           || COALESCE(booked.amount, 0) || ' in the books'
      FROM (SELECT currency, sum(owed) AS amount FROM payments.attempt GROUP BY currency) AS owed
      LEFT JOIN (SELECT currency, sum(amount) AS amount FROM payments.ledger_entry
                  WHERE account = 'receivable:cod' GROUP BY currency) AS booked USING (currency)
     WHERE owed.amount <> COALESCE(booked.amount, 0)
    """,
    """
    SELECT 'the payment of order ' || i.order_id || ' is ' || i.status || ' with ' || i.captured || ' captured'
      FROM payments.intent i
     WHERE (i.status IN ('pending', 'failed', 'cod_due') AND i.captured > i.refunded)
        OR (i.status IN ('paid', 'partially_refunded', 'refunded', 'cod_collected')
            AND NOT EXISTS (SELECT FROM payments.attempt a WHERE a.order_id = i.order_id AND a.status = 'paid'))
    """,
    """
    SELECT 'money of the attempt ' || a.reference || ' pays no order and has not been on its way back for 15 minutes'
      FROM payments.attempt a JOIN payments.intent i USING (order_id)
     WHERE a.captured > a.refunded AND (a.surplus IS NOT NULL OR i.given_up IS NOT NULL)
       AND i.changed_at < now() - interval '15 minutes'
       AND NOT EXISTS (SELECT FROM payments.refund r -- refused: a person has been called
                        WHERE r.attempt_id = a.id AND r.key LIKE 'auto-%' AND r.status = 'failed')
    """,
    """
    SELECT 'the refund ' || r.reference || ' has been ' || r.status || ' since ' || r.made_at
      FROM payments.refund r
     WHERE NOT r.by_hand
       AND ((r.status = 'requested' AND r.made_at < now() - interval '1 hour')
         OR (r.status = 'sent' AND r.made_at < now() - interval '7 days'
             AND NOT EXISTS (SELECT FROM payments.fact f -- a person has been called
                              WHERE f.order_id = r.order_id AND f.refund_id = r.id AND f.verdict = 'review')))
    """,
    """
    SELECT 'a fact about order ' || order_id || ' has not been looked at since ' || min(at)
      FROM payments.fact WHERE applied_at IS NULL AND at < now() - interval '15 minutes' GROUP BY order_id
    """,
    """
    SELECT 'the attempt ' || a.reference || ' was to be asked about at ' || a.ask_at
      FROM payments.attempt a WHERE a.ask_at < now() - interval '1 hour'
    """,
)


async def violations(tx: Tx) -> list[str]:
    """What is broken, at most twenty of each kind."""
    return [text for sql in CHECKS for text in await tx.many(str, f"{sql} LIMIT {LIMIT}")]
