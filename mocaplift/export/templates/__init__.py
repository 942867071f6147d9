"""What exported bones are called, how they hang together, and how they rest.

A template is data: its bones, parents first, each one of our joints or a bone between two of them. Bones that
we have no joint for share the twist of their neighbours; they never move one of our joints.
"""

from __future__ import annotations

from mocaplift.errors import ConfigError
from mocaplift.export.templates import cmu, mixamo, native, opensim, rigify, ue5, unity
from mocaplift.export.templates.bones import ACTOR, Between, Bone, Template, bones_in, rest_axes
from mocaplift.export.templates.tips import SOLE_BELOW_JOINT, rest_height, tip_offsets

__all__ = [
    "ACTOR", "SOLE_BELOW_JOINT", "TEMPLATES", "Between", "Bone", "Template", "bones_in", "rest_axes",
    "rest_height", "template_named", "tip_offsets",
]  # fmt: skip

TEMPLATES = {
    template.name: template
    for template in (
        native.NATIVE,
        native.SMPL,
        native.HUMANIK,
        mixamo.MIXAMO,
        ue5.UE5,
        unity.UNITY,
        rigify.RIGIFY,
        cmu.CMU,
        opensim.OPENSIM,
    )
}


def template_named(name: str) -> Template:
    """Return a template.

    Raises:
        ConfigError: no such template; the message lists the known ones.
    """
    if name not in TEMPLATES:
        raise ConfigError(f"unknown skeleton template {name!r}; known: {', '.join(sorted(TEMPLATES))}")
    return TEMPLATES[name]
