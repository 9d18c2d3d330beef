-- Keys that are replaced: from when one is refused, and which one hashed a backup code.
set local lock_timeout = '2s';

alter table keys add column revoked_at timestamptz;

-- Null: by a key that was not noted, as by an earlier release.
alter table backup_codes add column key_id uuid;
