"""``ethora work`` and ``ethora runs``: apply plans on several machines."""
