-- A database of schema 0003 with content, as the code of that schema wrote it: never edited.
-- Written with pg_dump --inserts --no-owner; session settings were left out, and the receivers of its
-- webhooks got another host. Its registered models:
--   credit   gates and the gated profile; version 2 live after 1, 3 rejected in Staging, an alias
--   free     nothing asked for; version 2, kept elsewhere, live after 1; 3 deleted; tags, an alias
--   latter   was called former
--   gone     deleted
-- Its webhooks: every event; moves of credit*; one that is off; one whose receiver fails. Some of
-- their deliveries were made, one was given up, others wait.

SET check_function_bodies = false;  -- one speaks of a table that comes after it

CREATE FUNCTION public.history_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            RAISE EXCEPTION 'history is append-only: % refused', TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$;

CREATE FUNCTION public.model_version_keeps_its_graph() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        DECLARE
            graph jsonb;
        BEGIN
            SELECT stages INTO graph FROM registered_models WHERE id = NEW.model;
            IF NOT graph -> 'stages' ? NEW.stage THEN
                RAISE EXCEPTION 'the model has no stage %', NEW.stage
                    USING ERRCODE = 'check_violation';
            END IF;
            IF TG_OP = 'INSERT' AND NEW.stage <> graph -> 'stages' ->> 0 THEN
                RAISE EXCEPTION 'a new version stands in stage %, not in %',
                    graph -> 'stages' ->> 0, NEW.stage
                    USING ERRCODE = 'restrict_violation';
            END IF;
            NEW.live := NEW.stage = graph ->> 'exclusive';
            RETURN NEW;
        END
        $$;

CREATE FUNCTION public.new_graph_fits_its_versions() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            -- Whoever is not live any more first: there is one holder at any moment.
            UPDATE model_versions SET live = live
            WHERE model = NEW.id AND NOT deleted AND stage <> NEW.stages ->> 'exclusive';
            UPDATE model_versions SET live = live
            WHERE model = NEW.id AND NOT deleted AND stage = NEW.stages ->> 'exclusive';
            RETURN NULL;
        END
        $$;

CREATE FUNCTION public.rows_are_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$;

CREATE FUNCTION public.rules_change_with_their_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        DECLARE
            model registered_models%ROWTYPE;
            told jsonb;
        BEGIN
            SELECT * INTO model FROM registered_models WHERE id = NEW.id;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            SELECT CASE kind WHEN 'policy' THEN payload -> 'to' ELSE payload END INTO told
            FROM history
            WHERE name = model.name AND kind IN ('policy', 'created')
            ORDER BY id DESC LIMIT 1;
            IF told -> 'gates' IS DISTINCT FROM model.gates
                OR told -> 'stages' IS DISTINCT FROM model.stages THEN
                RAISE EXCEPTION 'the rules of model % change without its history', model.name
                    USING ERRCODE = 'restrict_violation',
                          HINT = 'Rules are changed by setting the policy, not by hand.';
            END IF;
            RETURN NULL;
        END
        $$;

CREATE FUNCTION public.stage_moves_with_its_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        DECLARE
            model_name text;
            now_in text;
            told text;
        BEGIN
            SELECT m.name, v.stage INTO model_name, now_in
            FROM model_versions v JOIN registered_models m ON m.id = v.model
            WHERE v.model = NEW.model AND v.version = NEW.version;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            SELECT payload ->> 'to' INTO told
            FROM history
            WHERE name = model_name AND version = NEW.version AND kind = 'transition'
            ORDER BY id DESC LIMIT 1;
            IF told IS DISTINCT FROM now_in THEN
                RAISE EXCEPTION 'version % of model % moves to stage % without its history',
                    NEW.version, model_name, now_in
                    USING ERRCODE = 'restrict_violation',
                          HINT = 'Stages are changed by promotion, not by hand.';
            END IF;
            RETURN NULL;
        END
        $$;

CREATE TABLE public.aliases (
    model bigint NOT NULL,
    alias text NOT NULL,
    version integer NOT NULL
);

CREATE TABLE public.approvals (
    id bigint NOT NULL,
    approval_id text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    decision text NOT NULL,
    approver text NOT NULL,
    reason text NOT NULL,
    package_digest text,
    verdict_id text,
    requested_by text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    valid_until timestamp with time zone,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT approvals_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'rejected'::text])))
);

ALTER TABLE public.approvals ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.approvals_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.artifacts (
    id bigint NOT NULL,
    attempt bigint,
    logged_model bigint,
    path text NOT NULL,
    key text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    content_type text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT artifacts_one_owner_check CHECK ((num_nonnulls(attempt, logged_model) = 1)),
    CONSTRAINT artifacts_sha256_check CHECK ((length(sha256) = 64))
);

ALTER TABLE public.artifacts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.artifacts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.attempts (
    id bigint NOT NULL,
    run bigint NOT NULL,
    number integer NOT NULL,
    attempt_key text,
    status text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    heartbeat_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    try_number integer,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    CONSTRAINT attempts_status_check CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'RUNNING'::text, 'FINISHED'::text, 'FAILED'::text, 'KILLED'::text])))
);

ALTER TABLE public.attempts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.datasets (
    id bigint NOT NULL,
    experiment_id bigint NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    source_type text NOT NULL,
    source text NOT NULL,
    schema jsonb DEFAULT '{}'::jsonb NOT NULL,
    profile jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.datasets ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.datasets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.experiment_tags (
    experiment_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.experiments (
    id bigint NOT NULL,
    name text NOT NULL,
    artifact_root text NOT NULL,
    lifecycle text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT experiments_lifecycle_check CHECK ((lifecycle = ANY (ARRAY['active'::text, 'deleted'::text])))
);

ALTER TABLE public.experiments ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.experiments_id_seq
    START WITH 1
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.history (
    id bigint NOT NULL,
    name text NOT NULL,
    version integer,
    kind text NOT NULL,
    actor text NOT NULL,
    at timestamp with time zone NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL
);

ALTER TABLE public.history ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.inputs (
    attempt bigint NOT NULL,
    dataset bigint NOT NULL,
    context text DEFAULT ''::text NOT NULL,
    tags jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE public.latest_metrics (
    attempt bigint NOT NULL,
    run bigint NOT NULL,
    experiment_id bigint NOT NULL,
    key text NOT NULL,
    value double precision NOT NULL,
    step bigint NOT NULL,
    "timestamp" bigint NOT NULL,
    current boolean DEFAULT true NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.lineage (
    source_kind text NOT NULL,
    source_id text NOT NULL,
    target_kind text NOT NULL,
    target_id text NOT NULL,
    relation text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.logged_model_metrics (
    id bigint NOT NULL,
    logged_model bigint NOT NULL,
    run bigint NOT NULL,
    key text NOT NULL,
    value double precision NOT NULL,
    step bigint NOT NULL,
    "timestamp" bigint NOT NULL,
    dataset_name text DEFAULT ''::text NOT NULL,
    dataset_digest text DEFAULT ''::text NOT NULL
);

ALTER TABLE public.logged_model_metrics ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.logged_model_metrics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.logged_model_params (
    logged_model bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.logged_model_tags (
    logged_model bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.logged_models (
    id bigint NOT NULL,
    model_id text NOT NULL,
    experiment_id bigint NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    status_message text DEFAULT ''::text NOT NULL,
    run bigint,
    attempt bigint,
    artifact_root text NOT NULL,
    digest text,
    model_type text DEFAULT ''::text NOT NULL,
    size bigint,
    manifest jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT logged_models_ready_has_digest_check CHECK (((status <> 'READY'::text) OR (digest IS NOT NULL))),
    CONSTRAINT logged_models_status_check CHECK ((status = ANY (ARRAY['PENDING'::text, 'READY'::text, 'FAILED'::text])))
);

ALTER TABLE public.logged_models ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.logged_models_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.metric_chunks (
    attempt bigint NOT NULL,
    key text NOT NULL,
    batch bigint NOT NULL,
    points integer NOT NULL,
    first_step bigint NOT NULL,
    last_step bigint NOT NULL,
    steps bigint[] NOT NULL,
    timestamps bigint[] NOT NULL,
    "values" double precision[] NOT NULL
);
ALTER TABLE ONLY public.metric_chunks ALTER COLUMN steps SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.metric_chunks ALTER COLUMN timestamps SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.metric_chunks ALTER COLUMN "values" SET STORAGE EXTERNAL;

CREATE TABLE public.mltrack_schema (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.model_version_tags (
    model bigint NOT NULL,
    version integer NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.model_versions (
    model bigint NOT NULL,
    version integer NOT NULL,
    stage text DEFAULT 'None'::text NOT NULL,
    source text NOT NULL,
    logged_model bigint,
    run_id text,
    digest text,
    "user" text DEFAULT ''::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'READY'::text NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    live boolean DEFAULT false NOT NULL,
    run_link text DEFAULT ''::text NOT NULL
);

CREATE TABLE public.params (
    attempt bigint NOT NULL,
    run bigint NOT NULL,
    experiment_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    current boolean DEFAULT true NOT NULL
);

CREATE TABLE public.registered_model_tags (
    model bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.registered_models (
    id bigint NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    gates jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_version integer DEFAULT 0 NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stages jsonb NOT NULL
);

ALTER TABLE public.registered_models ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.registered_models_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.run_models (
    attempt bigint NOT NULL,
    direction text NOT NULL,
    model_id text NOT NULL,
    step bigint DEFAULT 0 NOT NULL,
    CONSTRAINT run_models_direction_check CHECK ((direction = ANY (ARRAY['input'::text, 'output'::text])))
);

CREATE TABLE public.run_tags (
    run bigint NOT NULL,
    experiment_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE public.runs (
    id bigint NOT NULL,
    run_id text NOT NULL,
    experiment_id bigint NOT NULL,
    name text NOT NULL,
    parent_id bigint,
    status text NOT NULL,
    lifecycle text DEFAULT 'active'::text NOT NULL,
    deleted_at timestamp with time zone,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    "user" text DEFAULT ''::text NOT NULL,
    logical_key text,
    dag_id text,
    dag_run_id text,
    task_id text,
    map_index integer DEFAULT '-1'::integer NOT NULL,
    attempt_id bigint,
    attempt_number integer DEFAULT 0 NOT NULL,
    artifact_root text DEFAULT ''::text NOT NULL,
    deleted_with_experiment boolean DEFAULT false NOT NULL,
    CONSTRAINT runs_lifecycle_check CHECK ((lifecycle = ANY (ARRAY['active'::text, 'deleted'::text]))),
    CONSTRAINT runs_status_check CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'RUNNING'::text, 'FINISHED'::text, 'FAILED'::text, 'KILLED'::text])))
);

ALTER TABLE public.runs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.sweeps (
    run bigint NOT NULL,
    spec jsonb DEFAULT '{}'::jsonb NOT NULL,
    metric text NOT NULL,
    direction text NOT NULL,
    n_trials integer NOT NULL,
    closed boolean DEFAULT false NOT NULL,
    CONSTRAINT sweeps_direction_check CHECK ((direction = ANY (ARRAY['maximize'::text, 'minimize'::text])))
);

CREATE TABLE public.trial_reports (
    sweep bigint NOT NULL,
    number integer NOT NULL,
    step integer NOT NULL,
    value double precision NOT NULL
);

CREATE TABLE public.trials (
    sweep bigint NOT NULL,
    number integer NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'WAITING'::text NOT NULL,
    run bigint,
    value double precision,
    attempts integer DEFAULT 0 NOT NULL,
    claimed_by text,
    worker text,
    claimed_at timestamp with time zone,
    error text,
    notes jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT trials_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'RUNNING'::text, 'COMPLETE'::text, 'PRUNED'::text, 'FAILED'::text])))
);

CREATE TABLE public.verdicts (
    id bigint NOT NULL,
    verdict_id text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    passed boolean NOT NULL,
    package_digest text NOT NULL,
    policy jsonb DEFAULT '{}'::jsonb NOT NULL,
    policy_digest text NOT NULL,
    dataset_name text NOT NULL,
    dataset_digest text NOT NULL,
    checks jsonb NOT NULL,
    champion_version integer,
    actor text DEFAULT ''::text NOT NULL,
    run_id text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    valid_until timestamp with time zone
);

ALTER TABLE public.verdicts ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.verdicts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.webhook_deliveries (
    id bigint NOT NULL,
    delivery_id text NOT NULL,
    webhook bigint NOT NULL,
    event bigint NOT NULL,
    state text DEFAULT 'WAITING'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    delivered_at timestamp with time zone,
    error text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'DELIVERED'::text, 'FAILED'::text])))
);

ALTER TABLE public.webhook_deliveries ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.webhook_deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.webhooks (
    id bigint NOT NULL,
    webhook_id text NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    models text DEFAULT '*'::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    created_by text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.webhooks ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.webhooks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

INSERT INTO public.aliases VALUES (1, 'champion', 2);
INSERT INTO public.aliases VALUES (4, 'shadow', 2);

INSERT INTO public.approvals VALUES (1, '98a4197aecaa47329fa623abf22f0312', 'credit', 1, 'Production', 'approved', 'grace', 'read it', 'd5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91', '27c2192f6c0e4da9b00f5f7357f67943', 'ada', '2026-11-25 17:50:38.383689+00', '2026-12-25 17:50:38.383689+00', '{}');
INSERT INTO public.approvals VALUES (2, 'ff7bd494b8f94fa0967a5f6fbb3dc086', 'credit', 2, 'Production', 'approved', 'grace', 'read it', '0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af', 'bc5dbf3ed97c433a845ee1c8783ed68d', 'ada', '2026-11-25 17:50:38.535387+00', '2026-12-25 17:50:38.535387+00', '{}');
INSERT INTO public.approvals VALUES (3, 'e03cc02118bf49e59dac7c5b4b3f9b0c', 'credit', 3, 'Production', 'rejected', 'grace', 'read it', '94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9', '08858742ea7646d09bbf951d6632b892', 'ada', '2026-11-25 17:50:38.680048+00', '2026-12-25 17:50:38.680048+00', '{}');

INSERT INTO public.artifacts VALUES (1, 1, NULL, 'notes/read me.txt', 'experiments/1/4ea6043f1e0e4b7ba3e0a4a059d4b3fa/1/artifacts/9a5e68d4108e/notes/read me.txt', 5, '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', 'text/plain', '2026-11-25 17:50:37.974231+00');
INSERT INTO public.artifacts VALUES (2, NULL, 1, 'model.bin', 'experiments/0/models/m-cde2b3de52be4622870936b91f14f8c4/artifacts/model.bin', 32, '90936a5a9511f0aef87852e572dfd7110c37168247b6dc97ded9a2853e87ffbc', 'application/octet-stream', '2026-11-25 17:50:38.124282+00');
INSERT INTO public.artifacts VALUES (3, NULL, 2, 'model.bin', 'experiments/0/models/m-94af833699bd45719b62f4e66312abe0/artifacts/model.bin', 32, '61efdbb2c74916a1bdd8c0549c2937c5b4cad90a70419b2f6279886e838a86dd', 'application/octet-stream', '2026-11-25 17:50:38.140486+00');
INSERT INTO public.artifacts VALUES (4, NULL, 3, 'model.bin', 'experiments/0/models/m-f0fa2baa21ff4c82864d8bc8f741d559/artifacts/model.bin', 32, 'ea2f2bb6854b62fd8c7392d274150b017f895a7846282a9f72dde66ca5d1f837', 'application/octet-stream', '2026-11-25 17:50:38.163711+00');
INSERT INTO public.artifacts VALUES (5, NULL, 4, 'model.bin', 'experiments/0/models/m-852c15f9063b4be79d7e37ab2f41d8e3/artifacts/model.bin', 32, '1a369c5204c1becb2b6ee5ae326cb525e1770306f168038e8bf606221119c9fa', 'application/octet-stream', '2026-11-25 17:50:38.180635+00');
INSERT INTO public.artifacts VALUES (6, NULL, 5, 'model.bin', 'experiments/0/models/m-26777caaa265467c88759b62a075ef42/artifacts/model.bin', 32, '86118c113b68282d5ffa57e07503045b295895900306929deac670ea5631b306', 'application/octet-stream', '2026-11-25 17:50:38.196452+00');
INSERT INTO public.artifacts VALUES (7, NULL, 6, 'model.bin', 'experiments/0/models/m-03f35df23dea45a89dd127f5b45fa93f/artifacts/model.bin', 32, '8eee0241ff157eeb9088cebf00b0cdc6e5552f5c14fac942590ea65496996bdb', 'application/octet-stream', '2026-11-25 17:50:38.209873+00');

INSERT INTO public.attempts VALUES (2, 2, 1, NULL, 'FINISHED', '2026-11-25 17:50:37.980893+00', '2026-11-25 17:50:38.027451+00', '2026-11-25 17:50:38.009869+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (1, 1, 1, NULL, 'FINISHED', '2026-11-25 17:50:37.945039+00', '2026-11-25 17:50:38.073333+00', '2026-11-25 17:50:37.945301+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (5, 3, 2, '00000000000000000000000000000002', 'RUNNING', '2026-11-25 17:50:38.090016+00', NULL, '2026-11-25 17:50:38.090016+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (3, 3, 1, '00000000000000000000000000000001', 'KILLED', '2026-11-25 17:50:38.079166+00', '2026-11-25 17:50:38.090133+00', '2026-11-25 17:50:38.07929+00', NULL, '{}', 'superseded by attempt 2');
INSERT INTO public.attempts VALUES (6, 5, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.0934+00', NULL, '2026-11-25 17:50:38.093437+00', NULL, '{"watched": false}', NULL);
INSERT INTO public.attempts VALUES (7, 6, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.09639+00', NULL, '2026-11-25 17:50:38.09643+00', NULL, '{"watched": false}', NULL);
INSERT INTO public.attempts VALUES (8, 7, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.098359+00', NULL, '2026-11-25 17:50:38.098396+00', NULL, '{"watched": false}', NULL);
INSERT INTO public.attempts VALUES (9, 8, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.115251+00', NULL, '2026-11-25 17:50:38.115369+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (10, 9, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.133126+00', NULL, '2026-11-25 17:50:38.133244+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (11, 10, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.149432+00', NULL, '2026-11-25 17:50:38.14955+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (12, 11, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.172211+00', NULL, '2026-11-25 17:50:38.172329+00', NULL, '{}', NULL);
INSERT INTO public.attempts VALUES (13, 12, 1, NULL, 'RUNNING', '2026-11-25 17:50:38.189703+00', NULL, '2026-11-25 17:50:38.189827+00', NULL, '{}', NULL);

INSERT INTO public.datasets VALUES (1, 1, 'loans', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'uri', '', '{}', '{"rows": 400}');

INSERT INTO public.experiment_tags VALUES (1, 'note', 'é ✓');
INSERT INTO public.experiment_tags VALUES (1, 'team', 'risk');

INSERT INTO public.experiments VALUES (0, 'Default', 'experiments/0', 'active', '2026-11-25 17:50:37.730881+00', '2026-11-25 17:50:37.730881+00');
INSERT INTO public.experiments VALUES (1, 'credit', 'experiments/1', 'active', '2026-11-25 17:50:37.927784+00', '2026-11-25 17:50:37.927784+00');
INSERT INTO public.experiments VALUES (2, 'left', 'experiments/2', 'deleted', '2026-11-25 17:50:38.095422+00', '2026-11-25 17:50:38.097103+00');

INSERT INTO public.history VALUES (1, 'credit', NULL, 'created', 'ada', '2026-11-25 17:50:38.253857+00', '{"gates": {}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}}', '0000000000000000000000000000000000000000000000000000000000000000', 'c951dc1506235cc1504cf11d0c8013207736211d8a8132b191031817fc450b6a');
INSERT INTO public.history VALUES (2, 'credit', NULL, 'policy', 'ada', '2026-11-25 17:50:38.262389+00', '{"to": {"gates": {"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "Staging", "reason": true, "verdict": true, "approvals": 1}, {"to": "Archived", "from": "Production", "reason": true}, {"to": "Archived", "from": "None", "reason": true}, {"to": "Archived", "from": "Staging", "reason": true}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}}, "from": {"gates": {}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}}, "reason": ""}', 'c951dc1506235cc1504cf11d0c8013207736211d8a8132b191031817fc450b6a', 'e86ce309c2a4680cafb02c88922409d9a25fb873db18018e430a141c5e229a55');
INSERT INTO public.history VALUES (3, 'credit', 1, 'registered', 'ada', '2026-11-25 17:50:38.28067+00', '{"digest": "d5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91", "run_id": "56ead2c1a01f49ccbbdfba7cf1722feb", "source": "models:/m-cde2b3de52be4622870936b91f14f8c4", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "model_type": ""}', 'e86ce309c2a4680cafb02c88922409d9a25fb873db18018e430a141c5e229a55', '3208cad54f959a0d6dbf0873d68798f34798e411729f850e5e8782650b53bcee');
INSERT INTO public.history VALUES (4, 'credit', 1, 'verdict', 'ada', '2026-11-25 17:50:38.298284+00', '{"passed": true, "sha256": "fec9645ada0e91fac086ba5525b2499d05bcbea2024bafe1acd98a3fef995c03", "verdict_id": "27c2192f6c0e4da9b00f5f7357f67943"}', '3208cad54f959a0d6dbf0873d68798f34798e411729f850e5e8782650b53bcee', '8f34fc76fe550a303af01a4a161c28ef4abb1aec7652bab814ae757b05dfcf35');
INSERT INTO public.history VALUES (5, 'credit', 1, 'transition', 'ada', '2026-11-25 17:50:38.34371+00', '{"to": "Staging", "via": "promotion", "from": "None", "digest": "d5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91", "reason": "", "details": {}, "previous": null, "approvals": [], "verdict_id": "27c2192f6c0e4da9b00f5f7357f67943"}', '8f34fc76fe550a303af01a4a161c28ef4abb1aec7652bab814ae757b05dfcf35', 'e8bf1f90597d3da950caad82598f03c248cac681b0effc229b73f16bcd627942');
INSERT INTO public.history VALUES (6, 'credit', 1, 'approval_requested', 'ada', '2026-11-25 17:50:38.361684+00', '{"stage": "Production", "digest": "d5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91", "reason": "better", "details": {}, "verdict_id": "27c2192f6c0e4da9b00f5f7357f67943"}', 'e8bf1f90597d3da950caad82598f03c248cac681b0effc229b73f16bcd627942', '24e83e2301b8045d88ae02c872308e6d21a0b2634ddd283c243d7a9ef2190e52');
INSERT INTO public.history VALUES (7, 'credit', 1, 'approval', 'grace', '2026-11-25 17:50:38.388845+00', '{"stage": "Production", "reason": "read it", "sha256": "3ce7191246b172eee0d33800f50b4bf69c78b8397489478d4c03d2b6a36e1a37", "details": {}, "decision": "approved", "verdict_id": "27c2192f6c0e4da9b00f5f7357f67943", "approval_id": "98a4197aecaa47329fa623abf22f0312"}', '24e83e2301b8045d88ae02c872308e6d21a0b2634ddd283c243d7a9ef2190e52', '8badb40d817dfc9dac0a278b9c526f647f5a5b9d16c13118a6e9a84c8d9cd811');
INSERT INTO public.history VALUES (8, 'credit', 1, 'transition', 'ada', '2026-11-25 17:50:38.433751+00', '{"to": "Production", "via": "promotion", "from": "Staging", "digest": "d5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91", "reason": "release", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "previous": null, "approvals": ["98a4197aecaa47329fa623abf22f0312"], "verdict_id": "27c2192f6c0e4da9b00f5f7357f67943"}', '8badb40d817dfc9dac0a278b9c526f647f5a5b9d16c13118a6e9a84c8d9cd811', '87990e60cd371b50e6e6e5bcaa9930252ac7c3c6b06cfaec319dc92ecbe112cc');
INSERT INTO public.history VALUES (9, 'credit', 2, 'registered', 'ada', '2026-11-25 17:50:38.461309+00', '{"digest": "0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af", "run_id": "fc7468845d0943c7baa7d09a8172395d", "source": "models:/m-94af833699bd45719b62f4e66312abe0", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "model_type": ""}', '87990e60cd371b50e6e6e5bcaa9930252ac7c3c6b06cfaec319dc92ecbe112cc', 'b0d6407e5c74707c5eea3560cd799cfda3521002b8969781c0f1248051fc5149');
INSERT INTO public.history VALUES (10, 'credit', 2, 'verdict', 'ada', '2026-11-25 17:50:38.476966+00', '{"passed": true, "sha256": "74316ab16b8824a54575230784ed4fbd14e9ef73542e332070f993a3c4bd2da5", "verdict_id": "bc5dbf3ed97c433a845ee1c8783ed68d"}', 'b0d6407e5c74707c5eea3560cd799cfda3521002b8969781c0f1248051fc5149', 'b7b940acf496e863aa928f96c67719dfab88ad74aec73e2303fb59dff65a737b');
INSERT INTO public.history VALUES (11, 'credit', 2, 'transition', 'ada', '2026-11-25 17:50:38.509154+00', '{"to": "Staging", "via": "promotion", "from": "None", "digest": "0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af", "reason": "", "details": {}, "previous": null, "approvals": [], "verdict_id": "bc5dbf3ed97c433a845ee1c8783ed68d"}', 'b7b940acf496e863aa928f96c67719dfab88ad74aec73e2303fb59dff65a737b', 'e76a7659fb7e65329b6a88ece575690439583099cabe51a92ec2c5157a7d0a8b');
INSERT INTO public.history VALUES (12, 'credit', 2, 'approval_requested', 'ada', '2026-11-25 17:50:38.522427+00', '{"stage": "Production", "digest": "0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af", "reason": "better", "details": {}, "verdict_id": "bc5dbf3ed97c433a845ee1c8783ed68d"}', 'e76a7659fb7e65329b6a88ece575690439583099cabe51a92ec2c5157a7d0a8b', 'f506e9f8693fcee12f75a676b31d1e2fc60cae8ca9bae4d6738880783e6a32b6');
INSERT INTO public.history VALUES (13, 'credit', 2, 'approval', 'grace', '2026-11-25 17:50:38.538177+00', '{"stage": "Production", "reason": "read it", "sha256": "fd7b18ec2450c1f5e4c5090b8e071b162c1b6e146b848e212a07adba7cab10d3", "details": {}, "decision": "approved", "verdict_id": "bc5dbf3ed97c433a845ee1c8783ed68d", "approval_id": "ff7bd494b8f94fa0967a5f6fbb3dc086"}', 'f506e9f8693fcee12f75a676b31d1e2fc60cae8ca9bae4d6738880783e6a32b6', '6f2c89fb29858f92cb7c7ffd1de0f2556098862896118251f0df54109882720a');
INSERT INTO public.history VALUES (14, 'credit', 1, 'transition', 'ada', '2026-11-25 17:50:38.572587+00', '{"to": "Archived", "via": "promotion", "from": "Production", "digest": "d5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91", "reason": "release", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "displaced_by": 2}', '6f2c89fb29858f92cb7c7ffd1de0f2556098862896118251f0df54109882720a', '51fdf9b7181f6d566e014ec8fc79460aab65d4b2c032ec7837f09c317215c556');
INSERT INTO public.history VALUES (15, 'credit', 2, 'transition', 'ada', '2026-11-25 17:50:38.572587+00', '{"to": "Production", "via": "promotion", "from": "Staging", "digest": "0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af", "reason": "release", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "previous": 1, "approvals": ["ff7bd494b8f94fa0967a5f6fbb3dc086"], "verdict_id": "bc5dbf3ed97c433a845ee1c8783ed68d"}', '51fdf9b7181f6d566e014ec8fc79460aab65d4b2c032ec7837f09c317215c556', '9808ad878d92881e5873e94330e2331bb2adc418ee3b81111fa9d8c7de31cb67');
INSERT INTO public.history VALUES (16, 'credit', 3, 'registered', 'ada', '2026-11-25 17:50:38.604835+00', '{"digest": "94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9", "run_id": "ddbcd817a05e4a38881143c4bae0ec3d", "source": "models:/m-f0fa2baa21ff4c82864d8bc8f741d559", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "model_type": ""}', '9808ad878d92881e5873e94330e2331bb2adc418ee3b81111fa9d8c7de31cb67', '13fc5f922aaee894ba03911e673b94d5b191997dd1dd7f2ea14d50bd6c75e11b');
INSERT INTO public.history VALUES (17, 'credit', 3, 'verdict', 'ada', '2026-11-25 17:50:38.61774+00', '{"passed": true, "sha256": "418fd45d7ab6fa104168c2eb2e3bd6b096128905d891d674f12de16541adbc57", "verdict_id": "08858742ea7646d09bbf951d6632b892"}', '13fc5f922aaee894ba03911e673b94d5b191997dd1dd7f2ea14d50bd6c75e11b', '69737c0dfc8b17d1249417f3e3ef190039731849a6bb7ad8d0045069752c29f8');
INSERT INTO public.history VALUES (18, 'credit', 3, 'transition', 'ada', '2026-11-25 17:50:38.649955+00', '{"to": "Staging", "via": "promotion", "from": "None", "digest": "94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9", "reason": "", "details": {}, "previous": null, "approvals": [], "verdict_id": "08858742ea7646d09bbf951d6632b892"}', '69737c0dfc8b17d1249417f3e3ef190039731849a6bb7ad8d0045069752c29f8', '7fbd0ce4028ecfcce24a254f4617200212b0dbabda16f424bdf180f09bd861c9');
INSERT INTO public.history VALUES (19, 'credit', 3, 'approval_requested', 'ada', '2026-11-25 17:50:38.665361+00', '{"stage": "Production", "digest": "94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9", "reason": "better", "details": {}, "verdict_id": "08858742ea7646d09bbf951d6632b892"}', '7fbd0ce4028ecfcce24a254f4617200212b0dbabda16f424bdf180f09bd861c9', '937dc496bfacd88c363710e7f836ff01f82ca813538530c20f9886aae2f94c44');
INSERT INTO public.history VALUES (20, 'credit', 3, 'approval', 'grace', '2026-11-25 17:50:38.68385+00', '{"stage": "Production", "reason": "read it", "sha256": "c02a09eb09172e3d686b118c2fa6893b100bbbe87d3c544d3720501bafef1175", "details": {}, "decision": "rejected", "verdict_id": "08858742ea7646d09bbf951d6632b892", "approval_id": "e03cc02118bf49e59dac7c5b4b3f9b0c"}', '937dc496bfacd88c363710e7f836ff01f82ca813538530c20f9886aae2f94c44', '0a8954543e58bb86bac9d7a54965ee182c867dbac5d630aef13f4aa526a6865f');
INSERT INTO public.history VALUES (21, 'credit', 1, 'alias', 'ada', '2026-11-25 17:50:38.698532+00', '{"to": 1, "from": null, "alias": "champion", "reason": "first"}', '0a8954543e58bb86bac9d7a54965ee182c867dbac5d630aef13f4aa526a6865f', '448856efb9c64098bf2bf4b2e8912ad4e8d9b7b95fb48db400419860cb854d2e');
INSERT INTO public.history VALUES (22, 'credit', 2, 'alias', 'ada', '2026-11-25 17:50:38.712146+00', '{"to": 2, "from": 1, "alias": "champion", "reason": "best so far"}', '448856efb9c64098bf2bf4b2e8912ad4e8d9b7b95fb48db400419860cb854d2e', '77fa2e0882f5f97b860d00078562338c32fd47c7cbf530e0476bf15d2b07edd0');
INSERT INTO public.history VALUES (23, 'free', NULL, 'created', 'bob', '2026-11-25 17:50:38.730159+00', '{"gates": {}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}, "details": {"door": "mlflow"}}', '0000000000000000000000000000000000000000000000000000000000000000', 'fee0545124ec66e63491774ca8ed4556b0f09d3bdf624298e371cf7dad98fef3');
INSERT INTO public.history VALUES (24, 'free', 1, 'registered', 'ada', '2026-11-25 17:50:38.753941+00', '{"digest": "9b52ee78ed37eed26fd287c36054b1e5c3291e8c9f96b7a60951d3386b818da5", "run_id": "a60acd7174f341678af51ca02ac4cc68", "source": "models:/m-852c15f9063b4be79d7e37ab2f41d8e3", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "model_type": ""}', 'fee0545124ec66e63491774ca8ed4556b0f09d3bdf624298e371cf7dad98fef3', '6de61e23c972ce333336afed8c8d637a550794f8a8cf43a621c99c31bcd682f2');
INSERT INTO public.history VALUES (25, 'free', 2, 'registered', 'bob', '2026-11-25 17:50:38.769874+00', '{"digest": null, "run_id": null, "source": "s3://elsewhere/model", "details": {"door": "mlflow"}, "model_type": ""}', '6de61e23c972ce333336afed8c8d637a550794f8a8cf43a621c99c31bcd682f2', '29b2efd7ced883e5adaf43c9a8c563baa0cbe5190533e4f403bf457e9a4eba0a');
INSERT INTO public.history VALUES (26, 'free', 3, 'registered', 'bob', '2026-11-25 17:50:38.777517+00', '{"digest": null, "run_id": null, "source": "s3://elsewhere/other", "details": {}, "model_type": ""}', '29b2efd7ced883e5adaf43c9a8c563baa0cbe5190533e4f403bf457e9a4eba0a', 'f2783f313c51638c82af7844bcede97ccc800c4f56c0029c5e4bffba76baec8c');
INSERT INTO public.history VALUES (27, 'free', 1, 'transition', 'bob', '2026-11-25 17:50:38.806619+00', '{"to": "Production", "via": "promotion", "from": "None", "digest": "9b52ee78ed37eed26fd287c36054b1e5c3291e8c9f96b7a60951d3386b818da5", "reason": "", "details": {}, "previous": null, "approvals": [], "verdict_id": null}', 'f2783f313c51638c82af7844bcede97ccc800c4f56c0029c5e4bffba76baec8c', 'dcc8d9158775d2eb08be1fe8c9c339ecef31c9c206c8e003fe36858616f8a305');
INSERT INTO public.history VALUES (28, 'free', 1, 'transition', 'bob', '2026-11-25 17:50:38.834375+00', '{"to": "Archived", "via": "promotion", "from": "Production", "digest": "9b52ee78ed37eed26fd287c36054b1e5c3291e8c9f96b7a60951d3386b818da5", "reason": "", "details": {}, "displaced_by": 2}', 'dcc8d9158775d2eb08be1fe8c9c339ecef31c9c206c8e003fe36858616f8a305', 'ac3208059dc9279ce320289b2f5a7909894658e79f63c2a4e5c1720dffe32d80');
INSERT INTO public.history VALUES (29, 'free', 2, 'transition', 'bob', '2026-11-25 17:50:38.834375+00', '{"to": "Production", "via": "promotion", "from": "None", "digest": null, "reason": "", "details": {}, "previous": 1, "approvals": [], "verdict_id": null}', 'ac3208059dc9279ce320289b2f5a7909894658e79f63c2a4e5c1720dffe32d80', 'a6ad372bd0fc0c95d6862e9531c356ea897192eeb0ba19d6f43e7b6897bd5157');
INSERT INTO public.history VALUES (30, 'free', 2, 'alias', 'bob', '2026-11-25 17:50:38.852202+00', '{"to": 2, "from": null, "alias": "shadow", "reason": ""}', 'a6ad372bd0fc0c95d6862e9531c356ea897192eeb0ba19d6f43e7b6897bd5157', '1ef96612f97425bbf945b39c7f9d42e5bc4ef1129802632a5c280acbb1d5098e');
INSERT INTO public.history VALUES (31, 'free', 1, 'alias', 'bob', '2026-11-25 17:50:38.869117+00', '{"to": 1, "from": null, "alias": "old", "reason": ""}', '1ef96612f97425bbf945b39c7f9d42e5bc4ef1129802632a5c280acbb1d5098e', '0734e9d3bc630b15259a0f00a9979633bd3c8d73983ef07784610a406386bc23');
INSERT INTO public.history VALUES (32, 'free', 1, 'alias', 'bob', '2026-11-25 17:50:38.878062+00', '{"to": null, "from": 1, "alias": "old", "reason": "not used"}', '0734e9d3bc630b15259a0f00a9979633bd3c8d73983ef07784610a406386bc23', 'aa46d1a70a6a5f5be9c7741395afbcfa45dcb273bfbda7781f6c057ab2657402');
INSERT INTO public.history VALUES (33, 'free', 3, 'deleted', 'bob', '2026-11-25 17:50:38.892316+00', '{"stage": "None", "digest": null, "reason": "by mistake"}', 'aa46d1a70a6a5f5be9c7741395afbcfa45dcb273bfbda7781f6c057ab2657402', '1898dd40c841a89a8e58779ae38beece64bc06540f0d0737db5b5f4783dc150f');
INSERT INTO public.history VALUES (34, 'former', NULL, 'created', 'ada', '2026-11-25 17:50:38.906356+00', '{"gates": {}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}}', '0000000000000000000000000000000000000000000000000000000000000000', '8a40653887e5a35d6359a3a14362e96acc9cee7ff159e143aa223f97135dca86');
INSERT INTO public.history VALUES (35, 'former', 1, 'registered', 'ada', '2026-11-25 17:50:38.917374+00', '{"digest": "96daba4e896d81019819326732351ed20fd646ea06fdf8dcd59a00146b60b75b", "run_id": "529681c478e6434dac737129b456a9fe", "source": "models:/m-26777caaa265467c88759b62a075ef42", "details": {"dag_id": "release", "task_id": "promote", "dag_run_id": "manual__1"}, "model_type": ""}', '8a40653887e5a35d6359a3a14362e96acc9cee7ff159e143aa223f97135dca86', '3080e2f177853b61ce3e7b3f321f0d0663566e8e600c0f73ce9a35c3254ce227');
INSERT INTO public.history VALUES (36, 'former', NULL, 'renamed', 'bob', '2026-11-25 17:50:38.92986+00', '{"to": "latter", "from": "former", "reason": ""}', '3080e2f177853b61ce3e7b3f321f0d0663566e8e600c0f73ce9a35c3254ce227', '4e38f23081ddde520f6700830352aa5cd6685c858860e1fed14402805bd79d72');
INSERT INTO public.history VALUES (37, 'latter', NULL, 'renamed', 'bob', '2026-11-25 17:50:38.932149+00', '{"to": "latter", "from": "former", "reason": ""}', '0000000000000000000000000000000000000000000000000000000000000000', '706de2216ed30b93335f6cd7305f519878db2adbe980a0db7bda317bda40bc16');
INSERT INTO public.history VALUES (38, 'gone', NULL, 'created', 'bob', '2026-11-25 17:50:38.941247+00', '{"gates": {}, "stages": {"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}}', '0000000000000000000000000000000000000000000000000000000000000000', 'cd9dc54960525aaf34f4d9b155e60f917649cbe0d37525505a17b5f15108c125');
INSERT INTO public.history VALUES (39, 'gone', NULL, 'deleted', 'bob', '2026-11-25 17:50:38.95648+00', '{"reason": "a trial", "versions": []}', 'cd9dc54960525aaf34f4d9b155e60f917649cbe0d37525505a17b5f15108c125', '7a0bfa543a931c498ff28aad9c77f86717eb1838b27ed9d195339756d46c0fea');

INSERT INTO public.inputs VALUES (3, 1, 'training', '{"split": "train"}');

INSERT INTO public.latest_metrics VALUES (2, 2, 1, 'auc', 0.75, 0, 1795629037990, true);
INSERT INTO public.latest_metrics VALUES (1, 1, 1, 'auc', 0.74, 4, 1795629037961, true);
INSERT INTO public.latest_metrics VALUES (1, 1, 1, 'loss', 0.2, 4, 1795629037961, true);
INSERT INTO public.latest_metrics VALUES (1, 1, 1, 'odd', 'NaN', 0, 1795629037961, true);

INSERT INTO public.lineage VALUES ('model', 'm-cde2b3de52be4622870936b91f14f8c4', 'model_version', 'credit/1', 'registered_as', '2026-11-25 17:50:38.282294+00');
INSERT INTO public.lineage VALUES ('run', '56ead2c1a01f49ccbbdfba7cf1722feb', 'model', 'm-cde2b3de52be4622870936b91f14f8c4', 'produced', '2026-11-25 17:50:38.282864+00');
INSERT INTO public.lineage VALUES ('model', 'm-94af833699bd45719b62f4e66312abe0', 'model_version', 'credit/2', 'registered_as', '2026-11-25 17:50:38.463115+00');
INSERT INTO public.lineage VALUES ('run', 'fc7468845d0943c7baa7d09a8172395d', 'model', 'm-94af833699bd45719b62f4e66312abe0', 'produced', '2026-11-25 17:50:38.463179+00');
INSERT INTO public.lineage VALUES ('model', 'm-f0fa2baa21ff4c82864d8bc8f741d559', 'model_version', 'credit/3', 'registered_as', '2026-11-25 17:50:38.606605+00');
INSERT INTO public.lineage VALUES ('run', 'ddbcd817a05e4a38881143c4bae0ec3d', 'model', 'm-f0fa2baa21ff4c82864d8bc8f741d559', 'produced', '2026-11-25 17:50:38.60668+00');
INSERT INTO public.lineage VALUES ('model', 'm-852c15f9063b4be79d7e37ab2f41d8e3', 'model_version', 'free/1', 'registered_as', '2026-11-25 17:50:38.755723+00');
INSERT INTO public.lineage VALUES ('run', 'a60acd7174f341678af51ca02ac4cc68', 'model', 'm-852c15f9063b4be79d7e37ab2f41d8e3', 'produced', '2026-11-25 17:50:38.755783+00');
INSERT INTO public.lineage VALUES ('model', 'm-26777caaa265467c88759b62a075ef42', 'model_version', 'former/1', 'registered_as', '2026-11-25 17:50:38.918797+00');
INSERT INTO public.lineage VALUES ('run', '529681c478e6434dac737129b456a9fe', 'model', 'm-26777caaa265467c88759b62a075ef42', 'produced', '2026-11-25 17:50:38.918879+00');

INSERT INTO public.logged_model_metrics VALUES (1, 1, 8, 'auc', 0.8, 1, 1700000000000, 'loans', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

INSERT INTO public.logged_model_params VALUES (1, 'depth', '3');

INSERT INTO public.logged_model_tags VALUES (1, 'kind', 'scorecard');

INSERT INTO public.logged_models VALUES (1, 'm-cde2b3de52be4622870936b91f14f8c4', 0, 'model', 'READY', '', 8, 9, 'experiments/0/models/m-cde2b3de52be4622870936b91f14f8c4/artifacts', 'd5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91', '', 32, '{}', '2026-11-25 17:50:38.11953+00', '2026-11-25 17:50:38.126201+00', NULL);
INSERT INTO public.logged_models VALUES (2, 'm-94af833699bd45719b62f4e66312abe0', 0, 'model', 'READY', '', 9, 10, 'experiments/0/models/m-94af833699bd45719b62f4e66312abe0/artifacts', '0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af', '', 32, '{}', '2026-11-25 17:50:38.136208+00', '2026-11-25 17:50:38.142523+00', NULL);
INSERT INTO public.logged_models VALUES (3, 'm-f0fa2baa21ff4c82864d8bc8f741d559', 0, 'model', 'READY', '', 10, 11, 'experiments/0/models/m-f0fa2baa21ff4c82864d8bc8f741d559/artifacts', '94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9', '', 32, '{}', '2026-11-25 17:50:38.154704+00', '2026-11-25 17:50:38.165113+00', NULL);
INSERT INTO public.logged_models VALUES (4, 'm-852c15f9063b4be79d7e37ab2f41d8e3', 0, 'model', 'READY', '', 11, 12, 'experiments/0/models/m-852c15f9063b4be79d7e37ab2f41d8e3/artifacts', '9b52ee78ed37eed26fd287c36054b1e5c3291e8c9f96b7a60951d3386b818da5', '', 32, '{}', '2026-11-25 17:50:38.174726+00', '2026-11-25 17:50:38.182052+00', NULL);
INSERT INTO public.logged_models VALUES (5, 'm-26777caaa265467c88759b62a075ef42', 0, 'model', 'READY', '', 12, 13, 'experiments/0/models/m-26777caaa265467c88759b62a075ef42/artifacts', '96daba4e896d81019819326732351ed20fd646ea06fdf8dcd59a00146b60b75b', '', 32, '{}', '2026-11-25 17:50:38.192423+00', '2026-11-25 17:50:38.198027+00', NULL);
INSERT INTO public.logged_models VALUES (6, 'm-03f35df23dea45a89dd127f5b45fa93f', 0, 'model', 'READY', '', NULL, NULL, 'experiments/0/models/m-03f35df23dea45a89dd127f5b45fa93f/artifacts', '28fd1354f8bcc14a21e1d709448ee3a7a6583f8a433992738a05716487f822ae', '', 32, '{}', '2026-11-25 17:50:38.206371+00', '2026-11-25 17:50:38.211341+00', '2026-11-25 17:50:38.235025+00');

INSERT INTO public.metric_chunks VALUES (2, 'auc', 4492123196710669626, 1, 0, 0, '{0}', '{1795629037990}', '{0.75}');
INSERT INTO public.metric_chunks VALUES (1, 'auc', 2962071035904596457, 5, 0, 4, '{0,1,2,3,4}', '{1795629037960,1795629037961,1795629037961,1795629037961,1795629037961}', '{0.7,0.71,0.72,0.73,0.74}');
INSERT INTO public.metric_chunks VALUES (1, 'loss', 3778753410387852790, 5, 0, 4, '{0,1,2,3,4}', '{1795629037961,1795629037961,1795629037961,1795629037961,1795629037961}', '{1,0.5,0.3333333333333333,0.25,0.2}');
INSERT INTO public.metric_chunks VALUES (1, 'odd', 1727344691802654903, 1, 0, 0, '{0}', '{1795629037961}', '{NaN}');

INSERT INTO public.mltrack_schema VALUES ('0003');

INSERT INTO public.model_version_tags VALUES (1, 1, 'license', 'apache-2.0');
INSERT INTO public.model_version_tags VALUES (1, 1, 'round', '1');
INSERT INTO public.model_version_tags VALUES (1, 2, 'license', 'apache-2.0');
INSERT INTO public.model_version_tags VALUES (1, 2, 'round', '2');
INSERT INTO public.model_version_tags VALUES (1, 3, 'license', 'apache-2.0');
INSERT INTO public.model_version_tags VALUES (1, 3, 'round', '3');
INSERT INTO public.model_version_tags VALUES (4, 2, 'mltrack.reason', 'why not');
INSERT INTO public.model_version_tags VALUES (4, 2, 'odd', 'é ✓');
INSERT INTO public.model_version_tags VALUES (4, 1, 'reviewed', 'yes');

INSERT INTO public.model_versions VALUES (1, 1, 'Archived', 'models:/m-cde2b3de52be4622870936b91f14f8c4', 1, '56ead2c1a01f49ccbbdfba7cf1722feb', 'd5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91', 'ada', '', 'READY', false, '2026-11-25 17:50:38.273995+00', '2026-11-25 17:50:38.569677+00', false, '');
INSERT INTO public.model_versions VALUES (1, 2, 'Production', 'models:/m-94af833699bd45719b62f4e66312abe0', 2, 'fc7468845d0943c7baa7d09a8172395d', '0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af', 'ada', '', 'READY', false, '2026-11-25 17:50:38.456096+00', '2026-11-25 17:50:38.576145+00', true, '');
INSERT INTO public.model_versions VALUES (1, 3, 'Staging', 'models:/m-f0fa2baa21ff4c82864d8bc8f741d559', 3, 'ddbcd817a05e4a38881143c4bae0ec3d', '94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9', 'ada', '', 'READY', false, '2026-11-25 17:50:38.599924+00', '2026-11-25 17:50:38.645765+00', false, '');
INSERT INTO public.model_versions VALUES (4, 1, 'Archived', 'models:/m-852c15f9063b4be79d7e37ab2f41d8e3', 4, 'a60acd7174f341678af51ca02ac4cc68', '9b52ee78ed37eed26fd287c36054b1e5c3291e8c9f96b7a60951d3386b818da5', 'ada', '', 'READY', false, '2026-11-25 17:50:38.749706+00', '2026-11-25 17:50:38.831451+00', false, '');
INSERT INTO public.model_versions VALUES (4, 2, 'Production', 's3://elsewhere/model', NULL, NULL, NULL, 'bob', 'kept elsewhere', 'READY', false, '2026-11-25 17:50:38.763932+00', '2026-11-25 17:50:38.837839+00', true, 'https://mlflow.example/#/runs/1');
INSERT INTO public.model_versions VALUES (4, 3, 'None', 's3://elsewhere/other', NULL, NULL, NULL, 'bob', '', 'READY', true, '2026-11-25 17:50:38.774405+00', '2026-11-25 17:50:38.889052+00', false, '');
INSERT INTO public.model_versions VALUES (6, 1, 'None', 'models:/m-26777caaa265467c88759b62a075ef42', 5, '529681c478e6434dac737129b456a9fe', '96daba4e896d81019819326732351ed20fd646ea06fdf8dcd59a00146b60b75b', 'ada', '', 'READY', false, '2026-11-25 17:50:38.913684+00', '2026-11-25 17:50:38.913684+00', false, '');

INSERT INTO public.params VALUES (1, 1, 1, 'classifier', 'lightgbm', true);
INSERT INTO public.params VALUES (1, 1, 1, 'rows', '30000', true);
INSERT INTO public.params VALUES (2, 2, 1, 'depth', '3', true);
INSERT INTO public.params VALUES (3, 3, 1, 'C', '1.0', false);
INSERT INTO public.params VALUES (5, 3, 1, 'C', '2.0', true);

INSERT INTO public.registered_model_tags VALUES (4, 'team', 'risk');

INSERT INTO public.registered_models VALUES (6, 'latter', '', '{}', 1, false, '2026-11-25 17:50:38.903491+00', '2026-11-25 17:50:38.926449+00', '{"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}');
INSERT INTO public.registered_models VALUES (7, 'former', '', '{}', 1, true, '2026-11-25 17:50:38.92746+00', '2026-11-25 17:50:38.92746+00', '{"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}');
INSERT INTO public.registered_models VALUES (8, 'gone', '', '{}', 0, true, '2026-11-25 17:50:38.938399+00', '2026-11-25 17:50:38.955333+00', '{"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}');
INSERT INTO public.registered_models VALUES (4, 'free', 'no rules', '{}', 3, false, '2026-11-25 17:50:38.725846+00', '2026-11-25 17:50:38.889981+00', '{"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "None"}, {"to": "Archived", "from": "None"}, {"to": "None", "from": "Staging"}, {"to": "Production", "from": "Staging"}, {"to": "Archived", "from": "Staging"}, {"to": "None", "from": "Production"}, {"to": "Staging", "from": "Production"}, {"to": "Archived", "from": "Production"}, {"to": "None", "from": "Archived"}, {"to": "Staging", "from": "Archived"}, {"to": "Production", "from": "Archived"}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}');
INSERT INTO public.registered_models VALUES (1, 'credit', '', '{"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30}', 3, false, '2026-11-25 17:50:38.247395+00', '2026-11-25 17:50:38.647257+00', '{"edges": [{"to": "Staging", "from": "None"}, {"to": "Production", "from": "Staging", "reason": true, "verdict": true, "approvals": 1}, {"to": "Archived", "from": "Production", "reason": true}, {"to": "Archived", "from": "None", "reason": true}, {"to": "Archived", "from": "Staging", "reason": true}], "stages": ["None", "Staging", "Production", "Archived"], "exclusive": "Production", "displaced_to": "Archived"}');

INSERT INTO public.run_models VALUES (9, 'output', 'm-cde2b3de52be4622870936b91f14f8c4', 1);
INSERT INTO public.run_models VALUES (5, 'input', 'm-cde2b3de52be4622870936b91f14f8c4', 0);

INSERT INTO public.run_tags VALUES (1, 1, 'mlflow.source.name', 'fill.py');
INSERT INTO public.run_tags VALUES (1, 1, 'mlflow.source.type', 'LOCAL');
INSERT INTO public.run_tags VALUES (1, 1, 'mlflow.user', 'ada');
INSERT INTO public.run_tags VALUES (1, 1, 'goal', 'baseline');

INSERT INTO public.runs VALUES (2, '13862c6d33d2442db0ecda2ddc632ee0', 1, 'trial 1', 1, 'FINISHED', 'active', NULL, '2026-11-25 17:50:37.980893+00', '2026-11-25 17:50:38.027451+00', 'ada', NULL, NULL, NULL, NULL, -1, 2, 1, 'experiments/1/13862c6d33d2442db0ecda2ddc632ee0/1/artifacts', false);
INSERT INTO public.runs VALUES (1, '4ea6043f1e0e4b7ba3e0a4a059d4b3fa', 1, 'parent', NULL, 'FINISHED', 'active', NULL, '2026-11-25 17:50:37.945039+00', '2026-11-25 17:50:38.073333+00', 'ada', NULL, NULL, NULL, NULL, -1, 1, 1, 'experiments/1/4ea6043f1e0e4b7ba3e0a4a059d4b3fa/1/artifacts', false);
INSERT INTO public.runs VALUES (3, '0ffc3ae43f3c46d28d77bbb25889e07a', 1, 'by hand', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.090016+00', NULL, 'bob', 'train/manual__1/fit/-1', NULL, NULL, NULL, -1, 5, 2, 'experiments/1/0ffc3ae43f3c46d28d77bbb25889e07a/2/artifacts', false);
INSERT INTO public.runs VALUES (5, '74c2e21ba9b14440a8c739f94b0ba4b7', 1, 'gone', NULL, 'RUNNING', 'deleted', '2026-11-25 17:50:38.094298+00', '2026-11-25 17:50:38.0934+00', NULL, 'bob', NULL, NULL, NULL, NULL, -1, 6, 1, 'experiments/1/74c2e21ba9b14440a8c739f94b0ba4b7/1/artifacts', false);
INSERT INTO public.runs VALUES (6, '838154a6a9de458e829403e6d8f66e41', 2, 'went along', NULL, 'RUNNING', 'deleted', '2026-11-25 17:50:38.097777+00', '2026-11-25 17:50:38.09639+00', NULL, 'bob', NULL, NULL, NULL, NULL, -1, 7, 1, 'experiments/2/838154a6a9de458e829403e6d8f66e41/1/artifacts', true);
INSERT INTO public.runs VALUES (7, '2220b9fa5c7945e5818a5439370b4aab', 1, 'sweep', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.098359+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 8, 1, 'experiments/1/2220b9fa5c7945e5818a5439370b4aab/1/artifacts', false);
INSERT INTO public.runs VALUES (8, '56ead2c1a01f49ccbbdfba7cf1722feb', 0, 'warm-sheep-10', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.115251+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 9, 1, 'experiments/0/56ead2c1a01f49ccbbdfba7cf1722feb/1/artifacts', false);
INSERT INTO public.runs VALUES (9, 'fc7468845d0943c7baa7d09a8172395d', 0, 'amber-beaver-99', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.133126+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 10, 1, 'experiments/0/fc7468845d0943c7baa7d09a8172395d/1/artifacts', false);
INSERT INTO public.runs VALUES (10, 'ddbcd817a05e4a38881143c4bae0ec3d', 0, 'mild-zebra-28', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.149432+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 11, 1, 'experiments/0/ddbcd817a05e4a38881143c4bae0ec3d/1/artifacts', false);
INSERT INTO public.runs VALUES (11, 'a60acd7174f341678af51ca02ac4cc68', 0, 'gentle-lynx-67', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.172211+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 12, 1, 'experiments/0/a60acd7174f341678af51ca02ac4cc68/1/artifacts', false);
INSERT INTO public.runs VALUES (12, '529681c478e6434dac737129b456a9fe', 0, 'fair-ibex-54', NULL, 'RUNNING', 'active', NULL, '2026-11-25 17:50:38.189703+00', NULL, 'ada', NULL, NULL, NULL, NULL, -1, 13, 1, 'experiments/0/529681c478e6434dac737129b456a9fe/1/artifacts', false);

INSERT INTO public.sweeps VALUES (7, '{"space": {"depth": [1, 2]}}', 'auc', 'maximize', 3, false);

INSERT INTO public.trials VALUES (7, 0, '{"depth": 1}', 'WAITING', NULL, NULL, 0, NULL, NULL, NULL, NULL, '{}');
INSERT INTO public.trials VALUES (7, 1, '{"depth": 2}', 'WAITING', NULL, NULL, 0, NULL, NULL, NULL, NULL, '{}');

INSERT INTO public.verdicts VALUES (1, '27c2192f6c0e4da9b00f5f7357f67943', 'credit', 1, true, 'd5792569841f03611dd2293d87b7de865def44a6faa8e8156fef10e3d4784e91', '{"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30}', '5c0c141cdb2eaa522d0f64af97a7b891d1d883453aa106ddcc5aa6fde6e60ce2', 'table', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '[{"kind": "threshold", "name": "auc", "rows": null, "method": "", "metric": "", "passed": true, "message": "auc is 0.6, asked for >= 0.7", "p_value": null, "evidence": null, "interval": null, "observed": 0.6, "severity": "error", "threshold": 0.7, "comparison": ">=", "confidence": 0.95, "champion_value": null, "evidence_sha256": null}]', NULL, 'ada', NULL, '{}', '2026-11-25 17:50:38.288008+00', '2026-12-25 17:50:38.288008+00');
INSERT INTO public.verdicts VALUES (2, 'bc5dbf3ed97c433a845ee1c8783ed68d', 'credit', 2, true, '0833cd4f722612d7ed2e52a31cf25269651ff9ba226f22aa3fc22fd2184008af', '{"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30}', '5c0c141cdb2eaa522d0f64af97a7b891d1d883453aa106ddcc5aa6fde6e60ce2', 'table', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '[{"kind": "threshold", "name": "auc", "rows": null, "method": "", "metric": "", "passed": true, "message": "auc is 0.6, asked for >= 0.7", "p_value": null, "evidence": null, "interval": null, "observed": 0.6, "severity": "error", "threshold": 0.7, "comparison": ">=", "confidence": 0.95, "champion_value": null, "evidence_sha256": null}]', 1, 'ada', NULL, '{}', '2026-11-25 17:50:38.467856+00', '2026-12-25 17:50:38.467856+00');
INSERT INTO public.verdicts VALUES (3, '08858742ea7646d09bbf951d6632b892', 'credit', 3, true, '94f64e01e8e96fc5027e076a0f47164f38b17b028b0d98fef6ee114c914e13e9', '{"checks": [{"min": 0.7, "metric": "auc"}], "valid_days": 30}', '5c0c141cdb2eaa522d0f64af97a7b891d1d883453aa106ddcc5aa6fde6e60ce2', 'table', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '[{"kind": "threshold", "name": "auc", "rows": null, "method": "", "metric": "", "passed": true, "message": "auc is 0.6, asked for >= 0.7", "p_value": null, "evidence": null, "interval": null, "observed": 0.6, "severity": "error", "threshold": 0.7, "comparison": ">=", "confidence": 0.95, "champion_value": null, "evidence_sha256": null}]', 2, 'ada', NULL, '{}', '2026-11-25 17:50:38.611439+00', '2026-12-25 17:50:38.611439+00');

INSERT INTO public.webhook_deliveries VALUES (13, '6d313a7adbad420081ed35a3d4c84013', 4, 8, 'WAITING', 0, '2026-11-25 17:50:38.435215+00', NULL, NULL, '2026-11-25 17:50:38.435215+00');
INSERT INTO public.webhook_deliveries VALUES (18, '264b0542138c4b5182b793f7d4bd96ab', 4, 11, 'WAITING', 0, '2026-11-25 17:50:38.510507+00', NULL, NULL, '2026-11-25 17:50:38.510507+00');
INSERT INTO public.webhook_deliveries VALUES (21, 'b86e406adc6e47f29c8646ee8f3b6e71', 4, 13, 'WAITING', 0, '2026-11-25 17:50:38.539453+00', NULL, NULL, '2026-11-25 17:50:38.539453+00');
INSERT INTO public.webhook_deliveries VALUES (24, '82ba01ceeef34982b164fcb51e870fab', 4, 14, 'WAITING', 0, '2026-11-25 17:50:38.573904+00', NULL, NULL, '2026-11-25 17:50:38.573904+00');
INSERT INTO public.webhook_deliveries VALUES (27, 'c9ab0d58c71a4da9b5264324fe9c0914', 4, 15, 'WAITING', 0, '2026-11-25 17:50:38.579863+00', NULL, NULL, '2026-11-25 17:50:38.579863+00');
INSERT INTO public.webhook_deliveries VALUES (32, 'b6da8d0deb8c490b9e305586cc939bf2', 4, 18, 'WAITING', 0, '2026-11-25 17:50:38.651749+00', NULL, NULL, '2026-11-25 17:50:38.651749+00');
INSERT INTO public.webhook_deliveries VALUES (35, '3bae5523987144719d9e1769b5bc5875', 4, 20, 'WAITING', 0, '2026-11-25 17:50:38.685593+00', NULL, NULL, '2026-11-25 17:50:38.685593+00');
INSERT INTO public.webhook_deliveries VALUES (43, 'c746f85aaa6e4a4c9fbdcc1c4045a858', 4, 27, 'WAITING', 0, '2026-11-25 17:50:38.807932+00', NULL, NULL, '2026-11-25 17:50:38.807932+00');
INSERT INTO public.webhook_deliveries VALUES (45, 'bdf6a19dd8a242e39a84c3429b08ce60', 4, 28, 'WAITING', 0, '2026-11-25 17:50:38.835709+00', NULL, NULL, '2026-11-25 17:50:38.835709+00');
INSERT INTO public.webhook_deliveries VALUES (47, '45bc9f8076c34a0091a1830a9d208da4', 4, 29, 'WAITING', 0, '2026-11-25 17:50:38.84067+00', NULL, NULL, '2026-11-25 17:50:38.84067+00');
INSERT INTO public.webhook_deliveries VALUES (49, '3e0d3ddac09c4f57bfdd9496ca09c765', 3, 30, 'WAITING', 0, '2026-11-25 17:50:38.853492+00', NULL, NULL, '2026-11-25 17:50:38.853492+00');
INSERT INTO public.webhook_deliveries VALUES (1, '9e4828fc7da74136ba2e956e1197107f', 1, 1, 'DELIVERED', 1, '2026-11-25 17:51:38.972245+00', '2026-11-25 17:50:38.981028+00', NULL, '2026-11-25 17:50:38.256166+00');
INSERT INTO public.webhook_deliveries VALUES (2, 'f757c84803f3473293da50c602040120', 1, 2, 'DELIVERED', 1, '2026-11-25 17:51:38.985748+00', '2026-11-25 17:50:38.99328+00', NULL, '2026-11-25 17:50:38.263852+00');
INSERT INTO public.webhook_deliveries VALUES (3, '352230e88f9d49358d7bfcd78ad71648', 1, 3, 'DELIVERED', 1, '2026-11-25 17:51:38.997756+00', '2026-11-25 17:50:39.005171+00', NULL, '2026-11-25 17:50:38.281633+00');
INSERT INTO public.webhook_deliveries VALUES (4, '5744b58ccde84b87804fc0aa79d9a480', 1, 4, 'DELIVERED', 1, '2026-11-25 17:51:39.010054+00', '2026-11-25 17:50:39.020741+00', NULL, '2026-11-25 17:50:38.299549+00');
INSERT INTO public.webhook_deliveries VALUES (5, 'a623d183b69c4adfa36400f882698146', 1, 5, 'DELIVERED', 1, '2026-11-25 17:51:39.026242+00', '2026-11-25 17:50:39.035504+00', NULL, '2026-11-25 17:50:38.346173+00');
INSERT INTO public.webhook_deliveries VALUES (6, 'be7256fea6724a94b46d8fedeb595149', 2, 5, 'DELIVERED', 1, '2026-11-25 17:51:39.040574+00', '2026-11-25 17:50:39.049277+00', NULL, '2026-11-25 17:50:38.346255+00');
INSERT INTO public.webhook_deliveries VALUES (8, 'd03d6d464ffe42dca955ee1d26233b4b', 1, 6, 'DELIVERED', 1, '2026-11-25 17:51:39.070398+00', '2026-11-25 17:50:39.080958+00', NULL, '2026-11-25 17:50:38.365826+00');
INSERT INTO public.webhook_deliveries VALUES (9, 'eecfb27c5cb94f10970837a32837595c', 1, 7, 'DELIVERED', 1, '2026-11-25 17:51:39.086173+00', '2026-11-25 17:50:39.093915+00', NULL, '2026-11-25 17:50:38.390757+00');
INSERT INTO public.webhook_deliveries VALUES (11, '9d6cfc73c53d46ccb5fa7eb7b979892b', 1, 8, 'DELIVERED', 1, '2026-11-25 17:51:39.098625+00', '2026-11-25 17:50:39.108128+00', NULL, '2026-11-25 17:50:38.435115+00');
INSERT INTO public.webhook_deliveries VALUES (12, 'ab0eb4a8236b43b195a6030535bb33aa', 2, 8, 'DELIVERED', 1, '2026-11-25 17:51:39.113405+00', '2026-11-25 17:50:39.120946+00', NULL, '2026-11-25 17:50:38.435205+00');
INSERT INTO public.webhook_deliveries VALUES (14, '0530bf32ad5b46f7bb33213d37a15926', 1, 9, 'DELIVERED', 1, '2026-11-25 17:51:39.125311+00', '2026-11-25 17:50:39.134461+00', NULL, '2026-11-25 17:50:38.462515+00');
INSERT INTO public.webhook_deliveries VALUES (15, 'd3dbc16edd1541f59ed0885bbf3f4866', 1, 10, 'DELIVERED', 1, '2026-11-25 17:51:39.140257+00', '2026-11-25 17:50:39.148442+00', NULL, '2026-11-25 17:50:38.479945+00');
INSERT INTO public.webhook_deliveries VALUES (16, 'a4f58229951848a5bad7ec32e42522d6', 1, 11, 'DELIVERED', 1, '2026-11-25 17:51:39.156933+00', '2026-11-25 17:50:39.164526+00', NULL, '2026-11-25 17:50:38.510416+00');
INSERT INTO public.webhook_deliveries VALUES (17, 'e94cdaa1bbe941ef9bbf8870eb30a9c9', 2, 11, 'DELIVERED', 1, '2026-11-25 17:51:39.16988+00', '2026-11-25 17:50:39.178609+00', NULL, '2026-11-25 17:50:38.510496+00');
INSERT INTO public.webhook_deliveries VALUES (19, '2b527c24e7b94df39f1691046c08e706', 1, 12, 'DELIVERED', 1, '2026-11-25 17:51:39.183999+00', '2026-11-25 17:50:39.191813+00', NULL, '2026-11-25 17:50:38.523669+00');
INSERT INTO public.webhook_deliveries VALUES (20, 'c9853bc443a246daa9b399c4c89fdeae', 1, 13, 'DELIVERED', 1, '2026-11-25 17:51:39.196513+00', '2026-11-25 17:50:39.207611+00', NULL, '2026-11-25 17:50:38.539368+00');
INSERT INTO public.webhook_deliveries VALUES (22, '11af2a459cf04e56b53ce550b1e59382', 1, 14, 'DELIVERED', 1, '2026-11-25 17:51:39.211781+00', '2026-11-25 17:50:39.220966+00', NULL, '2026-11-25 17:50:38.57381+00');
INSERT INTO public.webhook_deliveries VALUES (23, 'd68b7c0d91614a50b547e2ce09ebfdc4', 2, 14, 'DELIVERED', 1, '2026-11-25 17:51:39.226756+00', '2026-11-25 17:50:39.235493+00', NULL, '2026-11-25 17:50:38.573893+00');
INSERT INTO public.webhook_deliveries VALUES (25, 'f1684214e423434bb0c7d71c0925be7f', 1, 15, 'DELIVERED', 1, '2026-11-25 17:51:39.239841+00', '2026-11-25 17:50:39.248867+00', NULL, '2026-11-25 17:50:38.579818+00');
INSERT INTO public.webhook_deliveries VALUES (26, 'ec4215e5f3f4467e8481114c5f26c34b', 2, 15, 'DELIVERED', 1, '2026-11-25 17:51:39.256218+00', '2026-11-25 17:50:39.265959+00', NULL, '2026-11-25 17:50:38.579853+00');
INSERT INTO public.webhook_deliveries VALUES (28, '41147b0e682c44f484766f6b218dec00', 1, 16, 'DELIVERED', 1, '2026-11-25 17:51:39.270833+00', '2026-11-25 17:50:39.282797+00', NULL, '2026-11-25 17:50:38.606009+00');
INSERT INTO public.webhook_deliveries VALUES (29, '9cd5a44565394603bda61b7af8546e9b', 1, 17, 'DELIVERED', 1, '2026-11-25 17:51:39.288617+00', '2026-11-25 17:50:39.299401+00', NULL, '2026-11-25 17:50:38.619006+00');
INSERT INTO public.webhook_deliveries VALUES (31, '6aad3787dfc142eeaba8e6e14ade9b75', 2, 18, 'DELIVERED', 1, '2026-11-25 17:51:39.320845+00', '2026-11-25 17:50:39.330128+00', NULL, '2026-11-25 17:50:38.651689+00');
INSERT INTO public.webhook_deliveries VALUES (33, 'da0372ad462840b0b93bf9c221d494b0', 1, 19, 'DELIVERED', 1, '2026-11-25 17:51:39.335375+00', '2026-11-25 17:50:39.345837+00', NULL, '2026-11-25 17:50:38.666613+00');
INSERT INTO public.webhook_deliveries VALUES (34, '7b470736b84c4b00a89c801aba392916', 1, 20, 'DELIVERED', 1, '2026-11-25 17:51:39.352798+00', '2026-11-25 17:50:39.362784+00', NULL, '2026-11-25 17:50:38.685462+00');
INSERT INTO public.webhook_deliveries VALUES (36, 'f57c30411e23481ea5d2e5024f573faa', 1, 21, 'DELIVERED', 1, '2026-11-25 17:51:39.368067+00', '2026-11-25 17:50:39.381801+00', NULL, '2026-11-25 17:50:38.699861+00');
INSERT INTO public.webhook_deliveries VALUES (37, '627285c5aa714c319fa7f0aed8af120b', 1, 22, 'DELIVERED', 1, '2026-11-25 17:51:39.386942+00', '2026-11-25 17:50:39.395234+00', NULL, '2026-11-25 17:50:38.713397+00');
INSERT INTO public.webhook_deliveries VALUES (38, '6c9d9f8151c64b92a22169c18041eab8', 1, 23, 'DELIVERED', 1, '2026-11-25 17:51:39.408687+00', '2026-11-25 17:50:39.418206+00', NULL, '2026-11-25 17:50:38.731717+00');
INSERT INTO public.webhook_deliveries VALUES (39, 'da9d7de721cd421992e08c731f53f93e', 1, 24, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.755185+00');
INSERT INTO public.webhook_deliveries VALUES (41, 'a23cc39da60740c3b54477643fa646a5', 1, 26, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.778336+00');
INSERT INTO public.webhook_deliveries VALUES (42, 'caa23cfae7584afba15c97f79c03a9ad', 1, 27, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.807849+00');
INSERT INTO public.webhook_deliveries VALUES (44, '81cc7bf94f8c4a278c5ac8c8213c8903', 1, 28, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.835618+00');
INSERT INTO public.webhook_deliveries VALUES (46, 'eff731ef04dd439ca77df2bcf5e9dd6c', 1, 29, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.840642+00');
INSERT INTO public.webhook_deliveries VALUES (48, '92c28594eaf442218755bb5b985c7eb3', 1, 30, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.853405+00');
INSERT INTO public.webhook_deliveries VALUES (50, '7bc0d2e8cb9c4652b1fdb175defe9d08', 1, 31, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.87029+00');
INSERT INTO public.webhook_deliveries VALUES (51, '4100a89ba5a64b789df133064086d026', 1, 32, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.879399+00');
INSERT INTO public.webhook_deliveries VALUES (53, 'd2f4894c19b64af78c60886c12e49463', 1, 34, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.907676+00');
INSERT INTO public.webhook_deliveries VALUES (54, '37045acb7c294b9ca542e5a0dbb784ee', 1, 35, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.918209+00');
INSERT INTO public.webhook_deliveries VALUES (55, '09229c96447c4affb1b75def00de3466', 1, 36, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.931118+00');
INSERT INTO public.webhook_deliveries VALUES (56, 'c43dfb5723c3402da877bc2820c3258b', 1, 37, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.932924+00');
INSERT INTO public.webhook_deliveries VALUES (57, '4b9379daed4a41a498b26b59cf2eca7c', 1, 38, 'DELIVERED', 1, '2026-12-01 17:51:39.431099+00', '2026-12-01 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.942512+00');
INSERT INTO public.webhook_deliveries VALUES (58, '97dd08735f9e4435be14dc0c4e9d19c7', 1, 39, 'DELIVERED', 1, '2026-12-01 17:51:39.431099+00', '2026-12-01 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.957611+00');
INSERT INTO public.webhook_deliveries VALUES (10, '3bd528f2be7b4a539adb3308a2cdb39c', 4, 7, 'WAITING', 2, '2026-12-17 17:51:50.93586+00', NULL, 'HTTP 500: out of order', '2026-11-25 17:50:38.390845+00');
INSERT INTO public.webhook_deliveries VALUES (30, 'd0eb0d57fb284dd88cac1cf15ec797a2', 1, 18, 'DELIVERED', 1, '2026-11-25 17:51:39.305501+00', '2026-11-25 17:50:39.315798+00', NULL, '2026-11-25 17:50:38.651606+00');
INSERT INTO public.webhook_deliveries VALUES (40, '3e93bf6667a445e2a053a5e6dd44da30', 1, 25, 'DELIVERED', 1, '2026-11-27 17:51:39.431099+00', '2026-11-27 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.771142+00');
INSERT INTO public.webhook_deliveries VALUES (52, 'bfa9a1a17d9741178fd148dec2c25f25', 1, 33, 'DELIVERED', 1, '2026-11-29 17:51:39.431099+00', '2026-11-29 17:50:39.431099+00', NULL, '2026-11-25 17:50:38.893461+00');
INSERT INTO public.webhook_deliveries VALUES (7, '2c6b788e315a44f1b7c3fc2fc8f437b5', 4, 5, 'FAILED', 10, '2026-12-13 17:51:39.431099+00', NULL, 'HTTP 500: out of order', '2026-11-25 17:50:38.346265+00');

INSERT INTO public.webhooks VALUES (1, 'bde81c3a88b74d289f8921a29f070a6c', 'https://hooks.example/hook', '{*}', '*', 'the data warehouse', true, 'olga', '2026-11-25 17:50:37.889516+00', '2026-11-25 17:50:37.889516+00');
INSERT INTO public.webhooks VALUES (2, 'a0e2ac8aed54448ab0aecaeeaf9bf83b', 'https://hooks.example/hook/moves?token=t0ken', '{transition}', 'credit*', '', true, 'olga', '2026-11-25 17:50:37.899433+00', '2026-11-25 17:50:37.899433+00');
INSERT INTO public.webhooks VALUES (4, 'c948c097b57c407a8e8324abc351711c', 'https://hooks.example/hook', '{approval,transition}', '*', '', true, 'olga', '2026-11-25 17:50:37.914066+00', '2026-11-25 17:50:37.914066+00');
INSERT INTO public.webhooks VALUES (3, '6eb88ea577b44f298c660402160f77fa', 'https://hooks.example/hook', '{alias,verdict}', 'free', '', false, 'olga', '2026-11-25 17:50:37.908578+00', '2026-11-25 17:50:38.859387+00');

SELECT pg_catalog.setval('public.approvals_id_seq', 3, true);

SELECT pg_catalog.setval('public.artifacts_id_seq', 7, true);

SELECT pg_catalog.setval('public.attempts_id_seq', 13, true);

SELECT pg_catalog.setval('public.datasets_id_seq', 1, true);

SELECT pg_catalog.setval('public.experiments_id_seq', 2, true);

SELECT pg_catalog.setval('public.history_id_seq', 39, true);

SELECT pg_catalog.setval('public.logged_model_metrics_id_seq', 1, true);

SELECT pg_catalog.setval('public.logged_models_id_seq', 6, true);

SELECT pg_catalog.setval('public.registered_models_id_seq', 8, true);

SELECT pg_catalog.setval('public.runs_id_seq', 12, true);

SELECT pg_catalog.setval('public.verdicts_id_seq', 3, true);

SELECT pg_catalog.setval('public.webhook_deliveries_id_seq', 58, true);

SELECT pg_catalog.setval('public.webhooks_id_seq', 4, true);

ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (model, alias);

ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT approvals_approval_id_key UNIQUE (approval_id);

ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT approvals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_attempt_key_key UNIQUE (attempt_key);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_run_number_key UNIQUE (run, number);

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_experiment_id_name_digest_key UNIQUE (experiment_id, name, digest);

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.experiment_tags
    ADD CONSTRAINT experiment_tags_pkey PRIMARY KEY (experiment_id, key);

ALTER TABLE ONLY public.experiments
    ADD CONSTRAINT experiments_name_key UNIQUE (name);

ALTER TABLE ONLY public.experiments
    ADD CONSTRAINT experiments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_name_previous_hash_key UNIQUE (name, previous_hash);

ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT inputs_pkey PRIMARY KEY (attempt, dataset, context);

ALTER TABLE ONLY public.latest_metrics
    ADD CONSTRAINT latest_metrics_pkey PRIMARY KEY (attempt, key);

ALTER TABLE ONLY public.lineage
    ADD CONSTRAINT lineage_pkey PRIMARY KEY (source_kind, source_id, target_kind, target_id, relation);

ALTER TABLE ONLY public.logged_model_metrics
    ADD CONSTRAINT logged_model_metrics_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.logged_model_params
    ADD CONSTRAINT logged_model_params_pkey PRIMARY KEY (logged_model, key);

ALTER TABLE ONLY public.logged_model_tags
    ADD CONSTRAINT logged_model_tags_pkey PRIMARY KEY (logged_model, key);

ALTER TABLE ONLY public.logged_models
    ADD CONSTRAINT logged_models_model_id_key UNIQUE (model_id);

ALTER TABLE ONLY public.logged_models
    ADD CONSTRAINT logged_models_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.metric_chunks
    ADD CONSTRAINT metric_chunks_pkey PRIMARY KEY (attempt, key, batch);

ALTER TABLE ONLY public.mltrack_schema
    ADD CONSTRAINT mltrack_schema_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.model_version_tags
    ADD CONSTRAINT model_version_tags_pkey PRIMARY KEY (model, version, key);

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_pkey PRIMARY KEY (model, version);

ALTER TABLE ONLY public.params
    ADD CONSTRAINT params_pkey PRIMARY KEY (attempt, key);

ALTER TABLE ONLY public.registered_model_tags
    ADD CONSTRAINT registered_model_tags_pkey PRIMARY KEY (model, key);

ALTER TABLE ONLY public.registered_models
    ADD CONSTRAINT registered_models_name_key UNIQUE (name);

ALTER TABLE ONLY public.registered_models
    ADD CONSTRAINT registered_models_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.run_models
    ADD CONSTRAINT run_models_pkey PRIMARY KEY (attempt, direction, model_id);

ALTER TABLE ONLY public.run_tags
    ADD CONSTRAINT run_tags_pkey PRIMARY KEY (run, key);

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_logical_key_key UNIQUE (logical_key);

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_run_id_key UNIQUE (run_id);

ALTER TABLE ONLY public.sweeps
    ADD CONSTRAINT sweeps_pkey PRIMARY KEY (run);

ALTER TABLE ONLY public.trial_reports
    ADD CONSTRAINT trial_reports_pkey PRIMARY KEY (sweep, number, step);

ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (sweep, number);

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_verdict_id_key UNIQUE (verdict_id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_delivery_id_key UNIQUE (delivery_id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_event_key UNIQUE (webhook, event);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_webhook_id_key UNIQUE (webhook_id);

CREATE INDEX approvals_name_version_id_idx ON public.approvals USING btree (name, version, id);

CREATE UNIQUE INDEX artifacts_attempt_path_key ON public.artifacts USING btree (attempt, path) WHERE (attempt IS NOT NULL);

CREATE UNIQUE INDEX artifacts_logged_model_path_key ON public.artifacts USING btree (logged_model, path) WHERE (logged_model IS NOT NULL);

CREATE INDEX attempts_open_idx ON public.attempts USING btree (heartbeat_at) WHERE (status = 'RUNNING'::text);

CREATE INDEX history_intent_idx ON public.history USING btree (name, ((payload ->> 'intent'::text))) WHERE (payload ? 'intent'::text);

CREATE INDEX history_name_id_idx ON public.history USING btree (name, id);

CREATE INDEX inputs_dataset_idx ON public.inputs USING btree (dataset);

CREATE INDEX latest_metrics_order_idx ON public.latest_metrics USING btree (experiment_id, key, value, run) WHERE current;

CREATE INDEX latest_metrics_run_idx ON public.latest_metrics USING btree (run, key) WHERE current;

CREATE INDEX lineage_target_kind_target_id_idx ON public.lineage USING btree (target_kind, target_id);

CREATE UNIQUE INDEX logged_model_metrics_once_key ON public.logged_model_metrics USING btree (logged_model, key, step, "timestamp", value, run, dataset_name, dataset_digest);

CREATE INDEX logged_models_experiment_id_name_idx ON public.logged_models USING btree (experiment_id, name);

CREATE INDEX logged_models_run_idx ON public.logged_models USING btree (run);

CREATE INDEX model_versions_logged_model_idx ON public.model_versions USING btree (logged_model);

CREATE UNIQUE INDEX model_versions_one_holder ON public.model_versions USING btree (model) WHERE (live AND (NOT deleted));

CREATE INDEX model_versions_run_id_idx ON public.model_versions USING btree (run_id);

CREATE INDEX params_run_idx ON public.params USING btree (run, key) WHERE current;

CREATE INDEX params_search_idx ON public.params USING btree (experiment_id, key, "left"(value, 256), run) WHERE current;

CREATE INDEX run_models_model_id_idx ON public.run_models USING btree (model_id);

CREATE INDEX run_tags_search_idx ON public.run_tags USING btree (experiment_id, key, "left"(value, 256), run);

CREATE INDEX runs_dag_id_dag_run_id_idx ON public.runs USING btree (dag_id, dag_run_id) WHERE (dag_id IS NOT NULL);

CREATE INDEX runs_experiment_id_idx ON public.runs USING btree (experiment_id, started_at DESC, id DESC);

CREATE INDEX runs_open_idx ON public.runs USING btree (started_at) WHERE (status = 'RUNNING'::text);

CREATE INDEX runs_parent_id_idx ON public.runs USING btree (parent_id) WHERE (parent_id IS NOT NULL);

CREATE INDEX trials_waiting_idx ON public.trials USING btree (sweep, number) WHERE (state = 'WAITING'::text);

CREATE INDEX verdicts_name_version_id_idx ON public.verdicts USING btree (name, version, id);

CREATE INDEX webhook_deliveries_due_idx ON public.webhook_deliveries USING btree (next_attempt_at) WHERE (state = 'WAITING'::text);

CREATE TRIGGER approvals_append_only BEFORE DELETE OR UPDATE ON public.approvals FOR EACH ROW EXECUTE FUNCTION public.rows_are_append_only();

CREATE TRIGGER approvals_no_truncate BEFORE TRUNCATE ON public.approvals FOR EACH STATEMENT EXECUTE FUNCTION public.rows_are_append_only();

CREATE TRIGGER history_append_only BEFORE DELETE OR UPDATE ON public.history FOR EACH ROW EXECUTE FUNCTION public.history_is_append_only();

CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON public.history FOR EACH STATEMENT EXECUTE FUNCTION public.history_is_append_only();

CREATE TRIGGER model_versions_keep_graph BEFORE INSERT OR UPDATE ON public.model_versions FOR EACH ROW EXECUTE FUNCTION public.model_version_keeps_its_graph();

CREATE CONSTRAINT TRIGGER model_versions_moves_are_told AFTER UPDATE ON public.model_versions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((old.stage IS DISTINCT FROM new.stage)) EXECUTE FUNCTION public.stage_moves_with_its_history();

CREATE TRIGGER registered_models_graph_fits AFTER UPDATE OF stages ON public.registered_models FOR EACH ROW WHEN ((old.stages IS DISTINCT FROM new.stages)) EXECUTE FUNCTION public.new_graph_fits_its_versions();

CREATE CONSTRAINT TRIGGER registered_models_rules_are_told AFTER UPDATE ON public.registered_models DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.gates IS DISTINCT FROM new.gates) OR (old.stages IS DISTINCT FROM new.stages))) EXECUTE FUNCTION public.rules_change_with_their_history();

CREATE TRIGGER verdicts_append_only BEFORE DELETE OR UPDATE ON public.verdicts FOR EACH ROW EXECUTE FUNCTION public.rows_are_append_only();

CREATE TRIGGER verdicts_no_truncate BEFORE TRUNCATE ON public.verdicts FOR EACH STATEMENT EXECUTE FUNCTION public.rows_are_append_only();

ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_model_version_fkey FOREIGN KEY (model, version) REFERENCES public.model_versions(model, version) ON DELETE CASCADE;

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_logged_model_fkey FOREIGN KEY (logged_model) REFERENCES public.logged_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES public.experiments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.experiment_tags
    ADD CONSTRAINT experiment_tags_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES public.experiments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT inputs_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT inputs_dataset_fkey FOREIGN KEY (dataset) REFERENCES public.datasets(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.latest_metrics
    ADD CONSTRAINT latest_metrics_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_model_metrics
    ADD CONSTRAINT logged_model_metrics_logged_model_fkey FOREIGN KEY (logged_model) REFERENCES public.logged_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_model_metrics
    ADD CONSTRAINT logged_model_metrics_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_model_params
    ADD CONSTRAINT logged_model_params_logged_model_fkey FOREIGN KEY (logged_model) REFERENCES public.logged_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_model_tags
    ADD CONSTRAINT logged_model_tags_logged_model_fkey FOREIGN KEY (logged_model) REFERENCES public.logged_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_models
    ADD CONSTRAINT logged_models_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_models
    ADD CONSTRAINT logged_models_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES public.experiments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.logged_models
    ADD CONSTRAINT logged_models_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.metric_chunks
    ADD CONSTRAINT metric_chunks_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.model_version_tags
    ADD CONSTRAINT model_version_tags_model_version_fkey FOREIGN KEY (model, version) REFERENCES public.model_versions(model, version) ON DELETE CASCADE;

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_logged_model_fkey FOREIGN KEY (logged_model) REFERENCES public.logged_models(id);

ALTER TABLE ONLY public.model_versions
    ADD CONSTRAINT model_versions_model_fkey FOREIGN KEY (model) REFERENCES public.registered_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.params
    ADD CONSTRAINT params_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.registered_model_tags
    ADD CONSTRAINT registered_model_tags_model_fkey FOREIGN KEY (model) REFERENCES public.registered_models(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.run_models
    ADD CONSTRAINT run_models_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.run_tags
    ADD CONSTRAINT run_tags_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES public.experiments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sweeps
    ADD CONSTRAINT sweeps_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.trial_reports
    ADD CONSTRAINT trial_reports_sweep_number_fkey FOREIGN KEY (sweep, number) REFERENCES public.trials(sweep, number) ON DELETE CASCADE;

ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_sweep_fkey FOREIGN KEY (sweep) REFERENCES public.sweeps(run) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_event_fkey FOREIGN KEY (event) REFERENCES public.history(id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_fkey FOREIGN KEY (webhook) REFERENCES public.webhooks(id) ON DELETE CASCADE;
