"""Bring what an MLflow server or its database holds into this backend."""
