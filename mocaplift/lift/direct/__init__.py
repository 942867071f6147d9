"""Direct: a transformer over time tells the depth of what one camera sees, learnt from synthetic views."""
