"""Published numbers and recorded runs."""
