"""The console: a page at `/_sandbox/` that shows what a sandbox holds, what it was asked, and its faults."""
