-- What stands about one entity: `streamer status ENTITY`. $1 is its organization code.

-- name: entity_status
SELECT data FROM enterprise.status WHERE org_code = $1;

-- name: entity_open_alerts
SELECT alert_id, revision, raised_at, changed_at, data
FROM enterprise.open_alerts
WHERE org_code = $1
ORDER BY raised_at, alert_id;

-- name: entity_records
-- The newest first, $2 of them.
SELECT source, event_id, type, domain, document_number, decided_on, date_status, version, appended_at
FROM enterprise.record
WHERE org_code = $1
ORDER BY appended_at DESC, records_offset DESC
LIMIT $2;
