-- Who may work in the console: people, their roles, sessions, second factors and one-time links. The workers see none of it.

create table users (
    id bigint generated always as identity primary key,
    email text not null unique check (email = lower(email) and length(email) <= 254),
    name text not null default '',
    password_hash text,                           -- argon2id; null: none was chosen yet
    totp_secret bytea,                            -- sealed; counts from its confirmation on
    totp_confirmed_at timestamptz,
    totp_step bigint not null default 0,          -- of the last code taken: none is good for two logins
    owner_everywhere boolean not null default false,  -- owner of every workspace, of those to come, and of what is in none
    language text,                                -- null: as the browser asks
    zone text not null default 'UTC',
    disabled_at timestamptz,
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    check (totp_confirmed_at is null or totp_secret is not null)
);

create table memberships (
    user_id bigint not null references users,
    workspace text not null references workspaces (name),
    role text not null check (role in ('owner', 'operator', 'viewer')),
    created_at timestamptz not null default now(),
    primary key (user_id, workspace)
);

create table recovery_codes (
    user_id bigint not null references users,
    hash bytea not null,
    used_at timestamptz,
    primary key (user_id, hash)
);

-- A browser that is logged in. The cookie holds a random id; here is its SHA-256.
create table user_sessions (
    id bigint generated always as identity primary key,
    hash bytea not null unique,
    user_id bigint not null references users,
    awaits_second_factor boolean not null default false,
    agent text not null,                          -- such as "Firefox on Linux"
    network text not null,                        -- the first part of the address
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at timestamptz
);
create index user_sessions_user on user_sessions (user_id) where ended_at is null;

-- A link that lets in whoever holds it, once. Its token is in nobody's hand but theirs; here is its SHA-256.
create table one_time_links (
    id bigint generated always as identity primary key,
    hash bytea not null unique,
    kind text not null check (kind in ('first_owner', 'invitation', 'reset')),
    user_id bigint references users,              -- of a reset
    email text,                                   -- of an invitation
    workspace text references workspaces (name),  -- of an invitation; null: owner everywhere
    role text check (role in ('owner', 'operator', 'viewer')),
    created_by text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz,
    check ((kind = 'reset') = (user_id is not null)),
    check ((kind = 'invitation') = (email is not null)),
    check ((kind = 'invitation') = (role is not null))
);

-- Failed logins, by the keyed hash of an account or a network: no name of anybody is here.
create table login_throttles (
    key bytea primary key,
    failures integer not null,
    since timestamptz not null default now()
);

alter table audit_log add column workspace text;  -- null: of the installation
create index audit_log_newest on audit_log (workspace, id);

grant select, insert, update on users, memberships, recovery_codes, user_sessions, one_time_links, login_throttles
    to ctwa_console;
grant delete on memberships, recovery_codes, login_throttles to ctwa_console;
