"use strict";
// The take: its numbers unpacked, and where a camera sees a point.

const LITTLE = 1e-3; // m, nearer to the camera nothing is drawn

/** Return the bytes that a text in base64 stands for. */
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const coded = atob(text), bytes = new Uint8Array(coded.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = coded.charCodeAt(at);
  return bytes;
}

/** Return the numbers that packing.py packed, in one flat array. */
async function unpack(packed) {
  const stream = new Blob([bytesOf(packed.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = bytes.length / 4, rows = packed.shape[0], channels = count / rows;
  const values = new Float32Array(count);
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const at = channel * rows + row;
      const folded =
        bytes[at] + 2 ** 8 * bytes[at + count] + 2 ** 16 * bytes[at + 2 * count] + 2 ** 24 * bytes[at + 3 * count];
      sum += folded % 2 ? -(folded + 1) / 2 : folded / 2;
      values[row * channels + channel] = sum * packed.unit;
    }
  }
  return values;
}

/** Return the take with every packed array unpacked. */
async function readTake(data) {
  const [rotations, root, contacts, seen] = await Promise.all(
    [data.rotations, data.root, data.contacts, data.seen].map(unpack));
  const names = Object.keys(data.body);
  const arrays = await Promise.all(names.map((name) => unpack(data.body[name])));
  const body = Object.fromEntries(names.map((name, place) => [name, arrays[place]]));
  return { ...data, rotations, root, contacts, seen, body };
}

/** Return whether a point of the feet is on the floor in a frame. */
function isPlanted(take, frame, mark) {
  return take.contacts[frame * take.marks.length + mark] > 0;
}

/** Return the pixel where a camera sees a point of the world (m), or null if it lies behind. */
function project(camera, { x, y, z }) {
  const [ax, ay, az] = camera.cam_from_world.map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
  if (az < LITTLE) return null;
  const u = ax / az, v = ay / az, square = u * u + v * v;
  const [k1, k2, p1, p2, k3] = camera.distortion;
  const radial = 1 + square * (k1 + square * (k2 + square * k3));
  const du = u * radial + 2 * p1 * u * v + p2 * (square + 2 * u * u);
  const dv = v * radial + p1 * (square + 2 * v * v) + 2 * p2 * u * v;
  const [across, down] = camera.intrinsics;
  return [across[0] * du + across[1] * dv + across[2], down[1] * dv + down[2]];
}

/** Return the kind of a joint, which is its colour: "left", "right" or "middle". */
function sideOf(joint) {
  return joint?.startsWith("left_") ? "left" : joint?.startsWith("right_") ? "right" : "middle";
}

/** Return a colour of the style sheet, which knows light and dark. */
function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
