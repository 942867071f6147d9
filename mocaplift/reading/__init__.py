"""Files of motion that others wrote."""
