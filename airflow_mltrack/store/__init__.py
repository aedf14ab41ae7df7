"""The tracking database. Everything that speaks SQL is in here."""
