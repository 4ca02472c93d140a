-- Spend that programs bring by the API says so.
alter table ad_account_days
    drop constraint ad_account_days_source_check,
    add constraint ad_account_days_source_check check (source in ('meta', 'csv', 'manual', 'api'));
alter table ad_spend_daily
    drop constraint ad_spend_daily_source_check,
    add constraint ad_spend_daily_source_check check (source in ('meta', 'csv', 'manual', 'api'));
