"""Sources: CSV, JSON, Parquet, Excel and SQL, read as typed rows."""
