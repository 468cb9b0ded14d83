"""The whole chain on real servers: intake, dossier and sink as processes, from a department's message to Postgres."""
