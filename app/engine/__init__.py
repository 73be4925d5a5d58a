"""Where a Studio runs. Knows neither the queue nor the database."""
