"""Experiment tracking, a model registry and stage-gated deployment inside Apache Airflow.

Airflow imports this module while its own configuration is still being built, so nothing but the
version may live here.
"""

__version__ = "0.1.0"
