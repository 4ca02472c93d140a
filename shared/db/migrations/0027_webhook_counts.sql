-- What a channel's webhooks held, counted by the hour when intake has read them, so that the set-up page and `ctwa doctor`
-- need not read a day of everybody's. Rows only ever add, so that workers never wait for each other; the sweeper makes
-- fewer of them. Kept longer than the webhooks that are counted: receipts are deleted within the day.

create table webhook_counts (
    id bigint generated always as identity primary key,
    channel_id bigint not null,
    hour timestamptz not null,                    -- in which they came, of UTC
    -- Webhooks: `read`, `rejected`, and those `with_messages`; of what was in them: `messages`, of which `duplicates`
    -- were known already, and what was `ignored`.
    kind text not null check (kind in ('read', 'rejected', 'with_messages', 'messages', 'duplicates', 'ignored')),
    code text not null,                           -- why it was rejected or ignored; else ''
    count bigint not null,                        -- below zero: so many are read again
    last_at timestamptz not null                  -- when the last of them came
);
create index webhook_counts_hours on webhook_counts (channel_id, hour);

insert into webhook_counts (channel_id, hour, kind, code, count, last_at)
    select w.source_id, date_trunc('hour', w.received_at, 'UTC'), k.kind, coalesce(k.code, ''), sum(k.count),
           max(w.received_at)
    from webhooks w
    cross join lateral (
        values ('read', '', (w.state = 'done')::integer), ('rejected', w.reason, (w.state = 'rejected')::integer),
               ('with_messages', '', (w.messages > 0)::integer), ('messages', '', w.messages),
               ('duplicates', '', w.duplicates)
        union all
        select 'ignored', i.key, i.value::integer from jsonb_each_text(w.ignored) i
    ) k (kind, code, count)
    where w.source = 'channel' and w.state in ('done', 'rejected') and k.count > 0
      and w.headers ->> 'user-agent' is distinct from 'ctwa-reconcile' and w.received_at > now() - interval '8 days'
    group by 1, 2, 3, 4;

grant select, insert on webhook_counts to ctwa_worker, ctwa_console;
grant delete on webhook_counts to ctwa_worker;
