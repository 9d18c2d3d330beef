-- no-transaction
create index concurrently if not exists totp_factors_key_id_idx on totp_factors (key_id);
