"""Options that name files, parsed and checked without the model."""
