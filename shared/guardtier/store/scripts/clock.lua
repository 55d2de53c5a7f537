-- No change: what time it is (ms since 1970) on the server that holds this partition.
--
-- Deadlines and entries are dated by it, so a caller whose own clock is off can tell what is due.
--
-- KEYS: any of the partition

return whole(now_ms())
