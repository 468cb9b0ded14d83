"""The Postgres side: rows from messages, migrations, named queries, one writer. Not for: Kafka or deciding."""
