-- Counters that outlast a day without a try: what they hold back is counted in months. And what a purge looks for.
set local lock_timeout = '2s';

alter table throttles add column kept boolean not null default false;

create index totp_factors_created_at_idx on totp_factors (created_at) where confirmed_at is null;
