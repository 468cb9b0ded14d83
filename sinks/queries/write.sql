-- What the sink writes. Each takes one array of rows; they come de-duplicated and sorted by key, so that two writers cannot
-- deadlock for long. Every statement may be repeated and its rows may come in any order: the outcome is the same.

-- name: insert_records
INSERT INTO enterprise.record (
    source, event_id, org_code, content_hash, type, domain, authority_code, authority_name, document_number, decided_on,
    version, conduct, basis_stated, data, sealed, inbound_topic, inbound_partition, inbound_offset, party, parties,
    records_partition, records_offset, appended_at
)
SELECT *
FROM unnest($1::enterprise.record_row[])
ON CONFLICT DO NOTHING;

-- name: insert_person_records
INSERT INTO person.record (
    source, event_id, org_code, content_hash, type, domain, version, sealed, inbound_topic, inbound_partition, inbound_offset,
    party, parties, records_partition, records_offset, appended_at
)
SELECT *
FROM unnest($1::person.record_row[])
ON CONFLICT DO NOTHING;

-- name: upsert_alerts
INSERT INTO enterprise.alert (
    alert_id, revision, action, domain, org_code, list, rule_id, class, in_force, changed_at, data
)
SELECT *
FROM unnest($1::enterprise.alert_row[])
ON CONFLICT (alert_id) DO UPDATE SET
    revision = excluded.revision, action = excluded.action, domain = excluded.domain, org_code = excluded.org_code,
    list = excluded.list, rule_id = excluded.rule_id, class = excluded.class, in_force = excluded.in_force,
    changed_at = excluded.changed_at, data = excluded.data
WHERE excluded.revision > alert.revision;

-- name: date_alerts
-- Revision 1 dates the raising, also when a later revision came first.
UPDATE enterprise.alert AS a
SET raised_at = n.raised_at
FROM unnest($1::enterprise.alert_raised[]) AS n
WHERE a.alert_id = n.alert_id COLLATE "C" AND a.raised_at IS NULL;

-- name: insert_alert_history
INSERT INTO enterprise.alert_history (alert_id, revision, action, domain, org_code, changed_at, data)
SELECT *
FROM unnest($1::enterprise.alert_history_row[])
ON CONFLICT DO NOTHING;

-- name: upsert_notices
INSERT INTO enterprise.notice (notice_id, revision, action, source, kind, org_code, rule_id, changed_at, data)
SELECT *
FROM unnest($1::enterprise.notice_row[])
ON CONFLICT (notice_id) DO UPDATE SET
    revision = excluded.revision, action = excluded.action, source = excluded.source, kind = excluded.kind,
    org_code = excluded.org_code, rule_id = excluded.rule_id, changed_at = excluded.changed_at, data = excluded.data
WHERE excluded.revision > notice.revision;

-- name: date_notices
UPDATE enterprise.notice AS a
SET raised_at = n.raised_at
FROM unnest($1::enterprise.notice_raised[]) AS n
WHERE a.notice_id = n.notice_id COLLATE "C" AND a.raised_at IS NULL;

-- name: insert_notice_history
INSERT INTO enterprise.notice_history (notice_id, revision, action, source, org_code, changed_at, data)
SELECT *
FROM unnest($1::enterprise.notice_history_row[])
ON CONFLICT DO NOTHING;

-- name: upsert_statuses
INSERT INTO enterprise.status (org_code, version, uscc, name, data, changed_at)
SELECT *
FROM unnest($1::enterprise.status_row[])
ON CONFLICT (org_code) DO UPDATE SET
    version = excluded.version, uscc = excluded.uscc, name = excluded.name, data = excluded.data,
    changed_at = excluded.changed_at
WHERE status.version < excluded.version;

-- name: insert_dead_letters
INSERT INTO ops.dead_letter (
    origin, stage, fate, reason, source, event_id, type, org_code, json_pointer, at, sealed
)
SELECT *
FROM unnest($1::ops.dead_letter_row[])
ON CONFLICT DO NOTHING;

-- name: applied_schema
-- The newest migration of this database, 0 where there is none.
SELECT coalesce(max(number), 0) FROM ops.migration;
