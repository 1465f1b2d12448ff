-- Every statement about slash commands, by name.

-- name: command_put_manifest
INSERT INTO command_manifests (digest, guild_digest, manifest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: command_saw_manifest
-- The newest origin counts, except that a manifest found in Discord does not replace an earlier origin.
INSERT INTO command_sources AS s (application, digest, origin, commit) VALUES ($1, $2, $3, $4)
ON CONFLICT (application, digest) DO UPDATE SET origin = EXCLUDED.origin, commit = EXCLUDED.commit, at = now()
WHERE NOT $5

-- name: command_manifest
SELECT digest, guild_digest, manifest FROM command_manifests WHERE digest = $1

-- name: command_manifests
SELECT digest, origin, commit, at FROM command_sources WHERE application = $1 ORDER BY at DESC LIMIT $2

-- name: command_guild_digest
-- Manifests that look the same in a guild; the application's newest first.
SELECT m.digest FROM command_manifests m
LEFT JOIN command_sources s ON s.digest = m.digest AND s.application = $2
WHERE m.guild_digest = $1 ORDER BY s.at DESC NULLS LAST, m.at DESC LIMIT 20

-- name: command_accept
-- A newer generation, or the same state again; no row for an older one, or for other content under the same one.
INSERT INTO command_lanes AS l (service, environment, generation, stable, candidate, weight)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (service, environment) DO UPDATE SET
    generation = EXCLUDED.generation, stable = EXCLUDED.stable, candidate = EXCLUDED.candidate,
    weight = EXCLUDED.weight, updated_at = now(),
    aborted = CASE WHEN EXCLUDED.generation > l.generation THEN NULL ELSE l.aborted END,
    withdrawn = CASE WHEN l.withdrawn IN (EXCLUDED.stable, EXCLUDED.candidate) THEN l.withdrawn ELSE '' END
WHERE l.generation < EXCLUDED.generation OR (l.generation = EXCLUDED.generation AND l.stable = EXCLUDED.stable
    AND l.candidate = EXCLUDED.candidate AND l.weight = EXCLUDED.weight)
RETURNING generation

-- name: command_accepted
SELECT generation, stable, candidate, weight, withdrawn, aborted FROM command_lanes
WHERE service = $1 AND environment = $2

-- name: command_withdrawn
UPDATE command_lanes SET withdrawn = $3, updated_at = now() WHERE service = $1 AND environment = $2

-- name: command_aborted
UPDATE command_lanes SET aborted = $4 WHERE service = $1 AND environment = $2 AND generation = $3

-- name: command_back_up
-- Who and why: the rollout that ordered this generation, if one did.
INSERT INTO command_backups (application, application_id, service, environment, scope, generation, digest, commands,
    permissions, count, overwrites, who, why, rollout_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, COALESCE(r.requester, 'Slipway'),
    CASE WHEN $12 <> '' THEN $12 ELSE COALESCE(NULLIF(r.reason, ''), '') END, r.id
FROM (SELECT 1) AS one
LEFT JOIN lanes l ON l.service = $3 AND l.environment = $4 AND l.generation >= $6
LEFT JOIN rollouts r ON r.id = l.rollout_id
ON CONFLICT DO NOTHING

-- name: command_change
-- Written before the first call, and again by a process that takes over: creations count once. A change that an older
-- generation left unfinished is closed.
WITH overtaken AS (
    UPDATE command_changes SET result = 'failed', detail = 'overtaken by a newer state', ended_at = now()
    WHERE service = $3 AND environment = $4 AND scope = $5 AND generation < $6 AND result = 'started' AND $6 > 0
)
INSERT INTO command_changes AS c (application, application_id, service, environment, scope, generation, from_digest,
    to_digest, creates, result, who, why, rollout_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'started', COALESCE(r.requester, 'Slipway'),
    CASE WHEN $10 <> '' THEN $10 ELSE COALESCE(NULLIF(r.reason, ''), '') END, r.id
FROM (SELECT 1) AS one
LEFT JOIN lanes l ON l.service = $3 AND l.environment = $4 AND l.generation >= $6
LEFT JOIN rollouts r ON r.id = l.rollout_id
ON CONFLICT (service, environment, scope, generation) DO UPDATE SET
    creates = GREATEST(c.creates, EXCLUDED.creates), result = 'started', detail = '', ended_at = NULL
RETURNING id

-- name: command_open_change
SELECT id FROM command_changes
WHERE service = $1 AND environment = $2 AND scope = $3 AND generation = $4 AND result <> 'verified'

-- name: command_ended
UPDATE command_changes SET result = $2, detail = $3, calls = calls + $4, ended_at = now() WHERE id = $1

-- name: command_creates
SELECT began_at, creates FROM command_changes
WHERE application_id = $1 AND scope = $2 AND began_at > $3 AND creates > 0
    AND NOT (service = $4 AND environment = $5 AND generation = $6)
ORDER BY began_at

-- name: command_last_change
SELECT to_digest FROM command_changes
WHERE application_id = $1 AND scope = $2 AND result = 'verified' ORDER BY ended_at DESC LIMIT 1

-- name: command_put_reading
INSERT INTO command_readings (application_id, scope, at, ms, count, digest, error) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: command_readings
SELECT application_id, scope, at, ms, count, digest, error FROM command_readings
WHERE application_id = $1 AND scope = $2 ORDER BY at DESC LIMIT $3

-- name: command_tidy_readings
DELETE FROM command_readings WHERE at < $1

-- name: command_backups
SELECT id, application, application_id, environment, scope, digest, count, overwrites, who, why, rollout_id, at
FROM command_backups
WHERE application = $1 AND ($2::text IS NULL OR environment = $2) AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4

-- name: command_backup
SELECT id, application, application_id, environment, scope, digest, count, overwrites, who, why, rollout_id, at,
    commands, permissions
FROM command_backups WHERE id = $1

-- name: command_history
SELECT id, application, application_id, service, environment, scope, generation, from_digest, to_digest, creates,
    calls, result, detail, who, why, rollout_id, began_at,
    EXTRACT(epoch FROM ended_at - began_at)::float8 * 1000 AS ms
FROM command_changes
WHERE application = ANY ($1::text[]) AND ($2::bigint IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3

-- name: command_rate
SELECT count(*) FILTER (WHERE result = 'verified') AS succeeded,
    count(*) FILTER (WHERE result <> 'started') AS finished
FROM command_changes WHERE application = ANY ($1::text[]) AND began_at > $2

-- name: command_took_over
-- Make what was found in Discord the lane's desired state, if no rollout is active there and nothing was ordered
-- since the row on which that was decided.
UPDATE lanes l SET generation = $3, desired = $4, stamp = gen_random_uuid()::text,
    rollout_id = NULL, drift = '', drift_kind = '', repairs = 0,
    repaired_at = NULL, updated_at = now()
WHERE l.service = $1 AND l.environment = $2 AND l.generation = $5 AND l.stamp = $6
    AND l.generation < $3 AND NOT EXISTS (
    SELECT FROM rollouts r WHERE r.service = $1 AND r.environment = $2 AND NOT r.final)
RETURNING l.generation
