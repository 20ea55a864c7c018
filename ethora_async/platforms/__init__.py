"""The platforms: independent packages that share the engine and never import each other."""
