"""The models and their training. Each model has a module with its own command line."""
