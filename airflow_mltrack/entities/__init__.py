"""The nouns: frozen dataclasses that every layer passes around. They do nothing."""
