-- Queries of `streamer status ENTITY`: what stands about one entity, for an operator; $1 is its organization code.

-- name: entity_status
SELECT data FROM enterprise.status WHERE org_code = $1;

-- name: entity_open_alerts
SELECT data FROM enterprise.open_alerts WHERE org_code = $1 ORDER BY domain, alert_id;

-- name: entity_records
SELECT type, domain, document_number, decided_on, source, version
FROM enterprise.record WHERE org_code = $1 ORDER BY appended_at DESC LIMIT $2;
