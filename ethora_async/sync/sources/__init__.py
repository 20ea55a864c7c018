"""What people have: CSV, JSON Lines, Parquet and SQL, read as typed rows."""
