"""Training: everything that makes the files in `weights/`. Nothing below imports this package."""
