"""MPL: a transformer over joints, views and time corrects what triangulation made of several views."""
