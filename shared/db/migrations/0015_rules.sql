-- A rule that is removed stays, since conversions and their traces name it; its name is free again. What a rule makes
-- of webhooks that came before it was switched on is only ever tried. Its failures are counted, and stop nothing.
alter table rules
    add column enabled_at timestamptz,
    add column removed_at timestamptz,
    add column failures integer not null default 0,
    add column failed_at timestamptz,
    add column failure text,
    add check (removed_at is null or not enabled);
update rules set enabled_at = updated_at where enabled;
alter table rules add check (not enabled or enabled_at is not null);
alter table rules drop constraint rules_workspace_name_key;
create unique index rules_name on rules (workspace, name) where removed_at is null;
create index rules_live on rules (workspace) where enabled;
create index conversions_rule on conversions (rule_id, created_at) where rule_id is not null;

grant update (failures, failed_at, failure) on rules to ctwa_worker;
