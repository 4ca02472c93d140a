"""The local stack: an embedded Postgres and Valkey, and the supervisor that runs processes on one machine."""
