-- name: on_call_overrides
SELECT id, schedule, user_id, user_name, since, until, by_id, by_name, reason, at
FROM on_call_overrides WHERE until > $1 ORDER BY id

-- name: give_override
INSERT INTO on_call_overrides (schedule, user_id, user_name, since, until, by_id, by_name, reason, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id

-- name: told_on_call
SELECT schedule, user_id, user_name, since FROM on_call_told

-- name: tell_first_hand_over
INSERT INTO on_call_told (schedule, user_id, user_name, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (schedule) DO NOTHING RETURNING schedule

-- name: tell_hand_over
-- Of two processes that announce the same hand-over, one finds the row changed.
UPDATE on_call_told SET user_id = $2, user_name = $3, since = $4
WHERE schedule = $1 AND user_id IS NOT DISTINCT FROM $5 AND since = $6
RETURNING schedule

-- name: on_call_calendars
SELECT schedule, source, events, until, read_at, problem FROM on_call_calendars

-- name: put_on_call_calendar
INSERT INTO on_call_calendars (schedule, source, events, until, read_at, problem) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (schedule) DO UPDATE SET source = EXCLUDED.source, events = EXCLUDED.events, until = EXCLUDED.until,
    read_at = EXCLUDED.read_at, problem = EXCLUDED.problem

-- name: on_call_pages
SELECT schedule, due_at, user_id, user_name, sent_at, answered_at, missed_at FROM on_call_pages
WHERE due_at >= $1 ORDER BY due_at

-- name: send_page
INSERT INTO on_call_pages (schedule, due_at, user_id, user_name, sent_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (schedule, due_at) DO NOTHING RETURNING schedule

-- name: posted
SELECT key, done_at FROM effects WHERE key = ANY ($1::text[]) AND state = 'done' AND done_at IS NOT NULL

-- name: answer_page
UPDATE on_call_pages SET answered_at = $3
WHERE schedule = $1 AND due_at = $2 AND answered_at IS NULL AND missed_at IS NULL RETURNING schedule

-- name: miss_page
UPDATE on_call_pages SET missed_at = $3
WHERE schedule = $1 AND due_at = $2 AND answered_at IS NULL AND missed_at IS NULL RETURNING schedule

-- name: tidy_overrides
WITH gone AS (
    DELETE FROM on_call_overrides WHERE id = ANY (ARRAY(
        SELECT id FROM on_call_overrides WHERE until < $1 ORDER BY until LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_pages
WITH gone AS (
    DELETE FROM on_call_pages WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM on_call_pages WHERE due_at < $1 ORDER BY due_at LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone
