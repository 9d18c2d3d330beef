-- The role that Keyward serves as, with the rights it needs and no others. Run this in Keyward's database as the owner of
-- its tables, which is the role that migrates: once, and again after each release that was migrated to.
--
--     psql "$OWNER_URL" -v ON_ERROR_STOP=1 -f docs/serving-role.sql
--
-- An owner who may not make roles has somebody else do that first. The role needs a password, which nobody has to see:
-- `\password keyward_serving` in psql.
begin;

do $$ begin
    if not exists (select from pg_roles where rolname = 'keyward_serving') then
        create role keyward_serving login;
    end if;
end $$;

-- Only the owner makes tables. PostgreSQL 14 lets everybody; later ones do not.
revoke create on schema public from public;
grant usage on schema public to keyward_serving;

do $$ declare
    ours text;
begin
    select string_agg(oid::regclass::text, ', ') into ours from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relowner = current_user::regrole;
    execute format('revoke all on %s from keyward_serving', ours);
end $$;
grant select on _sqlx_migrations to keyward_serving;
grant select, insert, update, delete on keys, users, sessions, throttles, totp_factors, login_challenges to keyward_serving;
grant select, insert, delete on password_history, backup_codes to keyward_serving;
-- Append-only. Old ones are deleted by the function, which takes nobody's word for how old they are; how long they are
-- kept is the owner's to say, in `event_retention`, and a start warns where that is not said.
grant select, insert on security_events to keyward_serving;
grant select on event_retention to keyward_serving;
grant execute on function purge_security_events to keyward_serving;

-- Tables of the next release, until this has been run again.
alter default privileges in schema public grant select, insert, update, delete on tables to keyward_serving;

-- A schema that belongs to somebody else, as in a database made by PostgreSQL 14, heeds no `revoke` of ours.
do $$ begin
    if has_schema_privilege('keyward_serving', 'public', 'create') then
        raise exception 'keyward_serving may still make tables and functions in the schema public'
            using hint = format('Have a superuser run: alter schema public owner to %I. Then run this again.', current_user);
    end if;
end $$;

commit;
