"""What is known of engines, models and settings beyond their argument tables, as data."""
