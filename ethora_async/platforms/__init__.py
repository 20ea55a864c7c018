"""The platforms: siblings that share the engine and never import each other."""
