-- Sessions: one row each for as long as it lives, however often its token is replaced.
set local lock_timeout = '2s';

create table sessions (
    id uuid not null,
    user_id uuid not null,
    transport text not null,
    auth_methods text[] not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    absolute_expires_at timestamptz not null,
    ended_at timestamptz,
    end_reason text,
    ip_address inet,
    user_agent text,
    -- The refresh token: SHA-256 of the current secret and of the one it was derived from, and the salt it was
    -- derived with. Idle expiry is computed from rotated_at, so that a refresh touches no index.
    generation integer not null default 0,
    current_digest bytea not null,
    parent_digest bytea,
    salt bytea,
    rotated_at timestamptz not null,
    -- Whether the current token has been shown to us, and whether a grace answer went elsewhere.
    seen boolean not null default false,
    seen_elsewhere boolean not null default false,
    constraint sessions_pkey primary key (id),
    constraint sessions_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint sessions_transport_check check (transport in ('body', 'cookie')),
    constraint sessions_ended_check check ((ended_at is null) = (end_reason is null)),
    constraint sessions_generation_check check (generation >= 0),
    constraint sessions_digest_check check (
        length(current_digest) = 32
        and (generation = 0) = (parent_digest is null)
        and (parent_digest is null) = (salt is null)
    )
) with (fillfactor = 80);

create index sessions_user_id_idx on sessions (user_id);
create index sessions_absolute_expires_at_idx on sessions (absolute_expires_at);
