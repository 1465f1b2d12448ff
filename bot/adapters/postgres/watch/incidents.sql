-- name: next_incident
SELECT nextval(pg_get_serial_sequence('incidents', 'id')) AS id

-- name: incident
SELECT incident FROM incidents WHERE id = $1

-- name: open_incident
-- Of two that open one for the same alert, one comes too late.
INSERT INTO incidents (id, guild_id, origin, severity, over, version, incident, due_at, opened_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id

-- name: change_incident
UPDATE incidents SET severity = $3, over = $4, version = $5, incident = $6, due_at = $7, closed_at = $8
WHERE id = $1 AND version = $2 RETURNING id

-- name: add_incident_entries
INSERT INTO incident_entries (incident_id, at, what, who, said, key)
SELECT $1, e.at, e.what, e.who, e.said, e.key
FROM jsonb_to_recordset($2) AS e (at timestamptz, what text, who text, said text, key text)
ON CONFLICT DO NOTHING

-- name: due_incidents
SELECT incident FROM incidents WHERE due_at <= $1 ORDER BY due_at LIMIT $2

-- name: open_incidents
SELECT incident FROM incidents WHERE NOT over AND ($1::bigint IS NULL OR guild_id = $1)
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], severity), id LIMIT $2

-- name: newest_incidents
SELECT incident FROM incidents WHERE guild_id = $1 ORDER BY id DESC LIMIT $2

-- name: incident_of_origin
SELECT incident FROM incidents WHERE guild_id = $1 AND origin = $2 AND origin <> ''

-- name: incident_of_thread
SELECT incident FROM incidents WHERE thread_id = $1 ORDER BY id DESC LIMIT 1

-- name: incident_timeline
-- The first lines and the newest, as of alerts.
WITH oldest AS (
    SELECT COALESCE(max(id), 0) AS last FROM (
        SELECT id FROM incident_entries WHERE incident_id = $1 ORDER BY id LIMIT $2) AS lines
), newest AS (
    SELECT min(id) AS first FROM (
        SELECT id FROM incident_entries WHERE incident_id = $1 ORDER BY id DESC LIMIT $3) AS lines
)
SELECT e.id, e.at, e.what, e.who, e.said, e.key FROM oldest, newest, incident_entries e
WHERE e.incident_id = $1 AND (e.id <= oldest.last OR e.id >= newest.first)
UNION ALL
SELECT min(e.id), (array_agg(e.at ORDER BY e.id))[1], 'left_out', '', count(*)::text, ''
FROM oldest, newest, incident_entries e
WHERE e.incident_id = $1 AND e.id > oldest.last AND e.id < newest.first
HAVING count(*) > 0
ORDER BY at, id

-- name: undrawn_incidents
SELECT incident FROM incidents WHERE drawn < version
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], severity), id LIMIT $1

-- name: incident_drawn
UPDATE incidents SET drawn = $2 WHERE id = $1 AND drawn < $2

-- name: redraw_incident
UPDATE incidents SET drawn = version - 1 WHERE id = $1 AND drawn >= version

-- name: incident_card
SELECT id AS incident_id, channel_id, message_id, thread_id FROM incidents WHERE id = $1 AND message_id IS NOT NULL

-- name: put_incident_card
UPDATE incidents SET channel_id = $2, message_id = $3, thread_id = $4 WHERE id = $1

-- name: tidy_incident_entries
-- The lines before their incidents, as of alerts.
WITH old AS (
    SELECT id FROM incidents WHERE over AND closed_at < $1 ORDER BY closed_at, id LIMIT $2
), gone AS (
    DELETE FROM incident_entries WHERE id = ANY (ARRAY(
        SELECT e.id FROM old CROSS JOIN LATERAL (
            SELECT id FROM incident_entries WHERE incident_id = old.id LIMIT $2) AS e LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_incidents
-- Those of the same incidents that have no lines left.
WITH old AS (
    SELECT id FROM incidents WHERE over AND closed_at < $1 ORDER BY closed_at, id LIMIT $2
), gone AS (
    DELETE FROM incidents WHERE id = ANY (ARRAY(
        SELECT id FROM old WHERE NOT EXISTS (SELECT FROM incident_entries e WHERE e.incident_id = old.id))) RETURNING 1
) SELECT count(*) AS gone FROM gone
