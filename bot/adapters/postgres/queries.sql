-- Every statement that Slipway sends, by name. A statement is a transaction of its own unless the adapter opens one.

-- name: next_id
SELECT nextval(pg_get_serial_sequence('rollouts', 'id')) AS id

-- name: save
-- One step of one rollout, as one statement and so one transaction and one round trip.
-- All or nothing depends on `saved`: it is empty when the rollout has changed meanwhile (version and stamp) or the
-- claim that this step answers was lost (fence), and then no other part writes anything. Parts that a change does not
-- need are left out of the statement (rollouts.py): each costs time, even if it finds nothing.
WITH change AS (
    SELECT * FROM jsonb_to_record($1) AS c (
        id bigint, before integer, before_stamp text, stamp text, at timestamptz, guild_id bigint, service text,
        environment text, phase text, final boolean, version integer, schema integer, state jsonb, judge jsonb,
        evidence jsonb, judged boolean, tick_at timestamptz, to_digest text, outcome text, ended_at timestamptz,
        claim bigint, fence bigint)
), beginning AS (
    -- What only a new rollout has. Each column costs time, also where it is NULL.
    SELECT * FROM jsonb_to_record($1) AS b (
        charter jsonb, requester text, from_version text, to_version text, to_base text, reason text,
        created_at timestamptz, lane_stamp text, base bigint, unless_stopped jsonb, stop_note text)
), seldom AS (
    SELECT * FROM jsonb_to_record($1) AS d (
        generation bigint, desired jsonb, lock jsonb, known_good jsonb, good boolean, rolled_back text, given_up text,
        moot jsonb, point jsonb)
), mine AS (
    -- The rollout first, then its effects: every statement locks in that order. Without a claim, the update locks it.
    SELECT r.id FROM rollouts r JOIN change c ON r.id = c.id
    WHERE r.version = c.before AND r.stamp = c.before_stamp
    FOR UPDATE OF r
), held AS (
    SELECT e.id FROM effects e JOIN change c ON e.id = c.claim
    WHERE e.fence = c.fence AND e.state = 'leased' AND EXISTS (SELECT FROM mine)
    FOR UPDATE OF e
), place AS (
    SELECT l.generation, l.stamp FROM lanes l JOIN change c ON l.service = c.service AND l.environment = c.environment
    WHERE c.before IS NULL
    FOR UPDATE OF l
), created AS (
    INSERT INTO rollouts (id, guild_id, service, environment, phase, final, version, stamp, schema, charter, state,
        judge, evidence, next_tick, requester, from_version, to_version, to_digest, to_base, reason, outcome,
        created_at, ended_at)
    SELECT id, guild_id, service, environment, phase, final, version, stamp, schema, charter, state, judge, evidence,
        CASE WHEN judged THEN tick_at END, requester, from_version, to_version, to_digest, to_base, reason, outcome,
        created_at, ended_at
    FROM change c, beginning b
    -- A lane that has changed since it was read has another generation or stamp: then the engine reads it again.
    WHERE before IS NULL AND NOT EXISTS (
            SELECT FROM place p WHERE p.generation > b.base OR p.stamp <> b.lane_stamp)
        AND NOT EXISTS (SELECT FROM notes n WHERE n.kind = b.stop_note AND b.unless_stopped ? n.key
            AND n.value ->> 'on' = 'true')
    RETURNING id
), updated AS (
    UPDATE rollouts r SET
        phase = c.phase, final = c.final, version = c.version, stamp = c.stamp, schema = c.schema, state = c.state,
        judge = c.judge, evidence = COALESCE(c.evidence, r.evidence), outcome = c.outcome, ended_at = c.ended_at,
        next_tick = CASE WHEN c.judged THEN COALESCE(c.tick_at, r.next_tick, c.at) END
    FROM change c
    WHERE r.id = c.id AND r.version = c.before AND r.stamp = c.before_stamp
        AND (c.claim IS NULL OR EXISTS (SELECT FROM held))
    RETURNING r.id
), saved AS (
    SELECT id FROM created UNION ALL SELECT id FROM updated
), closed AS (
    UPDATE effects e SET state = CASE WHEN d.given_up IS NULL THEN 'done' ELSE 'poisoned' END,
        last_error = COALESCE(d.given_up, e.last_error), done_at = now()
    FROM seldom d
    WHERE e.id IN (SELECT id FROM held) AND EXISTS (SELECT FROM saved)
), superseded AS (
    -- A newer desired state supersedes an older one, also one that a process is working on.
    UPDATE effects e SET state = 'superseded', done_at = now()
    FROM change c, seldom d
    WHERE e.service = c.service AND e.environment = c.environment AND e.kind = 'set_desired'
        AND e.state IN ('pending', 'leased') AND e.generation < d.generation
        AND e.id IS DISTINCT FROM c.claim AND d.desired IS NOT NULL AND EXISTS (SELECT FROM saved)
), dropped AS (
    -- An order of a step is superseded once the rollout does not wait for it.
    UPDATE effects e SET state = 'superseded', done_at = now()
    FROM change c, seldom d
    WHERE e.rollout_id = c.id AND d.moot ? e.kind AND e.state IN ('pending', 'leased')
        AND e.id IS DISTINCT FROM c.claim AND EXISTS (SELECT FROM saved)
), ordered AS (
    INSERT INTO effects (key, rollout_id, service, environment, kind, payload, generation, urgent, due_at)
    SELECT e.key, s.id, c.service, c.environment, e.kind, e.payload, e.generation, COALESCE(e.urgent, false),
        now() + make_interval(secs => COALESCE(e.delay_s, 0))
    FROM saved s, change c,
        jsonb_to_recordset($1 -> 'effects') AS e (key text, kind text, payload jsonb, generation bigint, urgent boolean,
            delay_s float8)
    ON CONFLICT DO NOTHING
), owned AS (
    INSERT INTO lanes AS l (service, environment, generation, desired, stamp, rollout_id, updated_at)
    SELECT c.service, c.environment, d.generation, d.desired, gen_random_uuid()::text, s.id, c.at
    FROM saved s, change c, seldom d WHERE d.desired IS NOT NULL
    ON CONFLICT (service, environment) DO UPDATE SET
        generation = EXCLUDED.generation, desired = EXCLUDED.desired, stamp = EXCLUDED.stamp,
        rollout_id = EXCLUDED.rollout_id,
        drift = '', drift_kind = '', repairs = 0, repaired_at = NULL, updated_at = EXCLUDED.updated_at
        WHERE EXCLUDED.generation > l.generation
), audited AS (
    INSERT INTO audit (rollout_id, guild_id, service, environment, actor_id, actor, via, at, what, why,
        from_phase, to_phase, details)
    -- The server in which it was done: lanes may be shared.
    SELECT s.id, COALESCE(t.guild_id, c.guild_id), c.service, c.environment, t.actor_id, t.actor, t.via, t.at,
        t.what, t.why, t.from_phase, t.to_phase, t.details
    FROM saved s, change c, jsonb_to_recordset($1 -> 'transitions') AS t (actor_id bigint, actor text, via text,
        guild_id bigint, at timestamptz, what text, why text, from_phase text, to_phase text, details jsonb)
), stopped AS (
    DELETE FROM timers t USING saved s
    WHERE t.rollout_id = s.id AND NOT ($1 -> 'timers') ? t.name
), started AS (
    INSERT INTO timers AS had (rollout_id, name, step, due_at)
    SELECT s.id, t.key, (c.state ->> 'step')::integer, t.value::timestamptz
    FROM saved s, change c, jsonb_each_text($1 -> 'timers') AS t
    ON CONFLICT (rollout_id, name) DO UPDATE SET step = EXCLUDED.step, due_at = EXCLUDED.due_at
        WHERE (had.step, had.due_at) IS DISTINCT FROM (EXCLUDED.step, EXCLUDED.due_at)
), answered AS (
    INSERT INTO interactions (id, rollout_id, sentence, at)
    SELECT a.key, s.id, a.value, c.at FROM saved s, change c, jsonb_each_text($1 -> 'answers') AS a
), locked AS (
    INSERT INTO locks AS l (service, environment, owner_id, owner, reason, since, digest, quarantined_at)
    SELECT c.service, c.environment, 0, d.lock ->> 'owner', d.lock ->> 'reason', c.at, d.lock ->> 'digest', c.at
    FROM saved s, change c, seldom d WHERE d.lock IS NOT NULL
    -- A person's lock stays theirs, and now has no expiry.
    ON CONFLICT (service, environment) DO UPDATE SET
        owner_id = CASE WHEN l.expires < EXCLUDED.since THEN EXCLUDED.owner_id ELSE l.owner_id END,
        owner = CASE WHEN l.expires < EXCLUDED.since THEN EXCLUDED.owner ELSE l.owner END,
        reason = CASE WHEN l.expires < EXCLUDED.since THEN EXCLUDED.reason
            WHEN strpos(l.reason, EXCLUDED.reason) > 0 THEN l.reason
            ELSE l.reason || ' · ' || EXCLUDED.reason END,
        since = CASE WHEN l.expires < EXCLUDED.since THEN EXCLUDED.since ELSE l.since END,
        expires = NULL, digest = EXCLUDED.digest, quarantined_at = EXCLUDED.quarantined_at
), known AS (
    INSERT INTO releases (service, environment, digest, release, known_good_at, rollout_id)
    SELECT c.service, c.environment, d.known_good ->> 'digest', d.known_good, CASE WHEN d.good THEN c.at END, s.id
    FROM saved s, change c, seldom d WHERE d.known_good IS NOT NULL
    ON CONFLICT (service, environment, digest) DO UPDATE SET
        release = EXCLUDED.release, rollout_id = EXCLUDED.rollout_id,
        known_good_at = COALESCE(EXCLUDED.known_good_at, releases.known_good_at)
), measured AS (
    INSERT INTO samples (rollout_id, at, weight, digest, counts)
    SELECT s.id, p.at, p.weight, c.to_digest, p.counts
    FROM saved s, change c, seldom d, jsonb_to_record(d.point) AS p (at timestamptz, weight integer, counts jsonb)
    WHERE d.point IS NOT NULL
), bad AS (
    UPDATE releases r SET rolled_back_at = c.at
    FROM change c, seldom d
    WHERE r.service = c.service AND r.environment = c.environment AND r.digest = d.rolled_back
        AND EXISTS (SELECT FROM saved)
)
SELECT EXISTS (SELECT FROM saved) AS saved

-- name: start_lock
-- Taken by the start of a rollout, before the statement that checks for a panic stop.
SELECT pg_advisory_xact_lock_shared(7512010)

-- name: panic_lock
-- Taken by a switch of the panic stop: a rollout that starts meanwhile is committed before, or sees it.
SELECT pg_advisory_xact_lock(7512010)

-- name: load
SELECT id, created_at, phase, version, stamp, schema, charter, state, judge, evidence, next_tick
FROM rollouts WHERE id = $1

-- name: load_unless
-- Without what the caller has, if that is from this save.
SELECT r.id, r.created_at, r.phase, r.version, r.stamp, r.schema, s.same,
    CASE WHEN NOT s.same THEN r.charter END AS charter, CASE WHEN NOT s.same THEN r.state END AS state,
    CASE WHEN NOT s.same THEN r.judge END AS judge, CASE WHEN NOT s.same THEN r.evidence END AS evidence
FROM rollouts r CROSS JOIN LATERAL (
    SELECT r.version = $2 AND r.stamp = $3 AND r.created_at = $4 AS same
) s WHERE r.id = $1

-- name: answers
SELECT id, rollout_id, sentence FROM interactions WHERE id = ANY ($1::text[])

-- name: active
SELECT id, guild_id, service, environment, phase, next_tick IS NOT NULL AS judged, version, created_at, stamp
FROM rollouts WHERE NOT final ORDER BY id

-- name: active_in_lane
SELECT id, created_at, phase, version, stamp, schema, charter, state, judge, evidence
FROM rollouts WHERE service = $1 AND environment = $2 AND NOT final

-- name: claim
-- Claim effects that are due: never begun, or begun under a lease that has expired. Lines of a log stay in order,
-- of one rollout's redraws one runs at a time, and of a queue of calls only the oldest is claimed. The fence is random: a database that lost commits never gives one
-- again that a process still holds.
WITH picked AS (
    SELECT e.id FROM effects e
    WHERE e.state IN ('pending', 'leased') AND e.due_at <= now() AND e.kind = ANY ($1::text[])
        AND e.id <> ALL ($4::bigint[])
        AND (e.kind NOT IN ('log_line', 'draw_card') OR NOT EXISTS (
            SELECT FROM effects o
            WHERE o.rollout_id = e.rollout_id AND o.kind = e.kind AND o.state IN ('pending', 'leased')
                AND o.id < e.id))
        AND (e.queue = '' OR NOT EXISTS (
            SELECT FROM effects o
            WHERE o.queue = e.queue AND o.queue <> '' AND o.state IN ('pending', 'leased') AND o.id < e.id))
    ORDER BY e.urgent DESC, e.due_at, e.id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE effects e SET
    state = 'leased', fence = floor(random() * 9007199254740992)::bigint, due_at = now() + make_interval(secs => $3)
FROM picked p WHERE e.id = p.id
RETURNING e.id, e.key, e.fence, e.attempts, e.rollout_id, e.service, e.environment, e.payload, e.created_at,
    e.watched_s, (SELECT r.created_at FROM rollouts r WHERE r.id = e.rollout_id) AS requested_at,
    (SELECT r.guild_id FROM rollouts r WHERE r.id = e.rollout_id) AS guild_id

-- name: renew
WITH ours AS (
    -- In the order in which every statement locks them.
    SELECT e.id FROM effects e
    JOIN unnest($1::bigint[], $2::bigint[]) AS o (id, fence) ON e.id = o.id AND e.fence = o.fence
    WHERE e.state = 'leased'
    ORDER BY e.id FOR UPDATE OF e
)
UPDATE effects e SET due_at = now() + make_interval(secs => $3) FROM ours WHERE e.id = ours.id
RETURNING e.id

-- name: close
-- A redraw is deleted once it is done; others are kept until they are tidied.
WITH ours AS (
    SELECT e.id, e.kind FROM effects e
    JOIN unnest($1::bigint[], $2::bigint[]) AS o (id, fence) ON e.id = o.id AND e.fence = o.fence
    WHERE e.state = 'leased'
    ORDER BY e.id FOR UPDATE OF e
), gone AS (
    DELETE FROM effects WHERE id IN (SELECT id FROM ours WHERE kind = 'draw_card')
)
UPDATE effects SET state = 'done', done_at = now()
WHERE id IN (SELECT id FROM ours WHERE kind <> 'draw_card')

-- name: retry
-- Only a failure is an attempt: a process that died, or a system that is away, says nothing about the effect.
UPDATE effects SET due_at = now() + make_interval(secs => $3), last_error = $4, attempts = attempts + $5::int
WHERE id = $1 AND fence = $2 AND state = 'leased'

-- name: watch
-- An effect that was sent is polled again later, by any process.
UPDATE effects SET state = 'pending', due_at = now() + make_interval(secs => $3), watched_s = watched_s + $4
WHERE id = $1 AND fence = $2 AND state = 'leased'

-- name: poison
UPDATE effects SET state = 'poisoned', done_at = now(), last_error = $3
WHERE id = $1 AND fence = $2 AND state = 'leased'
RETURNING id

-- name: lane_held
-- Before an order outside of rollouts: the statement after this sees a rollout that begins in between.
SELECT FROM lanes WHERE service = $1 AND environment = $2 FOR UPDATE

-- name: hasten
-- Ticks are planned at most one tick ahead, unless by a clock that was ahead of the server's.
UPDATE rollouts SET next_tick = $1
WHERE NOT final AND next_tick > $1::timestamptz + make_interval(secs => (charter #>> '{policy,tick_s}')::float8)

-- name: postpone
UPDATE rollouts SET next_tick = $4 WHERE id = $1 AND version = $2 AND stamp = $3 AND next_tick IS NOT NULL

-- name: order
-- Order a lane's desired state again, under its next generation, while no rollout is active there.
WITH owned AS (
    UPDATE lanes l SET generation = $3, desired = $4, stamp = gen_random_uuid()::text,
        drift_kind = $7, drift = $8, repairs = $9,
        repaired_at = $10, updated_at = now()
    WHERE l.service = $1 AND l.environment = $2 AND l.generation < $3 AND l.stamp = $11 AND NOT EXISTS (
        SELECT FROM rollouts r WHERE r.service = $1 AND r.environment = $2 AND NOT r.final)
    RETURNING l.service
), superseded AS (
    UPDATE effects e SET state = 'superseded', done_at = now()
    WHERE e.service = $1 AND e.environment = $2 AND e.kind = 'set_desired'
        AND e.state IN ('pending', 'leased') AND e.generation < $3 AND EXISTS (SELECT FROM owned)
)
INSERT INTO effects (key, service, environment, kind, payload, generation)
SELECT $5, $1, $2, 'set_desired', $6, $3 FROM owned
ON CONFLICT DO NOTHING
RETURNING id

-- name: call
INSERT INTO effects (key, service, environment, kind, payload, urgent, queue)
VALUES ($1, $2, $3, 'call_people', $4, true, $5) ON CONFLICT DO NOTHING

-- name: say
INSERT INTO effects (key, rollout_id, service, environment, kind, payload)
VALUES ($1, $2, $3, $4, 'log_line', $5) ON CONFLICT DO NOTHING

-- name: due_timers
SELECT rollout_id, name, step, due_at FROM timers WHERE due_at <= $1 ORDER BY due_at LIMIT $2

-- name: drop_timer
DELETE FROM timers WHERE rollout_id = $1 AND name = $2 AND step = $3 AND due_at = $4

-- name: due_ticks
-- What is due, and which save of it: the caller has most of them as they were saved.
SELECT id, created_at, version, stamp, next_tick
FROM rollouts WHERE next_tick <= $1 AND NOT final AND id <> ALL ($3::bigint[]) ORDER BY next_tick, id LIMIT $2

-- name: ticking
-- Without the charter, which never changes and is cached by the caller.
SELECT id, created_at, phase, version, stamp, schema, state, judge, evidence
FROM rollouts WHERE id = ANY ($1::bigint[]) AND next_tick IS NOT NULL AND NOT final

-- name: charters
SELECT id, created_at, schema, charter FROM rollouts WHERE id = ANY ($1::bigint[])

-- name: save_ticks
-- Many ticks that changed only measurements. A rollout that has changed meanwhile is not touched.
WITH ticks AS (
    SELECT * FROM jsonb_to_recordset($1) AS t (id bigint, before integer, before_stamp text, version integer,
        stamp text, state jsonb, judge jsonb, evidence jsonb, tick_at timestamptz, at timestamptz, weight smallint,
        digest text, counts jsonb)
), saved AS (
    UPDATE rollouts r SET version = t.version, stamp = t.stamp, state = t.state, judge = t.judge,
        evidence = t.evidence, next_tick = t.tick_at
    FROM ticks t WHERE r.id = t.id AND r.version = t.before AND r.stamp = t.before_stamp
    RETURNING r.id
), noted AS (
    INSERT INTO samples (rollout_id, at, weight, digest, counts)
    SELECT t.id, t.at, t.weight, t.digest, t.counts FROM ticks t JOIN saved s ON s.id = t.id
)
SELECT id FROM saved

-- name: lane
SELECT * FROM lanes WHERE service = $1 AND environment = $2

-- name: lanes
SELECT * FROM lanes

-- name: adopt
WITH owned AS (
    INSERT INTO lanes (service, environment, generation, desired, stamp, adopted_at, updated_at)
    VALUES ($1, $2, $3, $4, gen_random_uuid()::text, $5, $5)
    ON CONFLICT (service, environment) DO NOTHING
    RETURNING service
), known AS (
    INSERT INTO releases (service, environment, digest, release, known_good_at)
    SELECT $1, $2, $6::jsonb ->> 'digest', $6, $5 FROM owned WHERE $6::jsonb IS NOT NULL
    ON CONFLICT (service, environment, digest) DO NOTHING
)
SELECT EXISTS (SELECT FROM owned) AS owned

-- name: newest
UPDATE lanes SET generation = $3 WHERE service = $1 AND environment = $2 AND generation < $3

-- name: heard
UPDATE lanes l SET drift_kind = $4, drift = $5, repairs = $6, repaired_at = $7, updated_at = now()
WHERE l.service = $1 AND l.environment = $2 AND l.generation = $3 AND l.stamp = $8 AND NOT EXISTS (
    SELECT FROM rollouts r WHERE r.service = $1 AND r.environment = $2 AND NOT r.final)
RETURNING l.service

-- name: lane_releases
SELECT release, known_good_at, rolled_back_at FROM releases
WHERE service = $1 AND environment = $2
ORDER BY known_good_at DESC NULLS LAST LIMIT 100

-- name: lane_lock
SELECT service, environment, owner_id, owner, reason, since, expires, digest, quarantined_at
FROM locks WHERE service = $1 AND environment = $2 AND (expires IS NULL OR expires > $3)

-- name: locks
SELECT service, environment, owner_id, owner, reason, since, expires, digest, quarantined_at
FROM locks WHERE expires IS NULL OR expires > $1

-- name: lock
INSERT INTO locks (service, environment, owner_id, owner, reason, since, expires, digest, quarantined_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (service, environment) DO UPDATE SET
    owner_id = EXCLUDED.owner_id, owner = EXCLUDED.owner, reason = EXCLUDED.reason, since = EXCLUDED.since,
    expires = EXCLUDED.expires, digest = EXCLUDED.digest, quarantined_at = EXCLUDED.quarantined_at

-- name: unlock
DELETE FROM locks WHERE service = $1 AND environment = $2 RETURNING digest

-- name: lift_quarantine
-- Slipway's own lock goes; a person's stays, for any release. Of another quarantine than that one, nothing.
WITH gone AS (
    DELETE FROM locks
    WHERE service = $1 AND environment = $2 AND digest = $3 AND quarantined_at IS NOT DISTINCT FROM $4 AND owner_id = 0
    RETURNING 1
), kept AS (
    UPDATE locks SET digest = '', quarantined_at = NULL
    WHERE service = $1 AND environment = $2 AND digest = $3 AND quarantined_at IS NOT DISTINCT FROM $4 AND owner_id <> 0
    RETURNING 1
)
SELECT 1 AS lifted FROM gone UNION ALL SELECT 1 FROM kept

-- name: record
INSERT INTO audit (rollout_id, guild_id, service, environment, actor_id, actor, via, at, what, why, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: history
-- Each lane supplies its newest by its own index; the newest of those are the page.
SELECT r.id, r.service, r.environment, r.from_version, r.to_version, r.phase, r.requester, r.reason, r.outcome,
    r.created_at, r.ended_at, r.returns
FROM unnest($1::text[], $2::text[]) AS l (service, environment) CROSS JOIN LATERAL (
    SELECT * FROM rollouts h
    WHERE h.service = l.service AND h.environment = l.environment
        AND h.id < COALESCE($3, 9223372036854775807)
    ORDER BY h.id DESC LIMIT $4) AS r
ORDER BY r.id DESC LIMIT $4

-- name: last_successes
SELECT r.id, r.service, r.environment, r.from_version, r.to_version, r.phase, r.requester, r.reason, r.outcome,
    r.created_at, r.ended_at, r.returns
FROM unnest($1::text[], $2::text[]) AS l (service, environment) CROSS JOIN LATERAL (
    SELECT * FROM rollouts h
    WHERE h.service = l.service AND h.environment = l.environment AND h.phase = 'succeeded'
    ORDER BY h.id DESC LIMIT 1) AS r

-- name: transitions
SELECT actor_id, actor, via, guild_id, at, what, why, from_phase, to_phase, details
FROM (SELECT * FROM audit WHERE rollout_id = $1 ORDER BY id DESC LIMIT 500) AS newest ORDER BY id

-- name: happened
SELECT actor_id, actor, via, guild_id, at, what, why, from_phase, to_phase, details FROM (
    SELECT * FROM audit WHERE service = $1 AND environment = $2 AND at BETWEEN $3 AND $4
    ORDER BY at DESC, id DESC LIMIT $5
) AS newest ORDER BY id

-- name: series
SELECT at, weight, counts - 'judged' AS counts FROM (
    SELECT at, weight, counts FROM samples WHERE rollout_id = $1 ORDER BY at DESC LIMIT $2) AS newest
ORDER BY at

-- name: judged
SELECT counts FROM (
    SELECT at, counts FROM samples WHERE rollout_id = $1 AND counts ? 'judged' ORDER BY at DESC LIMIT $2) AS newest
ORDER BY at

-- name: succeeded_at
SELECT max(r.ended_at) AS at FROM rollouts r
WHERE r.service = $1 AND r.environment = $2 AND r.phase = 'succeeded'
    AND r.to_base = $3
    AND NOT EXISTS (
        SELECT FROM releases k WHERE k.service = $1 AND k.environment = $2 AND k.digest = r.to_digest
            AND k.rolled_back_at > r.ended_at)

-- name: append_served
-- A block is one row for what counted the same; in order, so that two processes do not wait for each other.
INSERT INTO served AS s (service, environment, thinned, since, measures, ticks)
SELECT service, environment, thinned, to_timestamp(since), measures, ticks
FROM jsonb_to_recordset($1) AS b (service text, environment text, thinned boolean, since float8, measures text[],
    ticks jsonb)
ORDER BY service, environment, thinned, since, measures
ON CONFLICT (service, environment, thinned, since, measures) DO UPDATE SET ticks = s.ticks || EXCLUDED.ticks

-- name: served
-- A block may have ticks from $3 on if it began at most its own length before.
SELECT since, measures, ticks FROM served
WHERE service = $1 AND environment = $2
    AND since > to_timestamp($3::float8 - CASE WHEN thinned THEN $4::float8 ELSE $5::float8 END)
ORDER BY since

-- name: served_strips
-- Each tick is its end after the block's begin in milliseconds, its length, then total and bad of each measure.
SELECT b.service, b.environment, floor((b.began + (t ->> 0)::float8 / 1000 - $4) / $5)::int AS slot,
    sum((t ->> (2 * b.place))::bigint)::bigint AS total, sum((t ->> (2 * b.place + 1))::bigint)::bigint AS bad
FROM (
    SELECT s.service, s.environment, s.ticks, extract(epoch FROM s.since)::float8 AS began,
        array_position(s.measures, $3) AS place
    FROM unnest($1::text[], $2::text[]) AS l (service, environment)
    JOIN served s ON s.service = l.service AND s.environment = l.environment
        AND s.since > to_timestamp($4::float8 - CASE WHEN s.thinned THEN $6::float8 ELSE $7::float8 END)
    WHERE $3 = ANY (s.measures)
) AS b CROSS JOIN LATERAL jsonb_array_elements(b.ticks) AS t
WHERE b.began + (t ->> 0)::float8 / 1000 >= $4
GROUP BY 1, 2, 3

-- name: served_in_full
-- The oldest blocks of full ticks, taken out to be thinned.
WITH old AS (
    SELECT ctid FROM served WHERE service = $1 AND environment = $2 AND NOT thinned AND since < to_timestamp($3)
    ORDER BY since LIMIT $4 FOR UPDATE
)
DELETE FROM served WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING since, measures, ticks

-- name: forget_served
WITH gone AS (
    DELETE FROM served WHERE ctid = ANY (ARRAY(SELECT ctid FROM served WHERE since < to_timestamp($1) LIMIT $2))
    RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: lead
INSERT INTO leases AS l (name, owner, until) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner, until = EXCLUDED.until
    WHERE l.owner = EXCLUDED.owner OR l.until < now()
RETURNING name

-- name: resign
DELETE FROM leases WHERE name = $1 AND owner = $2

-- name: tidy_samples
-- As much as fits into a statement's time; the next one takes more.
WITH gone AS (
    DELETE FROM samples WHERE ctid = ANY (ARRAY(SELECT ctid FROM samples WHERE at < $1 LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_effects
WITH gone AS (
    DELETE FROM effects WHERE id = ANY (ARRAY(
        SELECT id FROM effects WHERE state NOT IN ('pending', 'leased') AND done_at < $1 LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_interactions
WITH gone AS (
    DELETE FROM interactions WHERE id = ANY (ARRAY(SELECT id FROM interactions WHERE at < $1 LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: tidy_notes
-- By `bot.ports.retention`: older than $1 and passing ($4), of rollouts ($5), alerts ($6) and quarantines ($7) that are
-- over; of all other kinds, those older than $3 but those that stay ($8).
WITH gone AS (
    DELETE FROM notes WHERE ctid = ANY (ARRAY(
        SELECT n.ctid FROM notes n WHERE n.updated_at < $1 AND (
            n.kind = ANY ($4)
            OR (n.kind = ANY ($5)
                AND NOT EXISTS (SELECT FROM rollouts r WHERE r.id::text = split_part(n.key, '/', 1) AND NOT r.final))
            OR (n.kind = ANY ($6)
                AND NOT EXISTS (SELECT FROM alerts a WHERE a.id::text = n.key AND NOT a.over))
            OR (n.kind = ANY ($7)
                AND n.key <> ALL (SELECT left(l.service || '/' || l.environment || '/' || right(l.digest, 64), 200)
                    FROM locks l WHERE l.digest <> ''))
            OR (n.updated_at < $3 AND n.kind <> ALL ($4 || $5 || $6 || $7 || $8::text[])))
        LIMIT $2)) RETURNING 1
) SELECT count(*) AS gone FROM gone

-- name: archivable
SELECT to_jsonb(a)::text AS line FROM audit a
WHERE a.at < $1 AND NOT EXISTS (SELECT FROM rollouts r WHERE r.id = a.rollout_id AND NOT r.final) ORDER BY a.id

-- name: allow_archiving
-- For this transaction alone: the audit log refuses to be changed otherwise.
SELECT set_config('slipway.archiving', 'on', true)

-- name: drop_archived
DELETE FROM audit a
WHERE a.at < $1 AND NOT EXISTS (SELECT FROM rollouts r WHERE r.id = a.rollout_id AND NOT r.final)

-- name: archived
INSERT INTO audit (service, environment, actor_id, actor, via, at, what, why)
VALUES ('', '', 0, $1, 'cli', now(), 'archived', $2)

-- name: queue
SELECT count(*) AS depth, COALESCE(EXTRACT(epoch FROM now() - min(due_at)), 0)::float8 AS oldest_s
FROM effects WHERE state IN ('pending', 'leased') AND due_at <= now()

-- name: phases
SELECT phase, count(*) AS rollouts FROM rollouts WHERE NOT final GROUP BY phase

-- name: ping
-- A write that its transaction rolls back: reading also works where nothing can be written.
INSERT INTO notes (kind, key, value) VALUES ('ready', pg_backend_pid()::text, '{}')
ON CONFLICT (kind, key) DO UPDATE SET value = EXCLUDED.value

-- name: card
SELECT rollout_id, channel_id, message_id, thread_id, posted_at, drawn FROM cards WHERE rollout_id = $1

-- name: put_card
INSERT INTO cards (rollout_id, channel_id, message_id, thread_id, posted_at, drawn)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (rollout_id) DO UPDATE SET
    channel_id = EXCLUDED.channel_id, message_id = EXCLUDED.message_id, thread_id = EXCLUDED.thread_id,
    posted_at = EXCLUDED.posted_at, drawn = EXCLUDED.drawn

-- name: redrawn
UPDATE cards SET drawn = $2 WHERE rollout_id = $1

-- name: note
SELECT value FROM notes WHERE kind = $1 AND key = $2

-- name: put_note
INSERT INTO notes (kind, key, value) VALUES ($1, $2, $3)
ON CONFLICT (kind, key) DO UPDATE SET value = EXCLUDED.value, updated_at = now()

-- name: server_time
-- The clock itself, not the start of a transaction.
SELECT clock_timestamp() AS now

-- name: token
-- The token with this hash, in the state before this use. The use of a valid one is recorded once a minute.
WITH used AS (
    UPDATE tokens SET last_used_at = now()
    WHERE hash = $1 AND revoked_at IS NULL AND COALESCE(expires_at > now(), true)
        AND COALESCE(last_used_at < now() - interval '1 minute', true)
)
SELECT id, name, guild_id, owner_id, owner, roles, scopes, services, environments, created_at, created_by, expires_at,
    last_used_at, revoked_at
FROM tokens WHERE hash = $1

-- name: create_token
-- Nothing is returned, and no audit line is written, when a token of that name is valid.
WITH made AS (
    INSERT INTO tokens (name, hash, guild_id, owner_id, owner, roles, scopes, services, environments, created_by,
        expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING *
), told AS (
    INSERT INTO audit (guild_id, service, environment, actor_id, actor, via, at, what, why, details)
    SELECT guild_id, '', '', 0, created_by, 'cli', now(), 'token_created',
        'Token ' || name || ' acts for ' || owner || ' (' || owner_id || ').',
        jsonb_build_object('token', id, 'name', name, 'owner_id', owner_id, 'roles', roles, 'scopes', scopes,
            'services', services, 'environments', environments, 'expires_at', expires_at)
    FROM made
)
SELECT id, name, guild_id, owner_id, owner, roles, scopes, services, environments, created_at, created_by, expires_at,
    last_used_at, revoked_at
FROM made

-- name: revoke_token
WITH gone AS (
    UPDATE tokens SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL RETURNING *
), told AS (
    INSERT INTO audit (guild_id, service, environment, actor_id, actor, via, at, what, why, details)
    SELECT guild_id, '', '', 0, $2, 'cli', now(), 'token_revoked', 'Token ' || name || ' of ' || owner || '.',
        jsonb_build_object('token', id, 'name', name, 'owner_id', owner_id)
    FROM gone
)
SELECT id, name, guild_id, owner_id, owner, roles, scopes, services, environments, created_at, created_by, expires_at,
    last_used_at, revoked_at
FROM gone

-- name: tokens
SELECT id, name, guild_id, owner_id, owner, roles, scopes, services, environments, created_at, created_by, expires_at,
    last_used_at, revoked_at
FROM tokens ORDER BY id
