-- A session grows by 70 bytes at its first refresh: with less room on their page the last ones had to leave it.
set local lock_timeout = '2s';

alter table sessions set (fillfactor = 70);
