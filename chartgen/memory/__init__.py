"""GPU memory: what engines allocate, exactly where it can be known, and the plan that follows."""
