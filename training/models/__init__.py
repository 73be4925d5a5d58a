"""The models and how each is trained. A module a model, with a command line of its own."""
