CREATE FUNCTION public.audit_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            -- `slipway archive` takes out what it has written to a file; for the length of its transaction.
            IF TG_OP = 'DELETE' AND current_setting('slipway.archiving', true) = 'on' THEN
                RETURN NULL;
            END IF;
            RAISE EXCEPTION 'the audit log is append-only';
        END $$;

CREATE TABLE public.audit (
    id bigint NOT NULL,
    rollout_id bigint,
    guild_id bigint,
    service text NOT NULL,
    environment text NOT NULL,
    actor_id bigint NOT NULL,
    actor text NOT NULL,
    via text NOT NULL,
    at timestamp with time zone NOT NULL,
    what text NOT NULL,
    why text NOT NULL,
    from_phase text DEFAULT ''::text NOT NULL,
    to_phase text DEFAULT ''::text NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.cards (
    rollout_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    message_id bigint NOT NULL,
    thread_id bigint,
    posted_at timestamp with time zone NOT NULL,
    drawn text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.command_backups (
    id bigint NOT NULL,
    application text NOT NULL,
    application_id bigint NOT NULL,
    service text NOT NULL,
    environment text NOT NULL,
    scope bigint NOT NULL,
    generation bigint NOT NULL,
    digest text NOT NULL,
    commands text NOT NULL,
    permissions text NOT NULL,
    count integer NOT NULL,
    overwrites integer NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    rollout_id bigint,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.command_backups ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.command_backups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.command_changes (
    id bigint NOT NULL,
    application text NOT NULL,
    application_id bigint NOT NULL,
    service text NOT NULL,
    environment text NOT NULL,
    scope bigint NOT NULL,
    generation bigint NOT NULL,
    from_digest text NOT NULL,
    to_digest text NOT NULL,
    creates integer NOT NULL,
    calls integer DEFAULT 0 NOT NULL,
    result text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    rollout_id bigint,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone
);

ALTER TABLE public.command_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.command_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.command_lanes (
    service text NOT NULL,
    environment text NOT NULL,
    generation bigint NOT NULL,
    stable text NOT NULL,
    candidate text NOT NULL,
    weight integer NOT NULL,
    withdrawn text DEFAULT ''::text NOT NULL,
    aborted jsonb,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.command_manifests (
    digest text NOT NULL,
    guild_digest text NOT NULL,
    manifest text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.command_readings (
    application_id bigint NOT NULL,
    scope bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    ms double precision NOT NULL,
    count integer NOT NULL,
    digest text NOT NULL,
    error text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.command_sources (
    application text NOT NULL,
    digest text NOT NULL,
    origin text NOT NULL,
    commit text DEFAULT ''::text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.effects (
    id bigint NOT NULL,
    key text NOT NULL,
    rollout_id bigint,
    service text NOT NULL,
    environment text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    generation bigint,
    urgent boolean DEFAULT false NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    last_error text DEFAULT ''::text NOT NULL,
    watched_s double precision DEFAULT 0 NOT NULL,
    CONSTRAINT effects_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'leased'::text, 'done'::text, 'superseded'::text, 'poisoned'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');

ALTER TABLE public.effects ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.effects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.interactions (
    id text NOT NULL,
    rollout_id bigint NOT NULL,
    sentence text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.lanes (
    service text NOT NULL,
    environment text NOT NULL,
    generation bigint NOT NULL,
    desired jsonb NOT NULL,
    rollout_id bigint,
    adopted_at timestamp with time zone,
    drift text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    drift_kind text DEFAULT ''::text NOT NULL,
    repairs integer DEFAULT 0 NOT NULL,
    repaired_at timestamp with time zone,
    stamp text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.leases (
    name text NOT NULL,
    owner text NOT NULL,
    until timestamp with time zone NOT NULL
);

CREATE TABLE public.locks (
    service text NOT NULL,
    environment text NOT NULL,
    owner_id bigint NOT NULL,
    owner text NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone NOT NULL,
    expires timestamp with time zone,
    digest text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.notes (
    kind text NOT NULL,
    key text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.releases (
    service text NOT NULL,
    environment text NOT NULL,
    digest text NOT NULL,
    release jsonb NOT NULL,
    known_good_at timestamp with time zone,
    rolled_back_at timestamp with time zone,
    rollout_id bigint
);

CREATE TABLE public.rollouts (
    id bigint NOT NULL,
    guild_id bigint NOT NULL,
    service text NOT NULL,
    environment text NOT NULL,
    phase text NOT NULL,
    final boolean NOT NULL,
    version integer NOT NULL,
    schema integer NOT NULL,
    charter jsonb NOT NULL,
    state jsonb NOT NULL,
    judge jsonb,
    evidence jsonb,
    next_tick timestamp with time zone,
    requester text NOT NULL,
    from_version text,
    to_version text NOT NULL,
    to_digest text NOT NULL,
    reason text NOT NULL,
    outcome text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    to_base text NOT NULL,
    stamp text DEFAULT ''::text NOT NULL
)
WITH (fillfactor='60', autovacuum_vacuum_scale_factor='0.05');

ALTER TABLE public.rollouts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.rollouts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.samples (
    rollout_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    weight smallint NOT NULL,
    digest text NOT NULL,
    counts jsonb NOT NULL
);

CREATE TABLE public.schema_revision (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.served (
    service text NOT NULL,
    environment text NOT NULL,
    thinned boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    measures text[] NOT NULL,
    ticks jsonb NOT NULL
);

CREATE TABLE public.timers (
    rollout_id bigint NOT NULL,
    name text NOT NULL,
    step integer NOT NULL,
    due_at timestamp with time zone NOT NULL
);

CREATE TABLE public.tokens (
    id bigint NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    guild_id bigint NOT NULL,
    owner_id bigint NOT NULL,
    owner text NOT NULL,
    roles text[] NOT NULL,
    scopes text[] NOT NULL,
    services text[] NOT NULL,
    environments text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone
);

ALTER TABLE public.tokens ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.cards
    ADD CONSTRAINT cards_pkey PRIMARY KEY (rollout_id);

ALTER TABLE ONLY public.command_backups
    ADD CONSTRAINT command_backups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.command_backups
    ADD CONSTRAINT command_backups_service_environment_scope_generation_digest_key UNIQUE (service, environment, scope, generation, digest);

ALTER TABLE ONLY public.command_changes
    ADD CONSTRAINT command_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.command_changes
    ADD CONSTRAINT command_changes_service_environment_scope_generation_key UNIQUE (service, environment, scope, generation);

ALTER TABLE ONLY public.command_lanes
    ADD CONSTRAINT command_lanes_pkey PRIMARY KEY (service, environment);

ALTER TABLE ONLY public.command_manifests
    ADD CONSTRAINT command_manifests_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.command_sources
    ADD CONSTRAINT command_sources_pkey PRIMARY KEY (application, digest);

ALTER TABLE ONLY public.effects
    ADD CONSTRAINT effects_key_key UNIQUE (key);

ALTER TABLE ONLY public.effects
    ADD CONSTRAINT effects_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.interactions
    ADD CONSTRAINT interactions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (service, environment);

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (service, environment);

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (kind, key);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (service, environment, digest);

ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT rollouts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_revision
    ADD CONSTRAINT schema_revision_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.served
    ADD CONSTRAINT served_pkey PRIMARY KEY (service, environment, thinned, since, measures);

ALTER TABLE ONLY public.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (rollout_id, name);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (id);

CREATE INDEX audit_lane ON public.audit USING btree (service, environment, id);

CREATE INDEX audit_rollout ON public.audit USING btree (rollout_id, id);

CREATE INDEX command_backups_newest ON public.command_backups USING btree (application, id DESC);

CREATE INDEX command_changes_budget ON public.command_changes USING btree (application_id, scope, began_at DESC);

CREATE INDEX command_changes_newest ON public.command_changes USING btree (application, id DESC);

CREATE INDEX command_manifests_guild ON public.command_manifests USING btree (guild_digest);

CREATE INDEX command_readings_age ON public.command_readings USING btree (at);

CREATE INDEX command_readings_newest ON public.command_readings USING btree (application_id, scope, at DESC);

CREATE INDEX command_sources_newest ON public.command_sources USING btree (application, at DESC);

CREATE INDEX effects_closed ON public.effects USING btree (done_at) WHERE (state <> ALL (ARRAY['pending'::text, 'leased'::text]));

CREATE UNIQUE INDEX effects_one_redraw ON public.effects USING btree (rollout_id) WHERE ((kind = 'draw_card'::text) AND (state = 'pending'::text));

CREATE INDEX effects_open ON public.effects USING btree (due_at, id) WHERE (state = ANY (ARRAY['pending'::text, 'leased'::text]));

CREATE INDEX effects_open_lane ON public.effects USING btree (service, environment) WHERE ((state = ANY (ARRAY['pending'::text, 'leased'::text])) AND (kind = 'set_desired'::text));

CREATE INDEX effects_open_rollout ON public.effects USING btree (rollout_id, kind, id) WHERE (state = ANY (ARRAY['pending'::text, 'leased'::text]));

CREATE INDEX interactions_at ON public.interactions USING btree (at);

CREATE INDEX notes_old ON public.notes USING btree (updated_at);

CREATE INDEX rollouts_history ON public.rollouts USING btree (guild_id, id DESC);

CREATE INDEX rollouts_lane_history ON public.rollouts USING btree (service, environment, id DESC);

CREATE UNIQUE INDEX rollouts_one_active ON public.rollouts USING btree (service, environment) WHERE (NOT final);

CREATE INDEX rollouts_succeeded ON public.rollouts USING btree (service, environment, to_base) WHERE (phase = 'succeeded'::text);

CREATE INDEX rollouts_tick ON public.rollouts USING btree (next_tick) WHERE (next_tick IS NOT NULL);

CREATE INDEX samples_at ON public.samples USING brin (at);

CREATE INDEX samples_rollout ON public.samples USING btree (rollout_id, at);

CREATE INDEX served_since ON public.served USING btree (since);

CREATE INDEX timers_due ON public.timers USING btree (due_at);

CREATE UNIQUE INDEX tokens_name ON public.tokens USING btree (name) WHERE (revoked_at IS NULL);

CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_is_append_only();

ALTER TABLE ONLY public.timers
    ADD CONSTRAINT timers_rollout_id_fkey FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id) ON DELETE CASCADE;
