"""Apps of a tenant."""
