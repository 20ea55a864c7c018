"""The local Ethora: the routes, rules and state of docs/platforms/ethora.md."""
