-- name: first_rollouts
SELECT l.service, l.environment, f.created_at FROM unnest($1::text[], $2::text[]) AS l (service, environment)
CROSS JOIN LATERAL (
    SELECT created_at FROM rollouts r WHERE r.service = l.service AND r.environment = l.environment
    ORDER BY r.id LIMIT 1) AS f

-- name: report_rollouts
-- Who turned it back is in the audit log, as long as that is not archived.
SELECT r.id, r.service, r.environment, r.phase, r.to_digest, r.created_at, r.ended_at,
    COALESCE((r.state ->> 'had_traffic')::boolean, false) AS had_traffic,
    r.returns, r.from_digest, r.made_at, a.shifted_at, a.via
FROM rollouts r
LEFT JOIN LATERAL (
    SELECT min(at) FILTER (WHERE to_phase = 'shifting') AS shifted_at,
        (array_agg(via ORDER BY id) FILTER (WHERE to_phase = 'rolling_back'))[1] AS via
    FROM audit WHERE rollout_id = r.id AND r.phase = 'rolled_back') AS a ON true
WHERE r.ended_at >= $3 AND r.ended_at < $4 AND r.final
    AND (r.service, r.environment) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY r.ended_at, r.id LIMIT $5

-- name: report_alerts
-- Who presses Roll back has the alert, as who acknowledges it has.
SELECT a.id, a.service, a.environment, a.severity, a.opened_at, a.ended_at,
    COALESCE((a.alert ->> 'returns')::int, 0) AS returns,
    COALESCE(a.alert #>> '{troubles,0,finding,title}', '') AS title, e.acknowledged_at
FROM alerts a
LEFT JOIN LATERAL (
    SELECT min(at) AS acknowledged_at FROM alert_entries
    WHERE alert_id = a.id AND what IN ('acknowledged', 'rollback') AND who <> '') AS e ON true
WHERE a.opened_at >= $5 AND a.opened_at < $6
    AND ((a.service, a.environment) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        OR ($4 AND a.service = '' AND a.guilds && $3::bigint[]))
ORDER BY a.opened_at, a.id LIMIT $7

-- name: report_incidents
SELECT i.incident #>> '{lane,service}' AS service, i.incident #>> '{lane,environment}' AS environment,
    (i.incident ->> 'since')::timestamptz AS since,
    COALESCE((i.incident ->> 'restored_at')::timestamptz, i.closed_at) AS until
FROM incidents i
WHERE i.opened_at >= $4 AND i.opened_at < $5 AND i.severity IN ('critical', 'high') AND i.guild_id = ANY ($3::bigint[])
    AND (i.incident #>> '{lane,service}', i.incident #>> '{lane,environment}')
        IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY i.id

-- name: report_served
-- Days are summed up from each of $3 to the next: the chart shows no more of them.
SELECT service, environment, ($3::date[])[width_bucket(day, $3::date[])] AS first, sum(seconds) AS seconds,
    sum(requests)::bigint AS requests, sum(bad)::bigint AS bad
FROM served_days
WHERE day BETWEEN ($3::date[])[1] AND $4 AND seconds > 0
    AND (service, environment) IN (SELECT * FROM unnest($1::text[], $2::text[]))
GROUP BY 1, 2, 3

-- name: count_served_days
-- Days that were never counted, or not since they were over and not for an hour. A tick is its end and its length, then
-- total and bad of each measure. A day on which errors were not counted gets a row of zeros, so that it is done with.
WITH wanted AS (
    SELECT DISTINCT s.service, s.environment, (s.since AT TIME ZONE 'UTC')::date AS day
    FROM served s LEFT JOIN served_days d
        ON d.service = s.service AND d.environment = s.environment AND d.day = (s.since AT TIME ZONE 'UTC')::date
    WHERE s.since >= $1 AND (d.day IS NULL OR (d.counted_at < $2::timestamptz - interval '1 hour'
        AND d.counted_at < ((d.day + 1)::timestamp AT TIME ZONE 'UTC') + interval '15 minutes'))
    LIMIT $3
)
INSERT INTO served_days (service, environment, day, seconds, requests, bad, counted_at)
SELECT w.service, w.environment, w.day, COALESCE(sum((t.tick ->> 1)::bigint), 0) / 1000.0,
    COALESCE(sum((t.tick ->> t.place)::bigint), 0), COALESCE(sum((t.tick ->> (t.place + 1))::bigint), 0), $2
FROM wanted w LEFT JOIN LATERAL (
    SELECT e.tick, 2 * array_position(s.measures, 'errors') AS place
    FROM served s CROSS JOIN LATERAL jsonb_array_elements(s.ticks) AS e (tick)
    WHERE s.service = w.service AND s.environment = w.environment AND 'errors' = ANY (s.measures)
        AND s.since >= w.day::timestamp AT TIME ZONE 'UTC'
        AND s.since < (w.day + 1)::timestamp AT TIME ZONE 'UTC') AS t ON true
GROUP BY w.service, w.environment, w.day
ORDER BY w.service, w.environment, w.day
ON CONFLICT (service, environment, day) DO UPDATE SET seconds = EXCLUDED.seconds, requests = EXCLUDED.requests,
    bad = EXCLUDED.bad, counted_at = EXCLUDED.counted_at
RETURNING 1

-- name: forget_served_days
WITH gone AS (
    DELETE FROM served_days WHERE ctid = ANY (ARRAY(SELECT ctid FROM served_days WHERE day < $1 LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: report_posted
SELECT due_at FROM reports_posted WHERE guild_id = $1

-- name: post_report
-- Of two processes that post the same report, one finds it posted.
INSERT INTO reports_posted AS p (guild_id, due_at) VALUES ($1, $2)
ON CONFLICT (guild_id) DO UPDATE SET due_at = EXCLUDED.due_at WHERE p.due_at < EXCLUDED.due_at
RETURNING guild_id

-- name: export_rollouts
SELECT r.id, r.service, r.environment, COALESCE(r.from_version, '') AS from_version, r.to_version, r.to_digest,
    COALESCE(r.charter #>> '{candidate,commit}', '') AS commit, r.phase, r.requester, r.reason, r.outcome,
    r.created_at AS requested_at, r.ended_at, extract(epoch FROM r.ended_at - r.created_at)::bigint AS seconds,
    r.returns::text AS returns,
    CASE WHEN a.via IS NULL THEN '' WHEN a.via = 'system' THEN 'automatic' ELSE 'person' END AS rolled_back
FROM rollouts r
LEFT JOIN LATERAL (
    SELECT (array_agg(via ORDER BY id) FILTER (WHERE to_phase = 'rolling_back'))[1] AS via
    FROM audit WHERE rollout_id = r.id AND r.phase = 'rolled_back') AS a ON true
WHERE r.created_at >= $5 AND r.created_at < $6
    AND (r.service, r.environment) IN (SELECT * FROM unnest($1::text[], $2::text[])) 
    AND $3::bigint[] IS NOT NULL AND $4::boolean IS NOT NULL
ORDER BY r.created_at, r.id

-- name: export_alerts
SELECT a.id, a.service, a.environment, a.severity, COALESCE(a.alert #>> '{troubles,0,finding,title}', '') AS title,
    a.alert ->> 'state' AS state, a.opened_at, e.at AS acknowledged_at, COALESCE(e.who, '') AS acknowledged_by,
    a.ended_at, COALESCE(a.alert ->> 'ended_by', '') AS ended_by, COALESCE((a.alert ->> 'returns')::int, 0) AS returns,
    (a.alert #>> '{suspect,rollout_id}')::bigint AS rollout_id,
    extract(epoch FROM e.at - a.opened_at)::bigint AS seconds_to_acknowledge,
    extract(epoch FROM a.ended_at - a.opened_at)::bigint AS seconds_open
FROM alerts a
LEFT JOIN LATERAL (
    SELECT at, who FROM alert_entries
    WHERE alert_id = a.id AND what IN ('acknowledged', 'rollback') AND who <> '' ORDER BY id LIMIT 1) AS e ON true
WHERE a.opened_at >= $5 AND a.opened_at < $6
    AND ((a.service, a.environment) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        OR ($4 AND a.service = '' AND a.guilds && $3::bigint[]))
ORDER BY a.opened_at, a.id

-- name: export_incidents
SELECT i.id, COALESCE(i.incident #>> '{lane,service}', '') AS service,
    COALESCE(i.incident #>> '{lane,environment}', '') AS environment, i.severity, i.incident ->> 'title' AS title,
    i.incident ->> 'opened_by' AS opened_by, COALESCE(i.incident #>> '{owner,name}', '') AS owner, t.since, i.opened_at,
    t.acknowledged_at, t.restored_at, i.closed_at, i.incident ->> 'closed_by' AS closed_by,
    jsonb_array_length(i.incident -> 'alerts') AS alerts, jsonb_array_length(i.incident -> 'rollouts') AS rollouts,
    i.incident ->> 'postmortem' AS postmortem,
    extract(epoch FROM t.acknowledged_at - t.since)::bigint AS seconds_to_acknowledge,
    extract(epoch FROM t.restored_at - t.since)::bigint AS seconds_to_restore
FROM incidents i CROSS JOIN LATERAL jsonb_to_record(i.incident) AS t (
    since timestamptz, acknowledged_at timestamptz, restored_at timestamptz)
WHERE i.opened_at >= $5 AND i.opened_at < $6 AND i.guild_id = ANY ($3::bigint[])
    AND ((i.incident #>> '{lane,service}', i.incident #>> '{lane,environment}')
        IN (SELECT * FROM unnest($1::text[], $2::text[]))
        OR ($4 AND i.incident #>> '{lane,service}' IS NULL))
ORDER BY i.opened_at, i.id
