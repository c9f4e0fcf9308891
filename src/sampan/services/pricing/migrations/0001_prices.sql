-- Markets, price lists, prices and their history, taxes.

CREATE TABLE pricing.market (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z]{2,8}$'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    language text NOT NULL,
    prices_include_tax boolean NOT NULL,
    countries text[] NOT NULL,
    -- The day on which a tax rate begins is a day of this place.
    time_zone text NOT NULL
);

-- An open end is infinity, so that one comparison serves all windows; a window includes its start and not its end.
CREATE TABLE pricing.price_list (
    market text NOT NULL REFERENCES pricing.market (code),
    code text NOT NULL CHECK (code ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    type text NOT NULL CHECK (type IN ('base', 'sale', 'override')),
    priority bigint NOT NULL CHECK (priority BETWEEN 0 AND 1000),
    status text NOT NULL CHECK (status IN ('draft', 'active')),
    starts_at timestamptz NOT NULL DEFAULT '-infinity',
    ends_at timestamptz NOT NULL DEFAULT 'infinity',
    made_at timestamptz NOT NULL DEFAULT now(),
    -- When everybody is to be told the prices of this list again, and how far that telling has come.
    announce_at timestamptz,
    announced_up_to uuid,
    PRIMARY KEY (market, code),
    CHECK (starts_at < ends_at),
    CHECK (announce_at IS NOT NULL OR announced_up_to IS NULL),
    CHECK ((type = 'base') = (code = 'base')),
    CHECK ((type = 'base') = (priority = 0)),
    CHECK (type <> 'base' OR (status = 'active' AND starts_at = '-infinity' AND ends_at = 'infinity'))
);
CREATE INDEX price_list_announce ON pricing.price_list (announce_at) WHERE announce_at IS NOT NULL;

-- Amounts are in minor units of the market's currency.
CREATE TABLE pricing.price (
    variant_id uuid NOT NULL,
    market text NOT NULL,
    list text NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_to timestamptz NOT NULL DEFAULT 'infinity',
    amount bigint NOT NULL CHECK (amount BETWEEN 1 AND 1000000000000),
    compare_at bigint CHECK (compare_at > amount AND compare_at <= 1000000000000),
    -- When its window opens or closes next, until that is announced.
    announce_at timestamptz,
    PRIMARY KEY (variant_id, market, list, valid_from),
    FOREIGN KEY (market, list) REFERENCES pricing.price_list (market, code),
    CHECK (valid_from < valid_to)
);
CREATE INDEX price_of_list ON pricing.price (market, list, variant_id);
CREATE INDEX price_announce ON pricing.price (announce_at) WHERE announce_at IS NOT NULL;

CREATE TABLE pricing.price_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    variant_id uuid NOT NULL,
    market text NOT NULL,
    list text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    old_amount bigint,
    new_amount bigint,
    old_compare_at bigint,
    new_compare_at bigint
);
COMMENT ON TABLE pricing.price_change IS 'append-only';
CREATE INDEX price_change_of ON pricing.price_change (variant_id, market, id);

-- Not taxable (exempt) is not the same as taxed at nothing (zero), so a rate names its treatment.
CREATE TABLE pricing.tax_rate (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    market text NOT NULL REFERENCES pricing.market (code),
    tax_class text NOT NULL CHECK (tax_class ~ '^[a-z][a-z0-9-]{0,39}$'),
    treatment text NOT NULL CHECK (treatment IN ('taxed', 'zero', 'exempt')),
    basis_points bigint NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    effective_from date NOT NULL,
    effective_to date,
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 500),
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    CHECK (effective_from <= effective_to),
    CHECK ((treatment = 'taxed') = (basis_points > 0))
);
COMMENT ON TABLE pricing.tax_rate IS 'append-only';
CREATE INDEX tax_rate_of ON pricing.tax_rate (market, tax_class, effective_from);

CREATE TABLE pricing.variant_tax (
    variant_id uuid PRIMARY KEY,
    tax_class text NOT NULL CHECK (length(tax_class) BETWEEN 1 AND 40)
);

INSERT INTO pricing.market (code, currency, language, prices_include_tax, countries, time_zone) VALUES
    ('VN', 'VND', 'vi', true, '{VN}', 'Asia/Ho_Chi_Minh'),
    ('INTL', 'USD', 'en', false, '{}', 'Asia/Ho_Chi_Minh');

INSERT INTO pricing.price_list (market, code, name, type, priority, status) VALUES
    ('VN', 'base', 'Base prices', 'base', 0, 'active'),
    ('INTL', 'base', 'Base prices', 'base', 0, 'active');

-- Of the rates that cover a day the one that began last counts, then the one entered last: the reduction lies over the
-- standard rate, which comes back by itself when it ends.
INSERT INTO pricing.tax_rate
    (market, tax_class, treatment, basis_points, effective_from, effective_to, source, made_by) VALUES
    ('VN', 'standard', 'taxed', 1000, '2025-07-01', NULL, 'Law 48/2024/QH15', 'migration'),
    ('VN', 'standard', 'taxed', 800, '2025-07-01', '2026-12-31',
     'Resolution 204/2025/QH15, Decree 174/2025/NĐ-CP', 'migration'),
    ('VN', 'standard-unreduced', 'taxed', 1000, '2025-07-01', NULL,
     'Law 48/2024/QH15; goods that Decree 174/2025/NĐ-CP excepts from the reduction', 'migration'),
    ('VN', 'essentials', 'taxed', 500, '2025-07-01', NULL, 'Law 48/2024/QH15, goods taxed at 5 %', 'migration'),
    ('VN', 'zero', 'zero', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, goods taxed at 0 %', 'migration'),
    ('VN', 'exempt', 'exempt', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, goods not subject to VAT', 'migration'),
    ('INTL', 'standard', 'zero', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, exports', 'migration'),
    ('INTL', 'standard-unreduced', 'zero', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, exports', 'migration'),
    ('INTL', 'essentials', 'zero', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, exports', 'migration'),
    ('INTL', 'zero', 'zero', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, exports', 'migration'),
    ('INTL', 'exempt', 'exempt', 0, '2025-07-01', NULL, 'Law 48/2024/QH15, goods not subject to VAT', 'migration');
