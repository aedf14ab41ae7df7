"""Webhooks: who outside Airflow hears of a model's history, and what is sent to them."""
