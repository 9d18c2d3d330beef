-- $1 sessions that are over for good, and as many events that nobody is to keep.
with made as (
    select n, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || left(md5(random()::text), 3)
        || '8' || right(md5(random()::text), 15))::uuid as id, at
    from generate_series(1, $1::bigint) as n, lateral (select now() - interval '2 years' + n * interval '1 second' as at) as t
), owners as (
    select array_agg(id) as ids from users
), sessions_made as (
    insert into sessions (id, user_id, transport, auth_methods, created_at, last_seen_at, rotated_at, absolute_expires_at,
        ip_address, user_agent, current_digest)
    select id, ids[1 + n % cardinality(ids)], 'body', '{pwd}', at, at, at, at + interval '30 days', '192.0.2.7',
        'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', sha256(uuid_send(id))
    from made, owners
)
insert into security_events (id, user_id, session_id, event, outcome, created_at, ip_address, user_agent)
select id, ids[1 + n % cardinality(ids)], id, 'logged_in', 'success', at, '192.0.2.7',
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
from made, owners
