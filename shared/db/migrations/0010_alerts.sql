-- Alerts: what needs a person, whom it is told to, and what of it was told. `shared.domain.alerts` has the kinds.

-- What Meta's debug_token says of a token, where the token may read it.
alter table credentials
    add column expires_at timestamptz,            -- null: never, or not known
    add column data_access_expires_at timestamptz,
    add column scopes text[],                     -- null: not known
    add column inspected_at timestamptz,          -- when it was last asked for
    add column inspection text;                   -- ok, invalid, or a reason code: why nothing is known

-- What differs from the defaults. Workspace null: for every workspace that has no row of its own.
create table alert_rules (
    id bigint generated always as identity primary key,
    workspace text references workspaces (name),
    kind text not null,
    enabled boolean not null default true,
    threshold numeric check (threshold >= 0),     -- null: the default of the kind
    updated_at timestamptz not null default now(),
    unique nulls not distinct (workspace, kind)
);

create table alerts (
    id bigint generated always as identity primary key,
    workspace text references workspaces (name),  -- null: of the installation, or of several workspaces
    kind text not null,
    subject text not null,                        -- such as dataset:acme, channel:sales, credential:main
    state text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
    detail jsonb not null default '{}',           -- the numbers, as last seen
    opened_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz,
    resolved_by text,                             -- null: it went away by itself
    told_at timestamptz,                          -- when notices of it were last made
    told_resolved boolean not null default false, -- a notice says that it is over
    check ((state = 'resolved') = (resolved_at is not null)),
    check (state <> 'acknowledged' or acknowledged_at is not null)
);
create unique index alerts_one_open on alerts (workspace, kind, subject) nulls not distinct where state <> 'resolved';
create index alerts_newest on alerts (opened_at, id);
create index alerts_ended on alerts (kind, subject, resolved_at) where state = 'resolved';
create index alerts_end_untold on alerts (resolved_at)
    where state = 'resolved' and told_at is not null and not told_resolved;

-- Where they go. Workspace null: those of every workspace.
create table alert_routes (
    id bigint generated always as identity primary key,
    workspace text references workspaces (name),
    name text not null unique,
    kind text not null check (kind in ('email', 'webhook', 'slack')),
    target bytea not null,                        -- sealed under SECRET_KEYS: JSON {address, secrets}
    shown text not null,                          -- what of the address anybody may read
    allow_private boolean not null default false,
    enabled boolean not null default true,
    created_by text not null,
    created_at timestamptz not null default now()
);

-- One message to one route, about these alerts.
create table alert_notices (
    id uuid primary key,                          -- the receiver of a webhook tells repetitions by it
    route_id bigint not null references alert_routes on delete cascade,
    opened bigint[] not null default '{}',
    resolved bigint[] not null default '{}',
    reminded bigint[] not null default '{}',      -- all three empty: a test
    state text not null default 'pending' check (state in ('pending', 'sending', 'sent', 'failed')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    lease_until timestamptz,
    reason text,                                  -- why the last try came to nothing
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((state = 'sending') = (lease_until is not null)),
    check ((state in ('sent', 'failed')) = (finished_at is not null))
);
create index alert_notices_due on alert_notices (next_attempt_at) where state = 'pending';
create index alert_notices_leased on alert_notices (lease_until) where state = 'sending';
create index alert_notices_newest on alert_notices (created_at);

-- What each receiver last said of the acknowledged webhooks on its disk. It may say so, and sees nothing.
create table spools (
    host text primary key,
    bytes bigint not null,
    set_aside integer not null,
    since timestamptz,                            -- since when there has been something; null: empty
    reported_at timestamptz not null default now()
);
create function report_spool(host text, bytes bigint, set_aside integer) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into spools as s (host, bytes, set_aside, since) values ($1, $2, $3, case when $2 > 0 then now() end)
    on conflict (host) do update set bytes = $2, set_aside = $3, reported_at = now(),
        since = case when $2 > 0 then coalesce(s.since, now()) end
$$;
revoke execute on function report_spool(text, bigint, integer) from public;
grant execute on function report_spool(text, bigint, integer) to ctwa_receiver;

-- What the rules ask for every half minute, each from a small index.
create index deliveries_rejected on deliveries (finished_at) where state = 'rejected';
create index messages_of_ads on messages (channel_id, received_at) include (class) where class <> 'organic';
create index capi_requests_refused on capi_requests (started_at) where code is not null;
create index conversions_valued on conversions (created_at) include (channel_id, currency) where currency is not null;

grant select on alert_rules, alerts, alert_routes, alert_notices, spools to ctwa_worker, ctwa_console;
grant insert, update on alerts to ctwa_worker;
grant insert, update, delete on alert_notices to ctwa_worker;
grant update (expires_at, data_access_expires_at, scopes, inspected_at, inspection) on credentials to ctwa_worker;
grant update on alerts to ctwa_console;
grant insert, update, delete on alert_rules, alert_routes to ctwa_console;
grant insert on alert_notices to ctwa_console;
