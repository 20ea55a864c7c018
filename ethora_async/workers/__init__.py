"""Apply a plan on several machines (extra ``workers``): a ledger in PostgreSQL, and procrastinate as its engine."""
