"""MLflow's REST protocol, one file for each noun; handlers are thin.

A handler takes a :class:`~airflow_mltrack.web.mlflow.calls.Call` (who is calling, and the fields of
the request), calls the same functions as every other door, and returns the answer as a mapping.
What each route reads stands beside it as a shape (:mod:`~airflow_mltrack.web.mlflow.fields`).

The protocol: https://mlflow.org/docs/latest/api_reference/rest-api.html
"""
