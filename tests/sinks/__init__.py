"""What the Postgres side promises."""
