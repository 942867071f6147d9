"""Several cameras, one clock, one person: which video is which camera, what time it is, who is who."""
