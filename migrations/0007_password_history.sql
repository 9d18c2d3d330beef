-- Hashes of passwords that were replaced, so that they are not taken again.
set local lock_timeout = '2s';

create table password_history (
    user_id uuid not null,
    replaced_at timestamptz not null,
    password_hash text not null,
    constraint password_history_pkey primary key (user_id, password_hash),
    constraint password_history_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
