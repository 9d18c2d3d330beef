-- The key ring: drawn keys, each sealed by the master key, which is never in the database.
set local lock_timeout = '2s';

create table keys (
    id uuid not null,
    purpose text not null,
    algorithm text not null,
    -- Which master key sealed it.
    master_key_id text not null,
    -- Nonce, ciphertext and tag of AES-256-GCM; id, purpose and algorithm are the associated data.
    sealed bytea not null,
    created_at timestamptz not null,
    -- A key is used from here on, until a later one of its purpose is. Before, it is only published.
    active_from timestamptz not null,
    constraint keys_pkey primary key (id),
    constraint keys_purpose_check check (purpose ~ '^[a-z_]{1,32}$')
);
