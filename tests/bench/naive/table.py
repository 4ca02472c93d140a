"""The one table of the naive pipeline."""

TABLE = """
create table if not exists naive_events (
    message_id text primary key,
    phone text not null,
    click_id text not null,
    state text not null default 'new',
    created_at timestamptz not null default now(),
    sent_at timestamptz
)
"""
