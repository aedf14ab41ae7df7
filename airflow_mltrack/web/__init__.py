"""The web app that Airflow's API server mounts under ``/mltrack``."""
