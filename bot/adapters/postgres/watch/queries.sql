-- name: next_alert
SELECT nextval(pg_get_serial_sequence('alerts', 'id')) AS id

-- name: alert
SELECT alert FROM alerts WHERE id = $1

-- name: newest_alerts
SELECT g.grp, a.alert FROM unnest($1::text[]) AS g (grp) CROSS JOIN LATERAL (
    SELECT alert FROM alerts n WHERE n.grp = g.grp ORDER BY n.id DESC LIMIT 1) AS a

-- name: open_alert
-- Of two that hear of the same trouble at once, one comes too late.
INSERT INTO alerts (id, grp, service, environment, guilds, severity, over, version, alert, due_at, opened_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING id

-- name: change_alert
UPDATE alerts SET severity = $3, over = $4, version = $5, alert = $6, due_at = $7, ended_at = $8
WHERE id = $1 AND version = $2 RETURNING id

-- name: add_entries
INSERT INTO alert_entries (alert_id, at, what, who, said)
SELECT $1, e.at, e.what, e.who, e.said
FROM jsonb_to_recordset($2) AS e (at timestamptz, what text, who text, said text)

-- name: due_alerts
SELECT alert FROM alerts WHERE due_at <= $1 ORDER BY due_at LIMIT $2

-- name: open_alerts
SELECT alert FROM alerts WHERE NOT over AND ($1::bigint IS NULL OR guilds @> ARRAY[$1::bigint])
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], severity), id LIMIT $2

-- name: silenced_alerts
SELECT alert FROM alerts WHERE NOT over AND COALESCE((alert ->> 'silence_id')::bigint, 0) <> 0 ORDER BY id LIMIT $1

-- name: lane_alerts
-- Each half by an index of its own, so that the lane's past is not read.
SELECT alert FROM (
    SELECT id, alert FROM alerts WHERE service = $1 AND environment = $2 AND NOT over
    UNION ALL (
        SELECT id, alert FROM alerts WHERE service = $1 AND environment = $2 AND over AND opened_at >= $3
        ORDER BY opened_at DESC, id DESC LIMIT $4)) AS found
ORDER BY id DESC LIMIT $4

-- name: count_open_alerts
SELECT severity, count(*)::integer AS number FROM alerts WHERE NOT over GROUP BY severity

-- name: alert_timeline
-- The first lines and the newest; between them one that says how many others there are.
WITH oldest AS (
    SELECT COALESCE(max(id), 0) AS last FROM (
        SELECT id FROM alert_entries WHERE alert_id = $1 ORDER BY id LIMIT $2) AS lines
), newest AS (
    SELECT min(id) AS first FROM (
        SELECT id FROM alert_entries WHERE alert_id = $1 ORDER BY id DESC LIMIT $3) AS lines
)
SELECT e.id, e.at, e.what, e.who, e.said FROM oldest, newest, alert_entries e
WHERE e.alert_id = $1 AND (e.id <= oldest.last OR e.id >= newest.first)
UNION ALL
SELECT min(e.id), (array_agg(e.at ORDER BY e.id))[1], 'left_out', '',
    sum(CASE WHEN e.what = 'left_out' THEN e.said::bigint ELSE 1 END)::text
FROM oldest, newest, alert_entries e
WHERE e.alert_id = $1 AND e.id > oldest.last AND e.id < newest.first
HAVING count(*) > 0
ORDER BY id

-- name: undrawn_alerts
-- Without those that the caller cannot draw now, as long as they have this version.
SELECT a.alert, a.drawn FROM alerts a WHERE a.drawn < a.version AND NOT EXISTS (
    SELECT FROM unnest($2::bigint[], $3::integer[]) AS w (id, version) WHERE w.id = a.id AND w.version = a.version)
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], a.severity), a.id LIMIT $1

-- name: alert_drawn
UPDATE alerts SET drawn = $2 WHERE id = $1 AND drawn < $2

-- name: alert_cards
SELECT alert_id, guild_id, channel_id, message_id FROM alert_cards WHERE alert_id = $1

-- name: put_alert_card
INSERT INTO alert_cards (alert_id, guild_id, channel_id, message_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (alert_id, guild_id) DO UPDATE SET channel_id = EXCLUDED.channel_id, message_id = EXCLUDED.message_id

-- name: thin_alert_entries
-- Of an alert that is open for long, the first lines stay and the newest; between them, lines of these kinds become one
-- that says how many they were. Of two processes that find the same lines, the second one changes nothing: the first of
-- the lines is no longer what it found.
WITH edges AS (
    SELECT a.id,
        (SELECT e.id FROM alert_entries e WHERE e.alert_id = a.id ORDER BY e.id OFFSET $1 LIMIT 1) AS since,
        (SELECT e.id FROM alert_entries e WHERE e.alert_id = a.id ORDER BY e.id DESC OFFSET $2 LIMIT 1) AS until
    FROM (SELECT id FROM alerts WHERE NOT over ORDER BY id LIMIT $4) AS a
), middle AS (
    SELECT x.id AS alert_id, m.first, m.last, m.lines
    FROM edges x CROSS JOIN LATERAL (
        SELECT min(e.id) AS first, max(e.id) AS last, count(*) FILTER (WHERE e.what <> 'left_out') AS more,
            sum(CASE WHEN e.what = 'left_out' THEN e.said::bigint ELSE 1 END) AS lines
        FROM (SELECT id, what, said FROM alert_entries
              WHERE alert_id = x.id AND id BETWEEN x.since AND x.until AND what = ANY ($5::text[])
              ORDER BY id LIMIT $4) AS e) AS m
    WHERE m.more >= $3 ORDER BY x.id LIMIT 1
), found AS (
    SELECT m.*, e.what, e.said FROM middle m JOIN alert_entries e ON e.id = m.first
), noted AS (
    UPDATE alert_entries e SET what = 'left_out', said = f.lines::text
    FROM found f WHERE e.id = f.first AND e.what = f.what AND e.said = f.said
    RETURNING f.alert_id, f.first, f.last
), gone AS (
    DELETE FROM alert_entries e USING noted n
    WHERE e.alert_id = n.alert_id AND e.id > n.first AND e.id <= n.last AND e.what = ANY ($5::text[])
) SELECT count(*) AS alerts FROM noted

-- name: tidy_alert_entries
-- The lines before their alerts, so that no statement deletes more than so many. What belongs to an open incident stays.
WITH old AS (
    SELECT a.id FROM alerts a WHERE a.over AND a.ended_at < $1
        AND NOT EXISTS (SELECT FROM incidents i WHERE NOT i.over AND i.incident -> 'alerts' @> to_jsonb(a.id))
    ORDER BY a.ended_at, a.id LIMIT $2
), gone AS (
    DELETE FROM alert_entries WHERE id = ANY (ARRAY(
        SELECT e.id FROM old CROSS JOIN LATERAL (
            SELECT id FROM alert_entries WHERE alert_id = old.id LIMIT $2) AS e LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_alerts
-- Those of the same alerts that have no lines left.
WITH old AS (
    SELECT a.id FROM alerts a WHERE a.over AND a.ended_at < $1
        AND NOT EXISTS (SELECT FROM incidents i WHERE NOT i.over AND i.incident -> 'alerts' @> to_jsonb(a.id))
    ORDER BY a.ended_at, a.id LIMIT $2
), bare AS (
    SELECT id FROM old WHERE NOT EXISTS (SELECT FROM alert_entries e WHERE e.alert_id = old.id)
), cards AS (
    DELETE FROM alert_cards WHERE alert_id = ANY (ARRAY(SELECT id FROM bare))
), gone AS (
    DELETE FROM alerts WHERE id = ANY (ARRAY(SELECT id FROM bare)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: watched_lanes
SELECT service, environment, state FROM watched_lanes

-- name: save_watched
INSERT INTO watched_lanes (service, environment, at, state)
SELECT w.service, w.environment, $2, w.state
FROM jsonb_to_recordset($1) AS w (service text, environment text, state jsonb)
ORDER BY w.service, w.environment
ON CONFLICT (service, environment) DO UPDATE SET at = EXCLUDED.at, state = EXCLUDED.state

-- name: monitors
SELECT service, environment, name, state FROM monitors

-- name: monitor_days
-- Page by page, by the primary key.
SELECT service, environment, name, extract(epoch FROM since)::float8 AS since, hours FROM monitor_days
WHERE (service, environment, name, since) > ($1, $2, $3, to_timestamp($4::float8)) AND since > to_timestamp($6::float8)
ORDER BY service, environment, name, since LIMIT $5

-- name: save_monitors
WITH saved AS (
    INSERT INTO monitors (service, environment, name, state)
    SELECT m.service, m.environment, m.name, m.state
    FROM jsonb_to_recordset($1) AS m (service text, environment text, name text, state jsonb)
    ORDER BY m.service, m.environment, m.name
    ON CONFLICT (service, environment, name) DO UPDATE SET state = EXCLUDED.state
)
INSERT INTO monitor_days (service, environment, name, since, hours)
SELECT d.service, d.environment, d.name, to_timestamp(d.since), d.hours
FROM jsonb_to_recordset($2) AS d (service text, environment text, name text, since float8, hours jsonb)
ORDER BY d.service, d.environment, d.name, d.since
ON CONFLICT (service, environment, name, since) DO UPDATE SET hours = EXCLUDED.hours
    WHERE monitor_days.hours IS DISTINCT FROM EXCLUDED.hours

-- name: forget_monitors
WITH named AS (
    SELECT n.service, n.environment, n.name FROM jsonb_to_recordset($1) AS n (service text, environment text, name text)
), gone AS (
    DELETE FROM monitors m USING named n
    WHERE m.service = n.service AND m.environment = n.environment AND m.name = n.name
)
DELETE FROM monitor_days d USING named n
WHERE d.service = n.service AND d.environment = n.environment AND d.name = n.name

-- name: looks
-- A few rows for each check: there is no index, so that writing one changes nothing else.
SELECT service, environment, name, location, extract(epoch FROM saved)::float8 AS saved, look FROM monitor_looks
WHERE saved >= to_timestamp($1::float8) ORDER BY saved

-- name: save_looks
INSERT INTO monitor_looks (service, environment, name, location, at, saved, look)
SELECT l.service, l.environment, l.name, $2, to_timestamp(l.at), clock_timestamp(), l.look
FROM jsonb_to_recordset($1) AS l (service text, environment text, name text, at float8, look jsonb)
ORDER BY l.service, l.environment, l.name
ON CONFLICT (service, environment, name, location) DO UPDATE
    SET at = EXCLUDED.at, saved = EXCLUDED.saved, look = EXCLUDED.look WHERE monitor_looks.at < EXCLUDED.at

-- name: forget_looks
DELETE FROM monitor_looks l
USING jsonb_to_recordset($1) AS n (service text, environment text, name text, location text)
WHERE l.service = n.service AND l.environment = n.environment AND l.name = n.name AND l.location = n.location

-- name: tidy_monitor_days
WITH gone AS (
    DELETE FROM monitor_days WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM monitor_days WHERE since < to_timestamp($1::float8) LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone
