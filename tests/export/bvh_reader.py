"""A reader of BVH that shares nothing with the writer: text to world positions, by matrices."""

import numpy as np


def _turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rows = {"X": [[1, 0, 0], [0, c, -s], [0, s, c]], "Y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "Z": [[c, -s, 0], [s, c, 0], [0, 0, 1]]}  # fmt: skip
    return np.array(rows[axis])


def read(text: str) -> tuple[list[dict], float, np.ndarray]:
    """Return the nodes in file order, the seconds per frame, and the table of numbers."""
    head, motion = text.split("MOTION\n")
    nodes, stack = [], []
    for words in (line.split() for line in head.splitlines()):
        if words[0] in ("ROOT", "JOINT", "End"):
            nodes.append({"name": words[1], "parent": stack[-1] if stack else None, "channels": []})
        elif words[0] == "{":
            stack.append(len(nodes) - 1)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET":
            nodes[-1]["offset"] = np.array(words[1:], dtype=float)
        elif words[0] == "CHANNELS":
            nodes[-1]["channels"] = words[2:]
    lines = motion.splitlines()
    table = np.array([line.split() for line in lines[2:]], dtype=float)
    assert lines[0] == f"Frames: {len(table)}"
    assert lines[1].split(":")[0] == "Frame Time"
    return nodes, float(lines[1].split(":")[1]), table


def positions(nodes: list[dict], row: np.ndarray) -> dict[str, np.ndarray]:
    """Return where every joint and end site of one frame is, in the file's units."""
    numbers, places, turns, found = iter(row), [], [], {}
    for node in nodes:
        offset, turn = node["offset"].copy(), np.eye(3)
        for channel in node["channels"]:
            if channel.endswith("position"):
                offset["XYZ".index(channel[0])] += next(numbers)
            else:
                turn = turn @ _turn(channel[0], next(numbers))
        above = node["parent"]
        places.append(offset if above is None else places[above] + turns[above] @ offset)
        turns.append(turn if above is None else turns[above] @ turn)
        found[node["name"] if node["channels"] else f"{nodes[above]['name']} end"] = places[-1]
    assert next(numbers, None) is None
    return found
