-- The books: double entry, never changed. A transaction's entries add up to nothing in each currency.

CREATE TABLE payments.ledger_transaction (
    transaction_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payments.intent,
    kind text NOT NULL CHECK (kind IN (
        'authorisation', 'void', 'capture', 'refund', 'refund_settled', 'refund_failed', 'cod_due',
        'cod_cancelled', 'cod_collected', 'payout')),
    subject uuid NOT NULL, -- the attempt or refund it is about
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE payments.ledger_transaction IS 'append-only';
-- Money of one attempt or refund moves once, whatever happens.
CREATE UNIQUE INDEX ledger_transaction_once ON payments.ledger_transaction (subject, kind)
    WHERE kind NOT IN ('cod_due', 'cod_cancelled', 'payout');
CREATE INDEX ledger_transaction_of_order ON payments.ledger_transaction (order_id);

CREATE TABLE payments.ledger_entry (
    transaction_id uuid NOT NULL REFERENCES payments.ledger_transaction,
    line bigint NOT NULL,
    account text NOT NULL CHECK (
        account ~ '^(bank|customer_holds|receivable:cod|refunds_payable|sales|(authorised|provider|carrier|fees):[a-z][a-z0-9_]{0,39})$'),
    amount bigint NOT NULL CHECK (amount <> 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (transaction_id, line)
);
COMMENT ON TABLE payments.ledger_entry IS 'append-only';
CREATE INDEX ledger_entry_account ON payments.ledger_entry (account, currency);

CREATE FUNCTION payments.check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM payments.ledger_entry WHERE transaction_id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'the ledger transaction % has no entries', NEW.transaction_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM payments.ledger_entry WHERE transaction_id = NEW.transaction_id
                GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the ledger transaction % does not balance', NEW.transaction_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER ledger_transaction_balanced AFTER INSERT ON payments.ledger_transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.check_balanced();
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON payments.ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.check_balanced();
