"""``ethora work`` and ``ethora runs``: plans that several machines carry out."""
