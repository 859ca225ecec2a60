"""What is known of a model: its layers and weights, where each number is from, and what lacks."""
