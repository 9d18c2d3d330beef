-- Users $1 to $2 - 1 of $3, who joined over 30 days until three weeks before $4, with the password of hash $5.
insert into users (id, email, email_canonical, email_verified_at, password_hash, last_login_at, created_at, updated_at)
select pg_temp.id(at, 'user' || n), email, email, at, $5, at, at, at
from (
    select n, 'user' || n || '@example.com' as email, pg_temp.joined_at(n, $3::bigint, $4::timestamptz) as at
    from generate_series($1::bigint, $2::bigint - 1) as n
) as made
