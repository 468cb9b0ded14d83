-- Queries of `streamer demo`: how many rows there are, counted.

-- name: demo_counts
SELECT
    (SELECT count(*) FROM enterprise.record) AS records,
    (SELECT count(*) FROM enterprise.alert_history) AS alert_history,
    (SELECT count(*) FROM enterprise.open_alerts) AS open_alerts,
    (SELECT count(*) FROM enterprise.notice_history) AS notice_history,
    (SELECT count(*) FROM ops.dead_letter) AS dead_letters;

-- name: demo_alert_revisions
SELECT alert_id, revision FROM enterprise.alert;
