-- What pages need to stay fast over millions of rows: deliveries counted ahead, and contacts by what they are listed by.

create index contacts_listed on contacts (workspace, id) where merged_into is null;
create index contacts_stage on contacts (workspace, stage, id) where stage is not null;
create index contacts_tags on contacts using gin (tags) where tags <> '{}';

-- How many deliveries came to which end, by the hour they were made: kept by triggers in the same transaction, so that
-- they are always what the rows say, and added up by the sweeper. Writers only ever add rows and never wait for each
-- other. What is still under way is counted from the rows themselves: it is little, or has an index.

create table delivery_counts (
    id bigint generated always as identity primary key,
    workspace text not null,
    dataset_id bigint not null,
    hour timestamptz not null,                    -- in which the delivery was made, of UTC
    state text not null check (state in ('accepted', 'rejected', 'skipped', 'expired')),
    reason text,                                  -- why it was not accepted
    is_test boolean not null,
    count bigint not null                         -- below zero: so many are in this state no more
);
create index delivery_counts_hours on delivery_counts (workspace, hour);
-- The newest of a dataset: how fast it went, and when the last one was accepted.
create index deliveries_accepted on deliveries (dataset_id, accepted_at) where state = 'accepted';

create function count_deliveries() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
            select c.workspace, d.dataset_id, date_trunc('hour', d.created_at, 'UTC'), d.state,
                   case when d.state <> 'accepted' then d.reason end, d.is_test, count(*)
            from changed d join conversions c on c.id = d.conversion_id
            where d.state in ('accepted', 'rejected', 'skipped', 'expired') group by 1, 2, 3, 4, 5, 6;
    elsif tg_op = 'DELETE' then
        insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
            select c.workspace, d.dataset_id, date_trunc('hour', d.created_at, 'UTC'), d.state,
                   case when d.state <> 'accepted' then d.reason end, d.is_test, -count(*)
            from before d join conversions c on c.id = d.conversion_id
            where d.state in ('accepted', 'rejected', 'skipped', 'expired') group by 1, 2, 3, 4, 5, 6;
    else
        insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
            select c.workspace, d.dataset_id, date_trunc('hour', d.created_at, 'UTC'), d.state,
                   case when d.state <> 'accepted' then d.reason end, d.is_test, sum(d.count)
            from (
                select *, 1 as count from changed where state in ('accepted', 'rejected', 'skipped', 'expired')
                union all
                select *, -1 from before where state in ('accepted', 'rejected', 'skipped', 'expired')
            ) d join conversions c on c.id = d.conversion_id
            group by 1, 2, 3, 4, 5, 6 having sum(d.count) <> 0;
    end if;
    return null;
end $$;
create trigger counted_inserted after insert on deliveries referencing new table as changed
    for each statement execute function count_deliveries();
create trigger counted_updated after update on deliveries referencing old table as before new table as changed
    for each statement execute function count_deliveries();
create trigger counted_deleted after delete on deliveries referencing old table as before
    for each statement execute function count_deliveries();

insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
    select c.workspace, d.dataset_id, date_trunc('hour', d.created_at, 'UTC'), d.state,
           case when d.state <> 'accepted' then d.reason end, d.is_test, count(*)
    from deliveries d join conversions c on c.id = d.conversion_id
    where d.state in ('accepted', 'rejected', 'skipped', 'expired') group by 1, 2, 3, 4, 5, 6;

grant select on delivery_counts to ctwa_worker, ctwa_console;
grant insert, delete on delivery_counts to ctwa_worker;
