"""Turn videos of people into clean 3D motion."""

__version__ = "0.1.0"
