"""The contract: topics, schemas, examples and settings as data, and the codec for them. Not for what happens then."""
