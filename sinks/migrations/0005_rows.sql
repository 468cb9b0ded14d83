-- One type a kind of row that the sink writes: it sends an array of rows instead of an array a column, which costs a client half
-- as much. Fields in the order of sinks/rows.py.

CREATE TYPE enterprise.record_row AS (
    source            text,
    event_id          text,
    org_code          text,
    content_hash      bytea,
    type              text,
    domain            text,
    authority_code    text,
    authority_name    text,
    document_number   text,
    decided_on        date,
    version           bigint,
    conduct           text,
    basis_stated      boolean,
    data              jsonb,
    sealed            bytea,
    inbound_topic     text,
    inbound_partition integer,
    inbound_offset    bigint,
    party             integer,
    parties           integer,
    records_partition integer,
    records_offset    bigint,
    appended_at       timestamptz
);

CREATE TYPE person.record_row AS (
    source            text,
    event_id          text,
    org_code          text,
    content_hash      bytea,
    type              text,
    domain            text,
    version           bigint,
    sealed            bytea,
    inbound_topic     text,
    inbound_partition integer,
    inbound_offset    bigint,
    party             integer,
    parties           integer,
    records_partition integer,
    records_offset    bigint,
    appended_at       timestamptz
);

CREATE TYPE enterprise.alert_row AS (
    alert_id   text,
    revision   bigint,
    action     text,
    domain     text,
    org_code   text,
    list       text,
    rule_id    text,
    class      text,
    in_force   boolean,
    changed_at timestamptz,
    data       jsonb
);

CREATE TYPE enterprise.alert_raised AS (
    alert_id  text,
    raised_at timestamptz
);

CREATE TYPE enterprise.alert_history_row AS (
    alert_id   text,
    revision   bigint,
    action     text,
    domain     text,
    org_code   text,
    changed_at timestamptz,
    data       jsonb
);

CREATE TYPE enterprise.notice_row AS (
    notice_id  text,
    revision   bigint,
    action     text,
    source     text,
    kind       text,
    org_code   text,
    rule_id    text,
    changed_at timestamptz,
    data       jsonb
);

CREATE TYPE enterprise.notice_raised AS (
    notice_id text,
    raised_at timestamptz
);

CREATE TYPE enterprise.notice_history_row AS (
    notice_id  text,
    revision   bigint,
    action     text,
    source     text,
    org_code   text,
    changed_at timestamptz,
    data       jsonb
);

CREATE TYPE enterprise.status_row AS (
    org_code   text,
    version    bigint,
    uscc       text,
    name       text,
    data       jsonb,
    changed_at timestamptz
);

CREATE TYPE ops.dead_letter_row AS (
    origin       text,
    stage        text,
    fate         text,
    reason       text,
    source       text,
    event_id     text,
    type         text,
    org_code     text,
    json_pointer text,
    at           timestamptz,
    sealed       bytea
);
