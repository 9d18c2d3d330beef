-- What must be true at every moment, whoever was killed. Each statement finds what is not as it should be, and is named
-- by the comment before it. The clients of tests/crash are owners of their sessions, who lose answers and come back; one
-- that calls itself "copy" shows tokens that were replaced, and one that calls itself "wrong" shows old passwords.

-- Two accounts of one address.
select email_canonical from users group by email_canonical having count(*) > 1;

-- An account that was not created exactly once.
select u.id, count(e.id) from users u
left join security_events e on e.user_id = u.id and e.event = 'account_created'
group by u.id having count(e.id) <> 1;

-- An account whose owner was not signed in by signing up.
select u.id from users u
where not exists (select from sessions s where s.user_id = u.id and s.created_at = u.created_at);

-- A session, a factor, a code, a challenge, an old password or an event of nobody.
select held.user_id from (
    select user_id from sessions
    union all select user_id from totp_factors
    union all select user_id from backup_codes
    union all select user_id from login_challenges
    union all select user_id from password_history
    union all select user_id from security_events
    where user_id is not null or event not in ('account_deleted', 'key_added', 'login_failed')
) held left join users u on u.id = held.user_id
where u.id is null;

-- A session that was not logged in to exactly once, by its user and at its beginning.
select s.id, count(e.id) from sessions s
left join security_events e on e.session_id = s.id and e.event = 'logged_in'
    and e.user_id = s.user_id and e.created_at = s.created_at
group by s.id having count(e.id) <> 1;

-- A login without a session, or a second one.
select e.id from security_events e left join sessions s on s.id = e.session_id
where e.event = 'logged_in' and (s.id is null or s.created_at <> e.created_at);

-- A session that ended without the one event that says how, or did not end and has one.
select s.id, s.end_reason, array_agg(e.event) from sessions s
left join security_events e on e.session_id = s.id
    and e.event in ('logged_out', 'refresh_token_reused', 'session_revoked', 'session_evicted', 'session_replaced')
group by s.id, s.end_reason
having array_remove(array_agg(e.event), null) <> case s.end_reason
    when 'logged_out' then array['logged_out']
    when 'refresh_token_reused' then array['refresh_token_reused']
    when 'revoked' then array['session_revoked']
    when 'evicted' then array['session_evicted']
    when 'replaced' then array['session_replaced']
    else array[]::text[]
end;

-- A theft where nobody stole, or an old password where nobody showed one.
select id, event, user_agent from security_events
where event = 'refresh_token_reused' and user_agent is distinct from 'copy'
    or event = 'login_failed' and user_agent is distinct from 'wrong';

-- An event of what nobody here does.
select id, event from security_events where event not in (
    'account_created', 'account_deleted', 'logged_in', 'login_failed', 'login_challenged', 'backup_code_used',
    'password_changed', 'password_refused', 'two_factor_enabled', 'logged_out', 'session_revoked',
    'refresh_retried_late', 'refresh_token_reused', 'key_added'
);

-- A password that was refused where none had been changed: nobody mistypes.
select r.id from security_events r
where r.event = 'password_refused' and not exists (
    select from security_events c
    where c.user_id = r.user_id and c.event = 'password_changed' and c.id < r.id
);

-- Credentials of another version than their changes make.
select u.id, u.credential_version, count(e.id) from users u
left join security_events e on e.user_id = u.id and e.event in ('password_changed', 'two_factor_enabled')
group by u.id having u.credential_version <> 1 + count(e.id);

-- Another number of old passwords than of changes, of which four are remembered.
select u.id, old.count as old, changed.count as changed from users u,
lateral (select count(*) from password_history where user_id = u.id) old,
lateral (select count(*) from security_events where user_id = u.id and event = 'password_changed') changed
where old.count <> least(changed.count, 4);

-- A password that is hashed in no configured way.
select id from users where password_hash !~ '^\$argon2id\$v=19\$m=(7168,t=5|9216,t=4),p=1\$';

-- A last login that is not that of the newest session.
select u.id from users u
where u.last_login_at is distinct from (select max(created_at) from sessions s where s.user_id = u.id);

-- One refresh token in two places: a second live successor.
select digest from (
    select current_digest as digest from sessions
    union all select parent_digest from sessions where parent_digest is not null
) held
group by digest having count(*) > 1;

-- More recoveries than replacements, or a recovery of a session that has none.
select s.id, s.generation, count(e.id) from sessions s
join security_events e on e.session_id = s.id and e.event = 'refresh_retried_late'
group by s.id having count(e.id) >= s.generation;

-- A session that was replaced, or ended, before it began.
select id from sessions where rotated_at < created_at or last_seen_at < rotated_at or ended_at < created_at;

-- A second factor that is on without its secret or its event, or off with them; secrets that wait do not count.
select u.id from users u
left join totp_factors f on f.user_id = u.id
left join security_events e on e.user_id = u.id and e.event = 'two_factor_enabled'
where u.two_factor_enabled_at is distinct from f.confirmed_at or u.two_factor_enabled_at is distinct from e.created_at;

-- Other backup codes than were made and not used.
select u.id, codes.count as codes, used.count as used from users u,
lateral (select count(*) from backup_codes where user_id = u.id) codes,
lateral (select count(*) from security_events where user_id = u.id and event = 'backup_code_used') used
where codes.count <> case when u.two_factor_enabled_at is null then 0 else 10 end - used.count;

-- A session that went past the second factor, or used it otherwise than by one code.
select u.id, logged_in.count as logged_in, used.count as used from users u,
lateral (select count(*) from sessions where user_id = u.id and created_at > u.two_factor_enabled_at) logged_in,
lateral (select count(*) from security_events where user_id = u.id and event = 'backup_code_used') used
where logged_in.count <> used.count;

-- More challenges, answered and waiting, than were given.
select u.id, waiting.count as waiting, used.count as used, given.count as given from users u,
lateral (select count(*) from login_challenges where user_id = u.id) waiting,
lateral (select count(*) from security_events where user_id = u.id and event = 'backup_code_used') used,
lateral (select count(*) from security_events where user_id = u.id and event = 'login_challenged') given
where waiting.count + used.count > given.count;

-- A purpose that no key is active for.
select purpose from keys group by purpose having bool_and(active_from > statement_timestamp());

-- Another number of keys than the first of each purpose and those that were added.
select keys.count as keys, added.count as added from
(select count(*) - count(distinct purpose) as count from keys) keys,
(select count(*) from security_events where event = 'key_added') added
where keys.count <> added.count;

-- A key that takes over before everybody can know it.
select id from keys
where active_from < created_at + interval '5 s' and created_at > (select min(created_at) from keys);
