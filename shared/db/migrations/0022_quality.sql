-- What the page of data quality counts: few rows among many, so each has an index of its own.

create index conversions_late on conversions (workspace, created_at)
    where created_at - occurred_at > interval '1 day';
create index conversions_automatic on conversions (workspace, occurred_at) where source = 'meta_automatic';
create index deliveries_duplicate on deliveries (created_at) where state = 'skipped' and reason = 'duplicate';
create index submissions_duplicate on submissions (workspace, created_at) where state = 'duplicate';
