"""A private assistant site with its own Assistants API."""

__version__ = "0.1.0"
