-- How often somebody has guessed: counted before anything is compared. Subjects are keyed hashes, so that the table
-- names neither accounts nor addresses.
set local lock_timeout = '2s';

create table throttles (
    subject bytea not null,
    tries integer not null,
    -- Of the last try, or of the first in a window.
    since timestamptz not null,
    constraint throttles_pkey primary key (subject),
    constraint throttles_subject_check check (length(subject) = 16),
    constraint throttles_tries_check check (tries >= 0)
) with (fillfactor = 80);
