-- Three roles that see only what their process needs. They can't log in until `ctwa migrate` gives them a password.
do $$
declare
    role text;
begin
    foreach role in array array['ctwa_receiver', 'ctwa_worker', 'ctwa_console'] loop
        if not exists (select 1 from pg_roles where rolname = role) then
            execute format('create role %I nologin', role);
        end if;
        execute format('grant usage on schema %I to %I', current_schema(), role);
    end loop;
end $$;

revoke execute on function make_webhook_days(date, integer), drop_webhook_days(date) from public;

-- The receiver reads channels with their webhook secrets and inserts webhooks, and sees nothing else.
grant select (id, key, provider, secrets, unsigned, enabled) on channels to ctwa_receiver;
grant insert on webhooks to ctwa_receiver;

-- The workers do the work. They read set-up but don't change it. They delete webhooks
-- without messages, and contacts they made a moment ago.
grant select on all tables in schema public to ctwa_worker;
grant insert, update on webhooks, contacts, contact_identities, messages, touchpoints, conversions, deliveries,
    capi_requests, attempts, heartbeats to ctwa_worker;
grant update (usage_percent, throttled_until, updated_at) on credentials to ctwa_worker;
grant update (pause_reason, pause_detail, paused_at, paused_until, failures, pauses, last_claimed_at, probed_at,
    probe_result, updated_at) on datasets to ctwa_worker;
grant insert on audit_log to ctwa_worker;
grant delete on contacts, webhooks, webhooks_default to ctwa_worker;
grant execute on function make_webhook_days(date, integer), drop_webhook_days(date) to ctwa_worker;

-- The console manages set-up, repairs deliveries, fetches missed webhooks, and writes down who did what. It can't change
-- history.
grant select on all tables in schema public to ctwa_console;
grant insert, update on credentials, datasets, channels to ctwa_console;
grant update on deliveries, webhooks to ctwa_console;
grant insert on webhooks to ctwa_console;
grant insert on audit_log to ctwa_console;
