-- Rules set stages and tags as well: how often one fired counts these too.
create index contact_changes_rule on contact_changes (rule_id, created_at) where rule_id is not null;
