"""A motion on the bones of a target rig: what every format of bones writes, and how it is made from ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.export.attach import attach
from mocaplift.export.presets import ExportOptions
from mocaplift.export.proportions import on_figure
from mocaplift.export.root import carried, on_the_spot
from mocaplift.export.templates import template_named
from mocaplift.export.timing import contacts_at, exact_rate, moments, rate_named, turns_at, values_at
from mocaplift.rotations import Y_UP_FROM_Z_UP, conjugate, from_matrix, make_continuous, multiply, rotate
from mocaplift.values import Camera, Capture, SkeletonMotion


@dataclass(frozen=True, eq=False)
class Rigged:
    """A motion on the bones of a target rig. World right-handed, +Y up, metres; formats convert units and axes.

    The root comes first and parents precede their children. `offsets` are the rest translations from the parent
    (m), in the parent's rest axes; `rest` the rest rotations relative to the parent (wxyz): identity where the
    template keeps our axes. At rest the person stands on the floor. `rotations` are local, the rest included,
    and stay in one hemisphere. `places` are the bones whose translation moves (the root, and the hips under a
    root on the floor): their local translation (m) in every frame, which replaces the offset.

    `joints` tells which of our joints each bone is, None for bones that we have no joint for. `tips` are where
    bones without children end (m, in their own axes). `contacts` (columns `layouts.CONTACT_POINTS`) and
    `camera` are those of the capture, where known.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]
    rest: Float[np.ndarray, "J 4"]
    rotations: Float[np.ndarray, "T J 4"]
    places: Mapping[int, Float[np.ndarray, "T 3"]]
    fps: Fraction | float
    joints: tuple[str | None, ...]
    tips: Mapping[int, Float[np.ndarray, "3"]] = field(default_factory=dict)
    contacts: Bool[np.ndarray, "T F"] | None = None
    camera: Camera | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.rotations)

    def world(self) -> tuple[Float[np.ndarray, "T J 3"], Float[np.ndarray, "T J 4"]]:
        """Return where every bone begins (m) in every frame, and how it is turned (wxyz), in the world."""
        xyz, turned = np.zeros((*self.rotations.shape[:2], 3)), np.array(self.rotations, dtype=float)
        for bone, parent in enumerate(self.parents):
            place = self.places.get(bone, self.offsets[bone])
            if parent < 0:
                xyz[:, bone] = place
                continue
            xyz[:, bone] = xyz[:, parent] + rotate(turned[:, parent], place)
            turned[:, bone] = multiply(turned[:, parent], self.rotations[:, bone])
        return xyz, turned

    def rest_world(self) -> tuple[Float[np.ndarray, "J 3"], Float[np.ndarray, "J 4"]]:
        """Return where every bone begins (m) at rest, and how it is turned (wxyz), in the world."""
        still = replace(self, rotations=self.rest[None], places={}, contacts=None)
        xyz, turned = still.world()
        return xyz[0], turned[0]


Exportable = Capture | SkeletonMotion | Rigged


def rig(value: Exportable, options: ExportOptions) -> Rigged:
    """Return a motion on the bones that the options ask for: everything but the file format.

    A motion that is on bones of its own already stays on them: template and proportions mean nothing to it.

    Raises:
        ConfigError: the template or the rate is unknown.
        InvalidData: the skeleton lacks joints that the template needs, or the motion has no frames.
    """
    if isinstance(value, Rigged):
        made = adapted(value, options)
    else:
        template = template_named(options.template)
        motion, contacts = prepared(value, options)
        made = Rigged(
            **attach(motion, template)._asdict(),
            fps=rate_named(options.fps, _rate_of(value)),
            contacts=contacts,
            camera=_camera_of(value, options),
        )
        made = carried(made, template, options.root)
    return with_rest_frame(made) if options.rest_frame else made


def prepared(
    value: Exportable, options: ExportOptions
) -> tuple[SkeletonMotion, Bool[np.ndarray, "T F"] | None]:
    """Return our own motion as it is to be written, with the contacts if known: its rate, proportions and place.

    Raises:
        ConfigError: the rate is unknown.
        InvalidData: the motion has no frames, or a skeleton for which no other proportions are known.
    """
    motion = motion_of(value)
    if len(motion.root) == 0:
        raise InvalidData("a file of motion needs at least one frame, but the motion has none")
    contacts = value.contacts if isinstance(value, Capture) else None
    have, want = _rate_of(value), rate_named(options.fps, _rate_of(value))
    at = moments(len(motion.root), have, want)
    if at is not None:
        motion = SkeletonMotion(
            skeleton=motion.skeleton,
            rotations=turns_at(at, motion.rotations),
            root=values_at(at, motion.root),
            fps=float(want),
        )
        contacts = None if contacts is None else contacts_at(at, contacts)
    if options.proportions == "template":
        motion = on_figure(motion, contacts, template_named(options.template))
    return (replace(motion, root=on_the_spot(motion.root)) if options.in_place else motion), contacts


def adapted(rigged: Rigged, options: ExportOptions) -> Rigged:
    """Return a motion that is on bones of its own at the rate, in the place and with the root that are asked for.

    Raises:
        ConfigError: the rate is unknown.
    """
    want = rate_named(options.fps, rigged.fps)
    at = moments(len(rigged), rigged.fps, want)
    if at is not None:
        contacts = rigged.contacts
        rigged = replace(
            rigged,
            rotations=turns_at(at, rigged.rotations),
            places={bone: values_at(at, place) for bone, place in rigged.places.items()},
            fps=want,
            contacts=None if contacts is None else contacts_at(at, contacts),
        )
    if options.in_place:
        rigged = _kept_in_place(rigged)
    # Where a bone carries the one below it, the path has a bone of its own already.
    if options.root == "floor" and not is_carried(rigged):
        template = template_named(options.template)
        while template.root in rigged.names:
            template = replace(template, root=f"{template.root}_")
        rigged = carried(rigged, template, options.root)
    return rigged


def is_carried(rigged: Rigged) -> bool:
    """Tell whether the first bone only carries the next, which moves as well."""
    return 1 in rigged.places and rigged.parents.count(0) == 1


def _kept_in_place(rigged: Rigged) -> Rigged:
    spot = dict(rigged.places) | {0: on_the_spot(rigged.places[0])}
    if is_carried(rigged):
        xyz, turned = rigged.world()
        spot[1] = rotate(conjugate(turned[:, 0]), on_the_spot(xyz[:, 1]) - spot[0])
    return replace(rigged, places=spot, camera=None)


def _camera_of(value: Capture | SkeletonMotion, options: ExportOptions) -> Camera | None:
    """Return the one camera that saw the motion; a motion that is moved or scaled is not what it saw."""
    is_moved = options.in_place or options.proportions == "template"
    return (
        value.cameras[0] if isinstance(value, Capture) and len(value.cameras) == 1 and not is_moved else None
    )


def motion_of(value: Exportable) -> SkeletonMotion:
    """Return the motion of a capture, or the motion itself.

    Raises:
        InvalidData: the motion is on bones that are not ours.
    """
    if isinstance(value, Rigged):
        raise InvalidData("a motion on bones of another rig must be brought onto our skeleton first")
    return value.motion if isinstance(value, Capture) else value


def with_rest_frame(rigged: Rigged) -> Rigged:
    """Return the motion with one frame of the rest pose before it, standing on the floor above the origin."""
    contacts = rigged.contacts
    if contacts is not None:
        contacts = np.concatenate([np.ones_like(contacts[:1]), contacts])
    return replace(
        rigged,
        rotations=make_continuous(np.concatenate([rigged.rest[None], rigged.rotations])),
        places={
            bone: np.concatenate([rigged.offsets[bone][None], place]) for bone, place in rigged.places.items()
        },
        contacts=contacts,
    )


def without_rest_axes(rigged: Rigged) -> Rigged:
    """Return the same motion on bones whose axes are the world's at rest, as formats without rest rotations need.

    Every bone begins where it did, in every frame and at rest.
    """
    _, axes = rigged.rest_world()
    above = axes[list(rigged.parents)]
    above[0] = (1.0, 0.0, 0.0, 0.0)
    turns = multiply(multiply(above, rigged.rotations), conjugate(axes))
    still = np.zeros_like(rigged.rest)
    still[:, 0] = 1.0
    return replace(
        rigged,
        offsets=rotate(above, rigged.offsets),
        rest=still,
        rotations=make_continuous(turns),
        places={bone: rotate(above[bone], place) for bone, place in rigged.places.items()},
        tips={bone: rotate(axes[bone], tip) for bone, tip in rigged.tips.items()},
    )


def z_up(rigged: Rigged) -> Rigged:
    """Return the same motion in a world with +Z up: a vector (x, y, z) becomes (x, -z, y).

    Who faced +Z then faces -Y. Only the first bone's turn and place change, in every frame and at rest.
    """
    turn = conjugate(from_matrix(Y_UP_FROM_Z_UP))
    rest, turns, offsets = rigged.rest.copy(), rigged.rotations.copy(), rigged.offsets.copy()
    rest[0], turns[:, 0] = multiply(turn, rest[0]), multiply(turn, turns[:, 0])
    offsets[0] = rotate(turn, offsets[0])
    places = dict(rigged.places) | {0: rotate(turn, rigged.places[0])}
    return replace(rigged, rest=rest, rotations=turns, offsets=offsets, places=places)


def _rate_of(value: Exportable) -> Fraction | float:
    """Return the motion's rate, exact where the clip tells it."""
    fps = motion_of(value).fps
    stated = value.clips[0].fps if isinstance(value, Capture) and value.clips else None
    return stated if stated is not None and abs(float(stated) / float(fps) - 1) < 1e-9 else exact_rate(fps)
