"""``--report``: a run as one HTML page to keep, print or share."""
