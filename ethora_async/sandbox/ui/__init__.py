"""The console: a page at `/_sandbox/` with a sandbox's records, requests and faults."""
