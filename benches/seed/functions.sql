-- Ids as Keyward makes them, from a time, and the same ones whenever they are asked for.
create function pg_temp.id(at timestamptz, seed text) returns uuid language sql
return (
    lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
    || '7' || left(md5(seed), 3) || '8' || right(md5(seed), 15)
)::uuid;

create function pg_temp.joined_at(n bigint, users bigint, now timestamptz) returns timestamptz language sql
return now - interval '51 days' + n * (interval '30 days' / users);
