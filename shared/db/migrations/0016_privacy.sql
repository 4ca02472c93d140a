-- The person's rights: erasing on request, what must not come back afterwards, and how long things are kept.

-- One request to erase a person, worked off in small steps by whoever comes; a process that is killed loses its last step.
create table erasures (
    id bigint generated always as identity primary key,
    workspace text not null,
    contact_ids bigint[] not null check (cardinality(contact_ids) > 0),
    step text not null default 'forget' check (step in ('forget', 'rows', 'webhooks', 'done')),
    -- Sealed under SECRET_KEYS: what raw bodies are searched for. Gone when it is done.
    names bytea,
    cursor_at timestamptz,                        -- how far the webhooks have been read
    cursor_id uuid,
    webhooks_read bigint not null default 0,
    bodies_deleted bigint not null default 0,
    requested_by text not null,
    requested_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((step = 'done') = (finished_at is not null)),
    check (step <> 'done' or names is null)
);
create index erasures_open on erasures (requested_at) where step <> 'done';
create index erasures_contacts on erasures using gin (contact_ids);

-- The names of erased people, as keyed hashes under every hash key there was. What was written before `erased_at` by
-- somebody of that name is never read in again. Never pruned: a provider's history or a backup may come back after years.
create table tombstones (
    workspace text not null,
    kind text not null,
    hash bytea not null,
    hash_key text not null,
    erased_at timestamptz not null,
    primary key (workspace, kind, hash)
);

-- A business key without the message id in it, which holds the person's number; null for a key that holds none.
create function erased_key(business_key text) returns text language sql immutable as $$
    select case when business_key ~ '^(msg|meta):'
                then 'erased:' || encode(sha256(convert_to(business_key, 'UTF8')), 'hex') end
$$;

-- The raw body went because somebody in it was erased: the row stays, so that the others' traces can say so.
alter table webhooks add column erased_at timestamptz;

-- Click ids that are still there, oldest first, for their purge.
create index touchpoints_with_click on touchpoints (channel_id, occurred_at) where click_id is not null;
-- Bodies and answers of requests that are still there.
create index capi_requests_kept on capi_requests (started_at) where body <> '{}';
create index messages_with_text on messages (received_at) where text is not null;

grant select on erasures, tombstones to ctwa_worker, ctwa_console;
-- The console asks; the workers erase.
grant insert (workspace, contact_ids, names, requested_by) on erasures to ctwa_console;
grant update on erasures to ctwa_worker;
grant insert, update on tombstones to ctwa_worker;
grant delete on contact_identities, heartbeats to ctwa_worker;
-- For re-sealing under a new key, and for dropping ciphertexts where a workspace keeps none.
grant update (ciphertext, hash, hash_key) on contact_identities to ctwa_console;
grant delete on contact_identities to ctwa_console;
grant update (text) on messages to ctwa_console;
