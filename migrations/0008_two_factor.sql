-- The second factor: one TOTP secret a person, backup codes, and the logins that wait for one of them.
set local lock_timeout = '2s';

create table totp_factors (
    user_id uuid not null,
    -- Nonce, ciphertext and tag of AES-256-GCM; whose it is, is the associated data.
    sealed_secret bytea not null,
    -- The key of the ring that sealed it.
    key_id uuid not null,
    -- Of the credentials it was drawn under: a change of them voids it while it is pending.
    credential_version integer not null,
    created_at timestamptz not null,
    -- Null while it is pending: no login asks for it yet.
    confirmed_at timestamptz,
    -- The time step (RFC 6238, section 4.2) whose code was accepted last. It is not accepted again, nor is an earlier one.
    last_step bigint not null default 0,
    constraint totp_factors_pkey primary key (user_id),
    constraint totp_factors_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);

-- A keyed hash each. A code that is used is deleted.
create table backup_codes (
    user_id uuid not null,
    digest bytea not null,
    constraint backup_codes_pkey primary key (user_id, digest),
    constraint backup_codes_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint backup_codes_digest_check check (length(digest) = 32)
);

create table login_challenges (
    -- SHA-256 of the secret in the token.
    digest bytea not null,
    user_id uuid not null,
    -- Of the credentials that were proven: a change of them voids the challenge.
    credential_version integer not null,
    auth_methods text[] not null,
    -- The device, where it is one that its owner is known on.
    device_id uuid,
    tries integer not null default 0,
    expires_at timestamptz not null,
    constraint login_challenges_pkey primary key (digest),
    constraint login_challenges_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint login_challenges_digest_check check (length(digest) = 32),
    constraint login_challenges_tries_check check (tries >= 0)
);

create index login_challenges_user_id_idx on login_challenges (user_id);
create index login_challenges_expires_at_idx on login_challenges (expires_at);
