-- One row a message. `key` names the event and the template, so that an event delivered twice makes one message.
-- What a mail says is made of `data` when it is sent; `data` and the address are forgotten after ninety days.
CREATE TABLE notifications.message (
    id uuid PRIMARY KEY,
    key text NOT NULL UNIQUE,
    order_id uuid NOT NULL,
    template text NOT NULL,
    language text NOT NULL CHECK (language IN ('vi', 'en')),
    recipient text NOT NULL,
    data jsonb NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'kept', 'failed', 'forgotten')),
    tries bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    error text,
    made_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE INDEX message_due ON notifications.message (due_at) WHERE status = 'waiting';
CREATE INDEX message_order ON notifications.message (order_id, made_at);
CREATE INDEX message_newest ON notifications.message (made_at DESC);
