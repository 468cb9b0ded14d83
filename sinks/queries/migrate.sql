-- Queries of sinks.migrate. `-- name:` starts one; it ends where the next starts.

-- name: create_migration_table
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: migration_table_exists
SELECT to_regclass('ops.migration') IS NOT NULL;

-- name: lock_migrations
-- One migrator at a time; $1 is the lock's key. Released with the transaction.
SELECT pg_advisory_xact_lock($1);

-- name: limit_lock_wait
SELECT set_config('lock_timeout', $1, true);

-- name: applied_migrations
SELECT number, name, checksum, applied_at FROM ops.migration ORDER BY number;

-- name: record_migration
INSERT INTO ops.migration (number, name, checksum) VALUES ($1, $2, $3);

-- name: server_encoding
SELECT current_setting('server_encoding');
