"""Where a Studio runs. It knows neither the queue nor the database."""
