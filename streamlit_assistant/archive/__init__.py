"""The archive: threads that nobody has used for long, kept outside the database.

It knows the store and the floor; `main` calls it, and loads no more of it than the flags before.
"""
