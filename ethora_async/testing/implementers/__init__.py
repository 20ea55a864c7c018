"""For authors of platforms and transports: contract suites, a misbehaving server, the secrets canary."""
