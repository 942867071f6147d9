"""Small recordings in CMU's formats, made up here: skeletons of round numbers, a few moving joints."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np

# Joint: parent, offset (cm). The names are those of CMU's BVH files, the lengths are not.
DAZ = {
    "hip": (None, (0, 0, 0)), "abdomen": ("hip", (0, 20, 0)), "chest": ("abdomen", (0, 12, 0)),
    "neck": ("chest", (0, 22, 0)), "head": ("neck", (0, 8, 0)),
    "rCollar": ("chest", (-3, 19, 0)), "rShldr": ("rCollar", (-9, 0, 0)), "rForeArm": ("rShldr", (-28, 0, 0)),
    "rHand": ("rForeArm", (-23, 0, 0)),
    "lCollar": ("chest", (3, 19, 0)), "lShldr": ("lCollar", (9, 0, 0)), "lForeArm": ("lShldr", (28, 0, 0)),
    "lHand": ("lForeArm", (23, 0, 0)),
    "rThigh": ("hip", (-9, 0, 0)), "rShin": ("rThigh", (0, -40, 0)), "rFoot": ("rShin", (0, -40, 0)),
    "lThigh": ("hip", (9, 0, 0)), "lShin": ("lThigh", (0, -40, 0)), "lFoot": ("lShin", (0, -40, 0)),
}  # fmt: skip
ROOT_HEIGHT = 85.0  # cm


def daz_bvh(frames: int, moves: dict[tuple[str, str], np.ndarray], frame_time: float = 1 / 120) -> str:
    """Return a BVH text; `moves` gives the curve (degrees, or cm of the hip) of a (joint, channel)."""
    lines, order = ["HIERARCHY"], []

    def write(joint: str, depth: int) -> None:
        pad = "  " * depth
        order.append(joint)
        root = depth == 0
        lines.append(f"{pad}{'ROOT' if root else 'JOINT'} {joint}\n{pad}{{")
        lines.append(f"{pad}  OFFSET {' '.join(str(x) for x in DAZ[joint][1])}")
        turns = "Zrotation Yrotation Xrotation" if root else "Zrotation Xrotation Yrotation"
        lines.append(f"{pad}  CHANNELS " + ("6 Xposition Yposition Zposition " if root else "3 ") + turns)
        children = [name for name, (parent, _) in DAZ.items() if parent == joint]
        for child in children:
            write(child, depth + 1)
        if not children:
            end = "0 -4 12" if joint.endswith("Foot") else "1 0 0"
            lines.append(f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET {end}\n{pad}  }}")
        lines.append(f"{pad}}}")

    write("hip", 0)
    columns = []
    for joint in order:
        channels = ["Zrotation", "Xrotation", "Yrotation"]
        if joint == "hip":
            channels = ["Xposition", "Yposition", "Zposition", "Zrotation", "Yrotation", "Xrotation"]
        for channel in channels:
            default = np.full(frames, ROOT_HEIGHT if channel == "Yposition" else 0.0)
            columns.append(moves.get((joint, channel), default))
    rows = "\n".join(" ".join(f"{x:.6f}" for x in row) for row in np.stack(columns, axis=1))
    return "\n".join(lines) + f"\nMOTION\nFrames: {frames}\nFrame Time: {frame_time:.8f}\n{rows}\n"


ASF = """:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
{bones}
:hierarchy
  begin
    root lhipjoint rhipjoint lowerback
    lhipjoint lfemur
    lfemur ltibia
    ltibia lfoot
    lfoot ltoes
    rhipjoint rfemur
    rfemur rtibia
    rtibia rfoot
    rfoot rtoes
    lowerback upperback
    upperback thorax
    thorax lowerneck lclavicle rclavicle
    lowerneck head
    lclavicle lhumerus
    lhumerus lradius
    lradius lhand
    rclavicle rhumerus
    rhumerus rradius
    rradius rhand
  end
"""
# Bone: direction, length, axis, degrees of freedom; the right side is the mirror image.
ASF_MIDDLE = dict.fromkeys(
    ("lowerback", "upperback", "thorax", "lowerneck", "head"), ((0, 1, 0), 2.0, (0, 0, 0), "rx ry rz")
)
ASF_LEFT = {
    "hipjoint": ((0.6, -0.8, 0.0), 2.0, (0, 0, 0), ""),
    "femur": ((0.34202, -0.939693, 0), 7.0, (0, 0, 20), "rx ry rz"),
    "tibia": ((0.34202, -0.939693, 0), 7.0, (0, 0, 20), "rx"),
    "foot": ((0.085505, -0.234923, 0.968246), 2.0, (-90, 0, 20), "rx rz"),
    "toes": ((0, 0, 1), 1.0, (-90, 0, 20), "rx"),
    "clavicle": ((1, 0.25, 0), 3.0, (0, 0, 0), "ry rz"),
    "humerus": ((1, 0, 0), 5.0, (180, -30, -90), "rx ry rz"),
    "radius": ((1, 0, 0), 4.0, (180, -30, -90), "rx"),
    "hand": ((1, 0, 0), 1.0, (0, 90, 90), "rx rz"),
}


def asf_skeleton() -> str:
    """Return an ASF text with the names, axes and degrees of freedom of CMU's, and lengths of our own."""
    bones = dict(ASF_MIDDLE)
    for name, (direction, length, axis, dof) in ASF_LEFT.items():
        bones["l" + name] = (direction, length, axis, dof)
        mirrored = (axis[0], -axis[1], -axis[2])
        bones["r" + name] = ((-direction[0], *direction[1:]), length, mirrored, dof)
    blocks = [
        f"  begin\n    id {number}\n    name {name}\n    direction {d[0]} {d[1]} {d[2]}\n    length {length}\n"
        f"    axis {a[0]} {a[1]} {a[2]} XYZ\n" + (f"    dof {dof}\n" if dof else "") + "  end"
        for number, (name, (d, length, a, dof)) in enumerate(bones.items(), start=1)
    ]
    return ASF.format(bones="\n".join(blocks))


def amc(frames: int, moves: dict[str, list[float]]) -> str:
    """Return an AMC text of a pose held for some frames; `moves` gives a bone's angles in degrees."""
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    dofs = {name: dof for name, (*_, dof) in ASF_MIDDLE.items()}
    dofs |= {side + name: dof for side in "lr" for name, (*_, dof) in ASF_LEFT.items()}
    for frame in range(1, frames + 1):
        lines.append(str(frame))
        lines.append("root 0 17 0 " + " ".join(str(x) for x in moves.get("root", [0, 0, 0])))
        for name, dof in dofs.items():
            if dof:
                lines.append(name + " " + " ".join(str(x) for x in moves.get(name, [0.0] * len(dof.split()))))
    return "\n".join(lines) + "\n"


def write_archives(folder: Path, takes: dict[str, str], asf_takes: dict[str, str] | None = None) -> None:
    """Write the three archives of CMU motions and the table of rates into a folder.

    `takes` maps a member's name, such as `dance_martial/salsa/01.bvh`, to its text.
    """
    for archive in ("everyday", "dance_martial"):
        members = {name: text for name, text in takes.items() if name.startswith(archive)}
        _write_tar(folder / f"{archive}.tar.xz", members)
    _write_tar(folder / "asfamc.tar.xz", asf_takes or {})
    rows = ['"Subject","Trial #","Motion Description","framerate","Frames 60fps","Status","Worked on by"']
    rows += [
        '60,1,"salsa dance",60,,,',
        '61,1,"salsa dance",60,,,',
        '7,1,"walk",120,,,',
        '1,1,"climb",120,,,',
    ]
    (folder / "CMU_data_framerate.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_tar(path: Path, members: dict[str, str]) -> None:
    with tarfile.open(path, "w:xz") as tar:
        for name, text in members.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
