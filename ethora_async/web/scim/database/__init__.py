"""The SCIM records in SQL: their tables, every statement on them, and connections to both kinds of database."""
