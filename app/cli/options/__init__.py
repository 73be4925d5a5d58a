"""Options that name files: what is written on the command line, read and checked without the model."""
