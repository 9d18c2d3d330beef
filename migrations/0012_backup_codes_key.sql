-- no-transaction
create index concurrently if not exists backup_codes_key_id_idx on backup_codes (key_id);
