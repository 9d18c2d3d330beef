-- Retention: who serves may only read the security events and add to them. What is old enough is deleted by one function
-- with the owner's rights, which takes nobody's word for how old that is.
set local lock_timeout = '2s';

-- Null: nobody asked, as for a key made at start.
alter table security_events alter column request_id drop not null;

-- One row, written by the owner when it migrates. Without it nothing is deleted.
create table event_retention (
    id boolean not null default true,
    keep interval not null,
    constraint event_retention_pkey primary key (id),
    constraint event_retention_id_check check (id)
);

-- Deletes some of what happened before `before`, and of that only what is older than the retention by the clock of the
-- database; how many. Ids are UUIDv7: their first 48 bits are milliseconds since 1970.
create function purge_security_events(before timestamptz, most integer) returns bigint
language sql volatile strict security definer
set search_path = pg_catalog, pg_temp
begin atomic
    with kept as (
        select (extract(epoch from statement_timestamp() - keep) * 1000)::bigint as since from event_retention
    ), deleted as (
        delete from security_events where id in (
            select id from security_events
            where id < (select (lpad(to_hex(since), 12, '0') || repeat('0', 20))::uuid from kept)
                and created_at < before
            order by id limit most for update skip locked
        )
        returning id
    )
    select count(*) from deleted;
end;

revoke execute on function purge_security_events from public;
