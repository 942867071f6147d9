"""What the training stages learn from: motion capture readers and a parametric body."""
