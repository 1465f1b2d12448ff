-- name: add_silence
INSERT INTO silences (guild_id, service, environment, labels, since, until, reason, by_id, by_name, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id

-- name: standing_silences
SELECT id, guild_id, service, environment, labels, since, until, reason, by_id, by_name, at, over_at, begun
FROM silences WHERE NOT settled AND over_at IS NULL AND until > $1 ORDER BY id

-- name: end_silence
UPDATE silences SET over_at = $2 WHERE id = $1 AND over_at IS NULL AND until > $2 RETURNING id

-- name: due_silences
SELECT id, guild_id, service, environment, labels, since, until, reason, by_id, by_name, at, over_at, begun
FROM silences
WHERE NOT settled AND (over_at IS NOT NULL OR until <= $1 OR (NOT begun AND since <= $1)) ORDER BY id LIMIT $2

-- name: silence_begun
UPDATE silences SET begun = true WHERE id = $1 AND NOT begun AND NOT settled AND over_at IS NULL RETURNING id

-- name: silence_settled
UPDATE silences SET settled = true, over_at = coalesce(over_at, until) WHERE id = $1 AND NOT settled RETURNING id

-- name: tidy_silences
WITH gone AS (
    DELETE FROM silences WHERE id = ANY (ARRAY(
        SELECT id FROM silences WHERE settled AND over_at < $1 LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone
