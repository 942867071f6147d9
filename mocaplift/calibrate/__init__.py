"""Camera files of every common make, read by content into cameras."""
