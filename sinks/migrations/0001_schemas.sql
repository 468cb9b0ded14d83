-- Schemas and their readers: public, enterprise and personal information are apart from the first table on.
-- The readers are roles without login; a deployment grants them to its own users. Roles belong to the whole server, so another
-- database may have made them already.

CREATE SCHEMA IF NOT EXISTS ops;
CREATE SCHEMA public_info;
CREATE SCHEMA enterprise;
CREATE SCHEMA person;

COMMENT ON SCHEMA public_info IS 'What may be disclosed to the public. Empty until disclosure is switched on.';
COMMENT ON SCHEMA enterprise IS 'Organisations: records, alerts, notices, status.';
COMMENT ON SCHEMA person IS 'Individual businesses: recorded sealed, never emitted.';
COMMENT ON SCHEMA ops IS 'For operators: migrations, dead letters.';

DO $$
DECLARE
    reader text;
BEGIN
    FOREACH reader IN ARRAY ARRAY['credit_public_reader', 'credit_enterprise_reader', 'credit_person_reader', 'credit_ops_reader']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = reader) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', reader);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server made it just now
            END;
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public_info TO credit_public_reader;
GRANT USAGE ON SCHEMA enterprise TO credit_enterprise_reader;
GRANT USAGE ON SCHEMA person TO credit_person_reader;
GRANT USAGE ON SCHEMA ops TO credit_ops_reader;

-- Journals are appended to, never changed. (Deleting by retention stays the owner's.)
CREATE FUNCTION ops.refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a journal: its rows are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
