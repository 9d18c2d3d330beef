-- What happened to accounts and sessions. Rows are only ever added, and purged by age.
set local lock_timeout = '2s';

create table security_events (
    id uuid not null,
    -- Null for a deleted account.
    user_id uuid,
    session_id uuid,
    event text not null,
    outcome text not null,
    created_at timestamptz not null,
    ip_address inet,
    user_agent text,
    request_id text not null,
    constraint security_events_pkey primary key (id),
    constraint security_events_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint security_events_outcome_check check (outcome in ('success', 'failure'))
);

create index security_events_user_id_id_idx on security_events (user_id, id);
