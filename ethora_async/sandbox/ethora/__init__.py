"""The local Ethora: routes, rules and state of contract §1 to §3."""
