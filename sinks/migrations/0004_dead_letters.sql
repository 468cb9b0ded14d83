-- Items that could not go on, one row an item and stage. The sealed original is its owner's alone.

CREATE TABLE ops.dead_letter (
    origin       text COLLATE "C" NOT NULL,
    stage        text COLLATE "C" NOT NULL,
    fate         text NOT NULL,
    reason       text NOT NULL,
    source       text,
    event_id     text,
    type         text,
    org_code     text,
    json_pointer text NOT NULL,
    at           timestamptz NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (origin, stage)
);
CREATE TRIGGER immutable BEFORE UPDATE ON ops.dead_letter FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_update();

CREATE VIEW ops.dead_letter_counts AS
SELECT stage, fate, reason, source, count(*) AS items, min(at) AS first_at, max(at) AS last_at
FROM ops.dead_letter
GROUP BY stage, fate, reason, source;

GRANT SELECT (origin, stage, fate, reason, source, event_id, type, org_code, json_pointer, at)
    ON ops.dead_letter TO credit_ops_reader;
GRANT SELECT ON ops.dead_letter_counts, ops.migration TO credit_ops_reader;
