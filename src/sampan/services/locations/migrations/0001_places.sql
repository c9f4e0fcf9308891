-- Today's units by version; those of before July 2025, which never change again; and what became of them by version.

-- A version is the whole list of a day. It never changes: addresses name the version they were written in, and a list
-- that was wrong is followed by a better one of the same day. `digest` is that of the data that comes with the
-- software; a list that somebody imported has none, and goes before it.
CREATE TABLE locations.version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    effective_from date NOT NULL CHECK (effective_from >= '2025-07-01'),
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 500),
    digest text UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    province_count bigint NOT NULL CHECK (province_count > 0),
    ward_count bigint NOT NULL CHECK (ward_count >= province_count),
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL
);
CREATE INDEX version_in_force ON locations.version (effective_from DESC);
COMMENT ON TABLE locations.version IS 'append-only';

-- `position` is the place in the Vietnamese alphabet.
CREATE TABLE locations.province (
    version_id bigint NOT NULL REFERENCES locations.version (id),
    code text NOT NULL CHECK (code ~ '^[0-9]{2}$'),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('tinh', 'thanh_pho')),
    full_name text NOT NULL,
    name_en text NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    PRIMARY KEY (version_id, code),
    UNIQUE (version_id, full_name)
);
COMMENT ON TABLE locations.province IS 'append-only';

CREATE TABLE locations.ward (
    version_id bigint NOT NULL,
    code text NOT NULL CHECK (code ~ '^[0-9]{5}$'),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('phuong', 'xa', 'dac_khu')),
    full_name text NOT NULL,
    name_en text NOT NULL,
    province_code text NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    PRIMARY KEY (version_id, code),
    UNIQUE (version_id, province_code, full_name),
    FOREIGN KEY (version_id, province_code) REFERENCES locations.province (version_id, code)
);
CREATE INDEX ward_of_province ON locations.ward (version_id, province_code, position);
COMMENT ON TABLE locations.ward IS 'append-only';

-- What was before the reform. A newer release may know better how a name was written, so these are not append-only.
-- `aliases` are letters without accents.
CREATE TABLE locations.legacy_province (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{2}$'),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('tinh', 'thanh_pho')),
    full_name text NOT NULL,
    aliases text [] NOT NULL
);

CREATE TABLE locations.legacy_district (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{3}$'),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('quan', 'huyen', 'thi_xa', 'thanh_pho')),
    full_name text NOT NULL,
    province_code text NOT NULL REFERENCES locations.legacy_province (code),
    aliases text [] NOT NULL
);

CREATE TABLE locations.legacy_ward (
    code text PRIMARY KEY CHECK (code ~ '^[0-9]{5}$'),
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('phuong', 'xa', 'thi_tran')),
    full_name text NOT NULL,
    district_code text NOT NULL REFERENCES locations.legacy_district (code),
    province_code text NOT NULL REFERENCES locations.legacy_province (code),
    aliases text [] NOT NULL
);

CREATE TABLE locations.province_edge (
    version_id bigint NOT NULL,
    old_province_code text NOT NULL REFERENCES locations.legacy_province (code),
    new_province_code text NOT NULL,
    PRIMARY KEY (version_id, old_province_code),
    FOREIGN KEY (version_id, new_province_code) REFERENCES locations.province (version_id, code)
);
COMMENT ON TABLE locations.province_edge IS 'append-only';

-- An old ward, or a whole district where it had no wards, and a new one that took land or people of it. `position`
-- is the place among the edges of the version: the likeliest of an old ward comes first.
CREATE TABLE locations.ward_edge (
    version_id bigint NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    old_district_code text NOT NULL REFERENCES locations.legacy_district (code),
    old_ward_code text REFERENCES locations.legacy_ward (code),
    new_ward_code text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('same', 'renamed', 'whole', 'part', 'part_all_people')),
    suggested_default boolean NOT NULL,
    PRIMARY KEY (version_id, position),
    UNIQUE NULLS NOT DISTINCT (version_id, old_district_code, old_ward_code, new_ward_code),
    FOREIGN KEY (version_id, new_ward_code) REFERENCES locations.ward (version_id, code)
);
COMMENT ON TABLE locations.ward_edge IS 'append-only';
