-- The journal of items: one row for each distinct content of one event about one entity, as credit.records first brought it.
-- Repeated copies of an item and resends of an event meet the row that is there. Readers do not see what is sealed.

CREATE TABLE enterprise.record (
    source            text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    org_code          text COLLATE "C" NOT NULL,
    content_hash      bytea NOT NULL,
    type              text NOT NULL,
    domain            text NOT NULL,
    authority_code    text,
    authority_name    text,
    document_number   text NOT NULL,
    decided_on        date,
    date_status       text NOT NULL GENERATED ALWAYS AS (CASE WHEN decided_on IS NULL THEN 'unknown' ELSE 'known' END) STORED,
    version           bigint NOT NULL,
    conduct           text,     -- 'unstated' where the decision names none; null where the type has no conduct
    basis_stated      boolean,  -- null where the type has no basis
    data              jsonb NOT NULL,
    sealed            bytea,
    inbound_topic     text NOT NULL,
    inbound_partition integer NOT NULL,
    inbound_offset    bigint NOT NULL,
    party             integer NOT NULL,
    parties           integer NOT NULL,
    records_partition integer NOT NULL,
    records_offset    bigint NOT NULL,
    appended_at       timestamptz NOT NULL,
    PRIMARY KEY (source, event_id, org_code, content_hash)
);
CREATE INDEX record_by_entity ON enterprise.record (org_code);
CREATE TRIGGER immutable BEFORE UPDATE ON enterprise.record FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_update();

GRANT SELECT (
    source, event_id, org_code, content_hash, type, domain, authority_code, authority_name, document_number, decided_on,
    date_status, version, conduct, basis_stated, data, inbound_topic, inbound_partition, inbound_offset, party, parties,
    records_partition, records_offset, appended_at
) ON enterprise.record TO credit_enterprise_reader;

-- Individual businesses: nothing in the clear but the keys and where the item came from; no name.
CREATE TABLE person.record (
    source            text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    org_code          text COLLATE "C" NOT NULL,
    content_hash      bytea NOT NULL,
    type              text NOT NULL,
    domain            text NOT NULL,
    version           bigint NOT NULL,
    sealed            bytea,
    inbound_topic     text NOT NULL,
    inbound_partition integer NOT NULL,
    inbound_offset    bigint NOT NULL,
    party             integer NOT NULL,
    parties           integer NOT NULL,
    records_partition integer NOT NULL,
    records_offset    bigint NOT NULL,
    appended_at       timestamptz NOT NULL,
    PRIMARY KEY (source, event_id, org_code, content_hash)
);
CREATE INDEX record_by_entity ON person.record (org_code);
CREATE TRIGGER immutable BEFORE UPDATE ON person.record FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_update();

GRANT SELECT (
    source, event_id, org_code, content_hash, type, domain, version, inbound_topic, inbound_partition, inbound_offset, party,
    parties, records_partition, records_offset, appended_at
) ON person.record TO credit_person_reader;
