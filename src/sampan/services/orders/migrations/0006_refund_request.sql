-- What was asked, so that a key that comes with another request is known; null where a former version granted it.
ALTER TABLE orders.refund ADD COLUMN request_hash bytea;
ALTER TABLE orders.refund
ADD CONSTRAINT refund_request_hash CHECK (octet_length(request_hash) = 32) NOT VALID;
