-- Accounts, with the one password each may have.
set local lock_timeout = '2s';

create table users (
    id uuid not null,
    -- As typed, and the form it is compared by.
    email text,
    email_canonical text,
    email_verified_at timestamptz,
    username text,
    display_name text,
    locale text,
    roles text[] not null default '{}',
    -- A PHC string. Accounts that sign in otherwise have none.
    password_hash text,
    -- Rises with every change of password, second factor or status: what was proven under an older one is void.
    credential_version integer not null default 1,
    two_factor_enabled_at timestamptz,
    disabled_at timestamptz,
    last_login_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint users_pkey primary key (id),
    constraint users_email_key unique (email_canonical),
    constraint users_username_key unique (username),
    constraint users_email_check check ((email is null) = (email_canonical is null)),
    constraint users_username_check check (username ~ '^[a-z0-9][a-z0-9._-]{2,31}$')
) with (fillfactor = 90);
