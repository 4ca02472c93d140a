-- The tables of the pipeline. docs/architecture.md says what each row is; names follow docs/glossary.md.
-- Conventions: ids of others are text; money is numeric beside its currency; times are timestamptz;
-- states are text with a CHECK; deduplication is a UNIQUE constraint met by ON CONFLICT.

create table credentials (
    id bigint generated always as identity primary key,
    name text not null unique,
    token bytea not null,                         -- sealed under TOKEN_KEYS
    usage_percent integer,
    throttled_until timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table datasets (
    id bigint generated always as identity primary key,
    name text not null unique,
    meta_id text not null check (meta_id ~ '^[0-9]{1,20}$'),
    kind text not null default 'whatsapp' check (kind in ('whatsapp', 'page')),
    profile text not null default 'whatsapp' check (profile in ('whatsapp', 'guide')),
    waba_id text check (waba_id ~ '^[0-9]{1,20}$'),
    page_id text check (page_id ~ '^[0-9]{1,20}$'),
    credential_id bigint references credentials,
    sending text not null default 'on' check (sending in ('on', 'off', 'dry-run')),
    batch_max integer not null default 50 check (batch_max between 1 and 1000),
    in_flight_max integer not null default 2 check (in_flight_max between 1 and 16),
    unknown_policy jsonb not null default '{}',   -- event name -> resend | hold
    automatic_policy text not null default 'show' check (automatic_policy in ('show', 'instead', 'echo', 'ignore')),
    test_event_code text,                         -- sent with every event until the time below is over
    test_event_until timestamptz,
    is_test boolean not null default false,
    pause_reason text check (pause_reason in ('token', 'permission', 'link', 'throttle', 'meta_down', 'by_hand')),
    pause_detail text,
    paused_at timestamptz,
    paused_until timestamptz,                     -- 9999-12-31: until somebody or a probe resumes it
    failures integer not null default 0,          -- requests in a row without a usable answer
    pauses integer not null default 0,            -- meta_down pauses in a row, each twice as long
    last_claimed_at timestamptz,
    probed_at timestamptz,
    probe_result text,                            -- ok, or a reason code
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((pause_reason is null) = (paused_until is null)),
    check ((pause_reason is null) = (paused_at is null)),
    check ((test_event_code is null) = (test_event_until is null))
);

create table channels (
    id bigint generated always as identity primary key,
    key text not null unique check (length(key) >= 16),
    name text not null unique,
    workspace text not null default 'default',
    provider text not null,
    secrets bytea not null,                       -- sealed under SECRET_KEYS: JSON list, current first
    unsigned boolean not null default false,      -- said explicitly: this provider's webhooks can't be authenticated
    dataset_id bigint references datasets,
    currency text check (currency ~ '^[A-Z]{3}$'),
    country text check (country ~ '^[A-Z]{2}$'),
    zone text not null default 'UTC',
    post_policy text not null default 'ignore' check (post_policy in ('ignore', 'send')),
    enabled boolean not null default true,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- One authenticated request. Nothing has a foreign key to it, so that a day can be dropped.
create table webhooks (
    id uuid not null,
    received_at timestamptz not null,
    source text not null check (source in ('channel', 'api_key')),
    source_id bigint not null,
    method text not null,
    path text not null default '',
    query text not null default '',
    headers jsonb not null,
    body bytea not null,                          -- sealed under SECRET_KEYS, exactly the bytes that came
    body_bytes integer not null,
    state text not null default 'new' check (state in ('new', 'claimed', 'done', 'rejected')),
    lease_token uuid,
    lease_until timestamptz,
    crashes integer not null default 0,           -- 1: its batch crashed; each more: it crashed alone
    batch_cap integer not null default 100,
    messages integer,                             -- live inbound messages found
    automatic_events integer,                     -- events that Meta detected itself
    duplicates integer,                           -- of these messages, known already
    ignored jsonb,                                -- reason -> count
    reason text,
    finished_at timestamptz,
    primary key (received_at, id),
    check ((state = 'claimed') = (lease_token is not null)),
    check ((state = 'claimed') = (lease_until is not null)),
    check ((state in ('done', 'rejected')) = (finished_at is not null)),
    check (state <> 'rejected' or reason is not null)
) partition by range (received_at);

create index webhooks_new on webhooks (source, source_id, received_at, id) where state = 'new' and crashes = 0;
create index webhooks_crashed on webhooks (received_at, id) where state = 'new' and crashes > 0;
create index webhooks_claimed on webhooks (lease_until) where state = 'claimed';
create index webhooks_rejected on webhooks (received_at) where state = 'rejected';
create index webhooks_id on webhooks (id);
-- What was stopped as known already, counted by ctwa status.
create index webhooks_duplicates on webhooks (received_at) where duplicates > 0;
-- The everyday flood of delivery receipts, whose bodies are kept for hours only.
create index webhooks_empty on webhooks (finished_at) where state = 'done' and messages = 0 and automatic_events = 0;

create table webhooks_default partition of webhooks default;

create table contacts (
    id bigint generated always as identity primary key,
    workspace text not null,
    merged_into bigint references contacts,
    stage text,
    tags text[] not null default '{}',
    is_test boolean not null default false,
    created_at timestamptz not null default now()
);

create index contacts_merged on contacts (merged_into) where merged_into is not null;

create table contact_identities (
    id bigint generated always as identity primary key,
    contact_id bigint not null references contacts,
    workspace text not null,
    kind text not null check (kind in ('phone', 'bsuid', 'parent_bsuid', 'lid', 'provider_id')),
    hash_key text not null,                       -- id of the key of HASH_KEYS that made the hash
    hash bytea not null,
    ciphertext bytea,                             -- sealed under SECRET_KEYS
    created_at timestamptz not null default now(),
    unique (workspace, kind, hash)
);
create index contact_identities_contact on contact_identities (contact_id);

create table messages (
    id bigint generated always as identity primary key,
    channel_id bigint not null references channels,
    message_id text not null,
    contact_id bigint not null references contacts,
    direction text not null default 'in' check (direction in ('in', 'out')),
    class text not null check (class in ('organic', 'ad', 'ad_without_click_id', 'post')),
    kind text,
    sent_at timestamptz,
    received_at timestamptz not null,
    webhook_id uuid not null,
    webhook_received_at timestamptz not null,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    unique (channel_id, message_id)
);
create index messages_contact on messages (contact_id, received_at);
create index messages_received on messages (received_at);

create table touchpoints (
    id bigint generated always as identity primary key,
    message_id bigint not null unique references messages,
    contact_id bigint not null references contacts,
    channel_id bigint not null references channels,
    class text not null check (class in ('ad', 'ad_without_click_id', 'post')),
    click_id text,
    click_hash text,
    ad_id text,
    source_type text,
    source_url text,
    source_app text,
    headline text,
    body text,
    media_type text,
    media_url text,
    conversion_token text,
    flags text[] not null default '{}',
    occurred_at timestamptz not null,
    click_purged_at timestamptz,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    check (click_id is null or click_hash is not null)
);
create index touchpoints_contact on touchpoints (contact_id, occurred_at);
create index touchpoints_ad on touchpoints (ad_id, occurred_at);
create index touchpoints_click on touchpoints (click_hash) where click_hash is not null;

create table conversions (
    id uuid primary key,
    workspace text not null,
    contact_id bigint not null references contacts,
    channel_id bigint not null references channels,
    event_name text not null,
    occurred_at timestamptz not null,
    value numeric,
    currency text check (currency ~ '^[A-Z]{3}$'),
    order_id text,
    source text not null check (source in ('message', 'api', 'csv', 'rule', 'meta_automatic')),
    touchpoint_id bigint references touchpoints,
    attribution text not null,                    -- why it belongs to the touchpoint, or to none
    business_key text not null,
    click_hash text,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    unique (workspace, event_name, business_key),
    check (value is null or currency is not null)
);
create unique index conversions_once_per_click on conversions (workspace, click_hash, event_name)
    where click_hash is not null and order_id is null;
create index conversions_contact on conversions (contact_id, occurred_at);
create index conversions_touchpoint on conversions (touchpoint_id);

-- The results table: one conversion to one dataset, and what became of it.
create table deliveries (
    id bigint generated always as identity primary key,
    conversion_id uuid not null references conversions,
    dataset_id bigint not null references datasets,
    event_name text not null,
    business_key text not null,
    event_id text not null check (length(event_id) between 1 and 512),
    event_time timestamptz not null,
    has_value boolean not null default false,
    state text not null check (state in
        ('pending', 'sending', 'accepted', 'rejected', 'unknown', 'skipped', 'waiting', 'expired')),
    reason text,
    next_attempt_at timestamptz,
    lease_token uuid,
    lease_until timestamptz,
    batch_cap integer not null default 1000 check (batch_cap between 1 and 1000),
    attempts integer not null default 0,
    retries integer not null default 0,           -- since the last change of fortune; the back-off counts these
    not_received integer not null default 0,      -- times in a row that Meta answered events_received 0
    resent integer not null default 0,            -- times sent again although Meta may have had it
    dry_run_at timestamptz,
    unknown_since timestamptz,
    accepted_at timestamptz,
    finished_at timestamptz,
    last_http_status integer,
    last_code integer,
    last_subcode integer,
    last_trace_id text,
    last_message text,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (conversion_id, dataset_id),
    check ((state = 'sending') = (lease_token is not null)),
    check ((state = 'sending') = (lease_until is not null)),
    check ((state = 'pending') = (next_attempt_at is not null)),
    check ((state = 'unknown') = (unknown_since is not null)),
    check ((state = 'accepted') = (accepted_at is not null)),
    check ((state in ('accepted', 'rejected', 'skipped', 'expired')) = (finished_at is not null)),
    check (state not in ('rejected', 'skipped', 'waiting', 'unknown') or reason is not null)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create unique index deliveries_once on deliveries (dataset_id, event_name, business_key) where state <> 'skipped';
create index deliveries_due on deliveries (dataset_id, next_attempt_at, id) where state = 'pending';
create index deliveries_dry_run on deliveries (dataset_id) where state = 'pending' and dry_run_at is not null;
create index deliveries_leased on deliveries (lease_until) where state = 'sending';
create index deliveries_in_flight on deliveries (dataset_id, lease_token) where state = 'sending';
create index deliveries_expiring on deliveries (event_time) where state in ('pending', 'waiting');
create index deliveries_unknown on deliveries (unknown_since) where state = 'unknown';
create index deliveries_newest on deliveries (created_at, id);
create index deliveries_event on deliveries (event_id);

create table capi_requests (
    id uuid primary key,
    dataset_id bigint not null references datasets,
    lease_token uuid not null,
    graph_version text not null,
    events integer not null,
    body jsonb not null,                          -- as sent, redacted
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    verdict text,
    http_status integer,
    code integer,
    subcode integer,
    events_received integer,
    trace_id text,
    title text,
    message text,
    milliseconds integer
);
create index capi_requests_dataset on capi_requests (dataset_id, started_at);

create table attempts (
    delivery_id bigint not null references deliveries,
    number integer not null,
    request_id uuid not null references capi_requests,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    outcome text,
    primary key (delivery_id, number)
);
create index attempts_request on attempts (request_id);

create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    actor text not null,
    action text not null,
    subject text not null,
    detail jsonb not null default '{}'
);
create index audit_log_subject on audit_log (subject, at);

create table heartbeats (
    process text primary key,
    beat_at timestamptz not null default now(),
    detail jsonb not null default '{}'
);

-- Days of webhooks are made ahead and dropped whole. Both run as the owner, so that the workers' role needs no DDL;
-- pg_temp comes last, so that nobody's temporary table stands in for one of ours.
create function make_webhook_days(first_day date, days integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    day date;
    made integer := 0;
    name text;
begin
    for day in select first_day + n from generate_series(0, days - 1) n loop
        name := 'webhooks_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass('public.' || name) is not null;
        -- A day that already has rows in the default partition stays there.
        continue when exists (select 1 from webhooks_default
                              where received_at >= day::timestamp at time zone 'UTC'
                                and received_at < (day + 1)::timestamp at time zone 'UTC');
        execute format('create table %I partition of webhooks for values from (%L) to (%L)', name,
                       day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
        made := made + 1;
    end loop;
    return made;
end $$;

create function drop_webhook_days(before_day date) returns setof text
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    part record;
    unfinished boolean;
begin
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'webhooks'::regclass and c.relname ~ '^webhooks_[0-9]{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
        order by c.relname
    loop
        -- What comes late from a spool must not slip in between the look and the drop.
        execute format('lock table %I in access exclusive mode', part.relname);
        -- Each condition is one partial index's, word for word.
        execute format('select exists (select 1 from %1$I where state = ''new'' and crashes = 0)'
                       ' or exists (select 1 from %1$I where state = ''new'' and crashes > 0)'
                       ' or exists (select 1 from %1$I where state = ''claimed'')', part.relname)
            into unfinished;
        continue when unfinished;
        execute format('drop table %I', part.relname);
        return next part.relname;
    end loop;
end $$;

select make_webhook_days((now() at time zone 'UTC')::date - 1, 10);
