"""Tools that the server executes for a run."""
