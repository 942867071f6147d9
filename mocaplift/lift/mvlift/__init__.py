"""MVLift: other views of a person are made up by a diffusion network, and triangulated (Li et al. 2024)."""
