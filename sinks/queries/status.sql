-- Queries of `streamer db status`: what is there, without a value of any row.

-- name: about_server
SELECT current_setting('server_version') AS version, current_database() AS database, pg_is_in_recovery() AS read_only;

-- name: table_sizes
-- Rows as the statistics estimate them: counting millions would take seconds.
SELECT schemaname || '.' || relname AS "table", n_live_tup AS rows, pg_total_relation_size(relid) AS bytes
FROM pg_stat_user_tables
WHERE schemaname IN ('public_info', 'enterprise', 'person', 'ops')
ORDER BY schemaname, relname;
