-- Sessions $1 to $2 - 1 of all those of $3 users, opened over 20 days until $4: of everybody one that is logged out of,
-- one that was left idle, one that is alive. The secret of a refresh token is the SHA-256 of its session's id.
insert into sessions (id, user_id, transport, auth_methods, created_at, last_seen_at, rotated_at, absolute_expires_at,
    ended_at, end_reason, ip_address, user_agent, current_digest)
select id, user_id, 'body', '{pwd}', at, at, at, at + interval '30 days',
    case when is_ended then at + interval '1 day' end, case when is_ended then 'logged_out' end,
    '192.0.2.7', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    sha256(sha256(uuid_send(id)))
from (
    select at, is_ended, pg_temp.id(at, 'session' || n) as id,
        pg_temp.id(pg_temp.joined_at(owner, $3::bigint, $4::timestamptz), 'user' || owner) as user_id
    from (
        select n, n < $3::bigint as is_ended, n * 1000003 % $3::bigint as owner,
            $4::timestamptz - interval '20 days' + n * (interval '20 days' / (3 * $3::bigint)) as at
        from generate_series($1::bigint, $2::bigint - 1) as n
    ) as numbered
) as made
