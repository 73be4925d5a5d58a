"""Where a Studio runs, and who decides what it runs next."""
