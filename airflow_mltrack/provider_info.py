"""What Airflow learns about this package without importing anything else of it.

Airflow calls :func:`get_provider_info` while its own configuration is still being built: the
standard library is all that may be used here.
"""

from __future__ import annotations


def get_provider_info() -> dict[str, object]:
    """Describe the provider in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "airflow-mltrack",
        "name": "MLTrack",
        "description": (
            "Experiment tracking, a model registry and stage-gated deployment inside Airflow."
        ),
        "integrations": [
            {
                "integration-name": "MLTrack",
                "external-doc-url": "https://airflow.apache.org/docs/apache-airflow-providers/",
                "tags": ["machine-learning"],
            }
        ],
        "hooks": [
            {"integration-name": "MLTrack", "python-modules": ["airflow_mltrack.hooks.mltrack"]}
        ],
        "operators": [
            {
                "integration-name": "MLTrack",
                "python-modules": [
                    "airflow_mltrack.operators.train",
                    "airflow_mltrack.operators.sweep",
                    "airflow_mltrack.operators.plan_sweep",
                    "airflow_mltrack.operators.run_trials",
                    "airflow_mltrack.operators.close_sweep",
                    "airflow_mltrack.operators.register",
                    "airflow_mltrack.operators.validate",
                    "airflow_mltrack.operators.approve",
                    "airflow_mltrack.operators.promote",
                    "airflow_mltrack.operators.rollback",
                    "airflow_mltrack.operators.evidence",
                    "airflow_mltrack.operators.batch_score",
                    "airflow_mltrack.operators.credit_data",
                    "airflow_mltrack.operators.reap",
                    "airflow_mltrack.operators.deliver_webhooks",
                ],
            }
        ],
        "task-decorators": [
            {
                "name": "mltrack_train",
                "class-name": "airflow_mltrack.decorators.mltrack_train.mltrack_train_task",
            }
        ],
        "extra-links": ["airflow_mltrack.hooks.run_link.RunLink"],
        "asset-uris": [
            {
                "schemes": ["mltrack"],
                "handler": "airflow_mltrack.assets.normalize_uri",
                "factory": "airflow_mltrack.assets.model_asset",
            }
        ],
        "connection-types": [
            {
                "connection-type": "mltrack",
                "hook-class-name": "airflow_mltrack.hooks.mltrack.MltrackHook",
                "hook-name": "MLTrack",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {
                        "host": "Database host",
                        "port": "Database port",
                        "login": "Database user",
                        "password": "Database password",
                        "schema": "Database name",
                    },
                    "placeholders": {
                        "host": "empty: an embedded Postgres on this machine",
                        "port": "5432",
                        "schema": "mltrack",
                    },
                },
                "conn-fields": {
                    "artifact_uri": {
                        "label": "Artifact URI",
                        "description": (
                            "Where files and models are kept: s3://bucket/prefix, or a directory "
                            "that every worker shares. Required together with a database host."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "sslmode": {
                        "label": "Database TLS",
                        "description": (
                            "As libpq's sslmode: require encrypts, verify-full checks the "
                            "server's certificate too."
                        ),
                        "schema": {
                            "type": "string",
                            "enum": [
                                "disable",
                                "allow",
                                "prefer",
                                "require",
                                "verify-ca",
                                "verify-full",
                            ],
                            "default": "prefer",
                        },
                    },
                    "endpoint_url": {
                        "label": "S3 endpoint URL",
                        "description": "Of an S3-compatible server; empty for AWS.",
                        "schema": {"type": ["string", "null"], "format": "url"},
                    },
                    "region": {"label": "S3 region", "schema": {"type": ["string", "null"]}},
                    "aws_conn_id": {
                        "label": "AWS connection",
                        "description": (
                            "Id of an Airflow connection of type aws that lends its keys, region "
                            "and endpoint; fields that are filled in here win."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "aws_access_key_id": {
                        "label": "S3 access key id",
                        "description": "Empty: the standard chain (environment, profile, role).",
                        "schema": {"type": ["string", "null"]},
                    },
                    "aws_secret_access_key": {
                        "label": "S3 secret access key",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "aws_session_token": {
                        "label": "S3 session token",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "path_style": {
                        "label": "Path-style addresses",
                        "description": "endpoint/bucket instead of bucket.endpoint (MinIO, Ceph).",
                        "schema": {"type": "boolean", "default": False},
                    },
                    "checksums": {
                        "label": "S3 checksums",
                        "description": "when_required suits older S3-compatible servers.",
                        "schema": {
                            "type": "string",
                            "enum": ["when_required", "when_supported"],
                            "default": "when_required",
                        },
                    },
                    "verify_tls": {
                        "label": "Verify TLS certificates",
                        "schema": {"type": "boolean", "default": True},
                    },
                    "trusted_modules": {
                        "label": "Trusted modules",
                        "description": (
                            "Further top-level modules, comma separated, whose estimators a Dag "
                            "may name by dotted path, beside sklearn, lightgbm and imblearn."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "trusted_types": {
                        "label": "Trusted types",
                        "description": (
                            "Dotted names, comma separated, of further types that a model package "
                            "may hold."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "gated_models": {
                        "label": "Gated models",
                        "description": (
                            "Name patterns, comma separated (credit-*, or * for all), of models "
                            "that are made with the gated profile: verdict and approval before "
                            "Production."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "webhook_secret": {
                        "label": "Webhook secret",
                        "description": "Signs (HMAC) what is sent to webhooks.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "webhook_keep_days": {
                        "label": "Keep webhook deliveries (days)",
                        "description": "How long the record of what arrived is kept.",
                        "schema": {
                            "type": ["integer", "null"],
                            "minimum": 1,
                            "maximum": 36_500,
                            "default": 30,
                        },
                    },
                    "spool_dir": {
                        "label": "Spool directory",
                        "description": (
                            "Of each worker: where metric points wait while the database is away; "
                            "empty: below AIRFLOW_HOME."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                },
            }
        ],
        "config": {
            "mltrack": {
                "description": "Settings of airflow-mltrack.",
                "options": {
                    "conn_id": {
                        "description": (
                            "Connection of type mltrack that is used where none is named: by the "
                            "listener, by the web pages and by current_run()."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": None,
                        "default": "mltrack_default",
                    },
                },
            }
        },
    }
