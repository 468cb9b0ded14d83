-- Alerts, notices and status. The current row holds the highest revision that was seen, in whatever order they came; the history
-- holds each revision once. Nothing refers to another table: topics are read independently.

CREATE TABLE enterprise.alert (
    alert_id   text COLLATE "C" PRIMARY KEY,
    revision   bigint NOT NULL CHECK (revision >= 1),
    action     text NOT NULL,
    domain     text NOT NULL,
    org_code   text COLLATE "C" NOT NULL,
    list       text NOT NULL,
    rule_id    text NOT NULL,
    class      text NOT NULL,
    in_force   boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    data       jsonb NOT NULL,
    raised_at  timestamptz  -- time of revision 1; null until that was seen
);
CREATE INDEX open_alert_by_entity ON enterprise.alert (org_code) WHERE action <> 'lifted';

CREATE TABLE enterprise.alert_history (
    alert_id   text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    action     text NOT NULL,
    domain     text NOT NULL,
    org_code   text COLLATE "C" NOT NULL,
    changed_at timestamptz NOT NULL,
    data       jsonb NOT NULL,
    PRIMARY KEY (alert_id, revision)
);
CREATE TRIGGER immutable BEFORE UPDATE ON enterprise.alert_history FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_update();

CREATE TABLE enterprise.notice (
    notice_id  text COLLATE "C" PRIMARY KEY,
    revision   bigint NOT NULL CHECK (revision >= 1),
    action     text NOT NULL,
    source     text NOT NULL,
    kind       text NOT NULL,
    org_code   text COLLATE "C" NOT NULL,
    rule_id    text NOT NULL,
    changed_at timestamptz NOT NULL,
    data       jsonb NOT NULL,
    raised_at  timestamptz
);
CREATE INDEX open_notice_by_entity ON enterprise.notice (org_code) WHERE action <> 'closed';

CREATE TABLE enterprise.notice_history (
    notice_id  text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    action     text NOT NULL,
    source     text NOT NULL,
    org_code   text COLLATE "C" NOT NULL,
    changed_at timestamptz NOT NULL,
    data       jsonb NOT NULL,
    PRIMARY KEY (notice_id, revision)
);
CREATE TRIGGER immutable BEFORE UPDATE ON enterprise.notice_history FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_update();

CREATE TABLE enterprise.status (
    org_code   text COLLATE "C" PRIMARY KEY,
    version    bigint NOT NULL CHECK (version >= 1),
    uscc       text,
    name       text,
    data       jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE VIEW enterprise.open_alerts AS
SELECT alert_id, revision, action, domain, org_code, list, rule_id, class, in_force, raised_at, changed_at, data
FROM enterprise.alert
WHERE action <> 'lifted';

GRANT SELECT ON
    enterprise.alert, enterprise.alert_history, enterprise.notice, enterprise.notice_history, enterprise.status,
    enterprise.open_alerts
TO credit_enterprise_reader;
