"""Testing what a model and its server can do."""
