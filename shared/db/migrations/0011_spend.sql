-- What ads cost. Spend is kept by ad and day, in the ad account's own zone and currency, so that it stays when a token dies.

create table ad_accounts (
    id bigint generated always as identity primary key,
    workspace text not null default 'default' references workspaces (name),
    meta_id text check (meta_id ~ '^[0-9]{1,20}$'),   -- without act_; none: spend comes from files and by hand
    name text not null unique,
    currency text check (currency ~ '^[A-Z]{3}$'),    -- none: not read from Meta yet
    zone text not null default 'UTC',                 -- IANA; whose days these are
    credential_id bigint references credentials,
    enabled boolean not null default true,
    is_test boolean not null default false,
    synced_until date,                                -- the last day of the last whole pull
    last_synced_at timestamptz,
    last_error text,                                  -- a reason code
    last_error_at timestamptz,
    next_sync_at timestamptz not null default now(),
    wanted_since date,                                -- somebody asked for days from here on
    -- The pull that runs, or goes on where it was left: its days, where it is, and how far.
    sync_since date,
    sync_until date,
    sync_started_at timestamptz,
    sync_cursor text,
    sync_rows integer not null default 0,
    report_run_id text check (report_run_id ~ '^[0-9]{1,32}$'),
    report_percent integer,
    lease_token uuid,
    lease_until timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (workspace, meta_id),
    check ((lease_token is null) = (lease_until is null)),
    check ((sync_since is null) = (sync_until is null)),
    check ((sync_since is null) = (sync_started_at is null)),
    check (credential_id is null or meta_id is not null)
);
create index ad_accounts_due on ad_accounts (next_sync_at) where enabled and credential_id is not null;

-- Days whose spend is known, or is being fetched (synced_at is null). A day without a row here is a gap, not zero.
create table ad_account_days (
    account_id bigint not null references ad_accounts,
    day date not null,
    level text not null check (level in ('ad', 'ad_set', 'campaign', 'account')),
    source text not null check (source in ('meta', 'csv', 'manual')),
    synced_at timestamptz,
    primary key (account_id, day),
    unique (account_id, day, level)
);

-- One day of an account is kept at one level, so that nothing counts twice: the reference below holds it.
create table ad_spend_daily (
    account_id bigint not null references ad_accounts,
    day date not null,                            -- in the account's zone
    level text not null check (level in ('ad', 'ad_set', 'campaign', 'account')),
    object_id text not null check (object_id <> ''),   -- Meta's id; 'name:…' where a file had a name only
    ad_id text generated always as (case when level = 'ad' then object_id end) stored,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    spend numeric not null check (spend >= 0),
    impressions bigint check (impressions >= 0),
    reach bigint check (reach >= 0),              -- never summed: people are counted once a day and ad
    clicks bigint check (clicks >= 0),
    link_clicks bigint check (link_clicks >= 0),
    conversations_started bigint check (conversations_started >= 0),   -- as Meta reports them
    source text not null check (source in ('meta', 'csv', 'manual')),
    synced_at timestamptz not null default now(),
    primary key (account_id, level, object_id, day),
    foreign key (account_id, day, level) references ad_account_days (account_id, day, level)
);
create index ad_spend_daily_days on ad_spend_daily (account_id, day);
create index ad_spend_daily_ads on ad_spend_daily (ad_id, day) where ad_id is not null;

-- The newest that is known of an ad. One that was deleted keeps its last names.
create table ads (
    account_id bigint not null references ad_accounts,
    ad_id text not null,
    ad_name text,
    ad_set_id text,
    ad_set_name text,
    campaign_id text,
    campaign_name text,
    creative_id text,
    status text,                                  -- Meta's effective_status
    headline text,
    body text,
    thumbnail_url text,
    refreshed_at timestamptz,                     -- when status and creative were last asked for
    first_seen_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (account_id, ad_id)
);
create index ads_ad on ads (ad_id);

-- Every name that a campaign, an ad set or an ad had, and from when; the one with valid_until null is the newest.
create table ad_names (
    account_id bigint not null references ad_accounts,
    level text not null check (level in ('ad', 'ad_set', 'campaign')),
    object_id text not null,
    name text not null,
    valid_from timestamptz not null default now(),
    valid_until timestamptz,
    primary key (account_id, level, object_id, valid_from)
);
create unique index ad_names_newest on ad_names (account_id, level, object_id) where valid_until is null;

grant select on ad_accounts, ad_account_days, ad_spend_daily, ads, ad_names to ctwa_worker, ctwa_console;
grant update (currency, zone, synced_until, last_synced_at, last_error, last_error_at, next_sync_at, wanted_since,
    sync_since, sync_until, sync_started_at, sync_cursor, sync_rows, report_run_id, report_percent, lease_token,
    lease_until, updated_at) on ad_accounts to ctwa_worker;
grant insert, update on ad_accounts to ctwa_console;
grant insert, update, delete on ad_account_days, ad_spend_daily, ads, ad_names to ctwa_worker, ctwa_console;
grant delete on ad_accounts to ctwa_console;
