"""Compare both sides, save the plan, apply it, resume it, verify the result."""
