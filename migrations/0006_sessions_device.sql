-- The device or browser a session was opened on, which outlives the session. Null: the session is its device.
set local lock_timeout = '2s';

alter table sessions add column device_id uuid;
