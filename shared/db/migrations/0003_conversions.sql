-- From chat to sale: who may report conversions, what they reported, what becomes of values, stages and consent.

-- Contacts are shared within a workspace; keys, rules and policies about people belong to one.
create table workspaces (
    id bigint generated always as identity primary key,
    name text not null unique check (length(name) between 1 and 100),
    hash_only boolean not null default false,     -- identities are kept as hashes, without a ciphertext
    keep_text boolean not null default false,     -- message text is kept, sealed
    click_days integer check (click_days between 8 and 3650),  -- null: the default of the installation
    created_at timestamptz not null default now()
);
insert into workspaces (name) values ('default');
insert into workspaces (name) select distinct workspace from channels on conflict do nothing;
alter table channels add foreign key (workspace) references workspaces (name);
alter table channels
    add column margin_percent numeric check (margin_percent between 0 and 100);  -- of a sale, for profit

-- A secret that lets a program report for one workspace. Only its SHA-256 is kept: the key itself is random.
create table api_keys (
    id bigint generated always as identity primary key,
    workspace text not null references workspaces (name),
    name text not null,
    start text not null,                          -- the first characters, to recognise it by
    hash bytea not null unique,
    scopes text[] not null check (cardinality(scopes) > 0),
    is_test boolean not null default false,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default now()
);
create unique index api_keys_name on api_keys (workspace, name) where revoked_at is null;

-- Requests of the public API and imports of files are webhooks too: accepted, kept and read the same way.
-- `path` says what the items of one are (conversions, contacts/stage, contacts/tags, contacts/consent, touchpoints).
-- The source_id of an import is its workspace's id.
alter table webhooks drop constraint webhooks_source_check;
alter table webhooks add constraint webhooks_source_check check (source in ('channel', 'api_key', 'import'));

-- What became of each item of such a request. An item's id is its request's id plus its place in it.
create table submissions (
    id uuid primary key,
    workspace text not null,
    kind text not null check (kind in ('conversion', 'stage', 'tags', 'consent', 'touchpoint')),
    source text not null check (source in ('api', 'csv', 'console')),
    api_key_id bigint references api_keys,
    webhook_id uuid not null,
    webhook_received_at timestamptz not null,
    state text not null check (state in ('stored', 'duplicate', 'changed', 'refused')),
    reason text,                                  -- why it was refused, or what it duplicates
    contact_id bigint references contacts,
    conversion_id uuid references conversions,    -- the one it became, changed or repeats
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    check (state <> 'refused' or reason is not null)
);
create index submissions_webhook on submissions (webhook_id);
create index submissions_conversion on submissions (conversion_id);
create index submissions_newest on submissions (workspace, created_at, id);

-- When: a condition on a message, stage or tag; then: a conversion. `definition` is both, as validated.
create table rules (
    id bigint generated always as identity primary key,
    workspace text not null references workspaces (name),
    channel_id bigint references channels,        -- null: every channel of the workspace
    name text not null,
    enabled boolean not null default false,
    version integer not null default 1,
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (workspace, name)
);
create table rule_versions (
    rule_id bigint not null references rules,
    version integer not null,
    definition jsonb not null,
    actor text not null,
    created_at timestamptz not null default now(),
    primary key (rule_id, version)
);

alter table conversions alter column channel_id drop not null;  -- a sale to somebody who never wrote has none
alter table conversions
    add column contents jsonb,
    add column custom_data jsonb,
    add column cost numeric check (cost >= 0),    -- in the conversion's currency
    add column flags text[] not null default '{}',
    add column attributed_at timestamptz not null default now(),
    -- A click id that came with the conversion and that no message has brought yet.
    add column given_click_hash text,
    add column submission_id uuid,
    add column rule_id bigint references rules,
    add column rule_version integer,
    add column message_id bigint references messages,  -- the message that a rule fired on
    add column due_after interval;                -- a rule's delay: not sent before occurred_at plus this
create index conversions_order on conversions (workspace, order_id) where order_id is not null;
create index conversions_given_click on conversions (workspace, given_click_hash)
    where given_click_hash is not null and touchpoint_id is null;
create index conversions_newest on conversions (workspace, occurred_at, id);
alter table conversions add check ((rule_id is null) = (rule_version is null));

-- What was learnt of a conversion after its birth. `value` is the new value, or the amount given back.
create table conversion_changes (
    id uuid primary key,
    conversion_id uuid not null references conversions,
    kind text not null check (kind in ('value', 'amendment', 'refund', 'cancellation', 'attribution')),
    value numeric check (value >= 0),
    currency text check (currency ~ '^[A-Z]{3}$'),
    occurred_at timestamptz not null,
    source text not null check (source in ('message', 'api', 'csv', 'rule', 'meta_automatic', 'console')),
    business_key text not null,                   -- a change that is reported twice is one
    detail jsonb not null default '{}',
    submission_id uuid,
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    unique (conversion_id, kind, business_key),
    check (value is null or currency is not null)
);
create index conversion_changes_newest on conversion_changes (occurred_at);

-- The first ad that brought a contact: set once, whoever comes first. An older click that comes late stays a touchpoint.
create table first_touches (
    contact_id bigint primary key references contacts,
    touchpoint_id bigint not null unique references touchpoints,
    created_at timestamptz not null default now()
);
insert into first_touches (contact_id, touchpoint_id)
    select distinct on (coalesce(c.merged_into, c.id)) coalesce(c.merged_into, c.id), t.id
    from touchpoints t join contacts c on c.id = t.contact_id where t.class <> 'post'
    order by coalesce(c.merged_into, c.id), t.id;

-- A touchpoint that was taken over from another system has no message of ours.
alter table touchpoints alter column message_id drop not null;
alter table touchpoints
    add column source text not null default 'message' check (source in ('message', 'import')),
    add column external_id text,
    add column first_reply_at timestamptz,        -- when a person of the business first answered; not what
    add check ((source = 'message') = (message_id is not null));
create unique index touchpoints_external on touchpoints (channel_id, external_id) where external_id is not null;

-- What people said or did about a contact; the contact's own columns hold the newest.
alter table contacts
    add column stage_at timestamptz,
    add column consent boolean,                   -- null: never asked
    add column consent_at timestamptz,
    add column country text check (country ~ '^[A-Z]{2}$'),  -- of the phone number
    add column erased_at timestamptz;
create table contact_changes (
    id bigint generated always as identity primary key,
    contact_id bigint not null references contacts,
    kind text not null check (kind in ('stage', 'tag_added', 'tag_removed', 'consent_given', 'consent_withdrawn')),
    value text,                                   -- the stage or tag; where consent came from
    occurred_at timestamptz not null,
    source text not null check (source in ('api', 'csv', 'rule', 'console', 'message')),
    actor text,
    rule_id bigint references rules,
    submission_id uuid,
    created_at timestamptz not null default now()
);
create index contact_changes_contact on contact_changes (contact_id, occurred_at);
create unique index contact_changes_submission on contact_changes (submission_id, kind, value)
    where submission_id is not null;

alter table contact_identities drop constraint contact_identities_kind_check;
alter table contact_identities add constraint contact_identities_kind_check
    check (kind in ('phone', 'bsuid', 'parent_bsuid', 'lid', 'provider_id', 'email'));

alter table messages add column text bytea;       -- sealed; only where the workspace keeps text

-- A dataset's policies about what may be sent, and how sales find their click.
alter table datasets
    add column attribution_days integer not null default 28 check (attribution_days between 1 and 365),
    add column region_policy text not null default 'send' check (region_policy in ('send', 'skip')),
    add column restricted_countries text[],       -- null: the list of shared/domain/regions.py
    add column consent_policy text not null default 'not_required' check (consent_policy in ('not_required', 'required')),
    add column send_phone boolean not null default false,
    add column send_email boolean not null default false,
    add column limited_data_use jsonb,            -- null: off; else {"country": 0, "state": 0} as Meta wants them
    add column allow_zero_value boolean not null default false;

grant select on workspaces, api_keys, submissions, rules, rule_versions, conversion_changes, first_touches,
    contact_changes to ctwa_worker, ctwa_console;
grant select (id, workspace, hash, scopes, is_test, revoked_at) on api_keys to ctwa_receiver;
grant insert, update on submissions, conversion_changes, first_touches, contact_changes to ctwa_worker;
grant update (last_used_at) on api_keys to ctwa_worker;
grant insert, update on workspaces, api_keys, rules to ctwa_console;
grant insert on rule_versions to ctwa_console;
