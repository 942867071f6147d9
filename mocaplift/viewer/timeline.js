// Time at the foot of the page: contacts of both feet, moments without sight, and the present frame to drag.

const MARGIN = 18, ROW = 11, GAP = 4, TOP = 7; // px
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600]; // s

/** Return the stretches of frames [begin, end) in which something holds. */
function stretches(frames, holds) {
  const found = [];
  let begin = -1;
  for (let frame = 0; frame <= frames; frame++) {
    const isOn = frame < frames && holds(frame);
    if (isOn && begin < 0) begin = frame;
    if (!isOn && begin >= 0) {
      found.push([begin, frame]);
      begin = -1;
    }
  }
  return found;
}

/** Return a moment (s) as minutes and seconds. */
function asTime(seconds, digits) {
  const minutes = Math.floor(seconds / 60), rest = (seconds - 60 * minutes).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}

/** Return the timeline, which calls `seek` with a frame when it is dragged. */
function makeTimeline(canvas, take, seek) {
  const feet = ["left", "right"].map((side) => ({
    side,
    stretches: stretches(take.frames, (frame) =>
      take.marks.some((mark, place) => sideOf(mark.name) === side && isPlanted(take, frame, place))),
  }));
  const views = take.cameras.length;
  const unseen = stretches(take.frames, (frame) =>
    !take.seen.subarray(frame * views, (frame + 1) * views).some((each) => each > 0));
  const last = Math.max(1, take.frames - 1), still = document.createElement("canvas");
  let width = 0, height = 0, ratio = 1;
  const across = (frame) => MARGIN + (frame / last) * (width - 2 * MARGIN);

  /** Draw everything but the present frame, once for each size. */
  const drawStill = () => {
    [still.width, still.height] = [width * ratio, height * ratio].map(Math.round);
    const pen = still.getContext("2d"), bottom = TOP + 2 * ROW + GAP;
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    feet.forEach(({ side, stretches: planted }, row) => {
      const top = TOP + row * (ROW + GAP);
      pen.fillStyle = colourOf("track");
      pen.fillRect(across(0), top, across(last) - across(0), ROW);
      pen.fillStyle = colourOf(side);
      pen.fillText(side === "left" ? "L" : "R", 4, top + ROW / 2 + 0.5);
      for (const [begin, end] of planted) {
        pen.fillRect(across(begin), top, Math.max(1, across(Math.min(end, last)) - across(begin)), ROW);
      }
    });
    pen.fillStyle = colourOf("unseen");
    for (const [begin, end] of unseen) {
      pen.fillRect(across(begin), TOP - 3, Math.max(1, across(Math.min(end, last)) - across(begin)), bottom - TOP + 6);
    }
    const seconds = last / take.fps, room = width - 2 * MARGIN;
    const tick = TICKS.find((each) => (each / seconds) * room > 54) ?? 60 * Math.ceil(seconds / 600);
    pen.fillStyle = colourOf("faint");
    for (let time = 0; time <= seconds + 1e-6; time += tick) {
      const x = across(time * take.fps);
      pen.fillRect(x, bottom + 3, 1, 4);
      pen.textAlign = x > width - MARGIN - 8 ? "right" : "center";
      pen.fillText(asTime(time, tick < 1 ? 1 : 0), x, bottom + 14);
    }
  };
  const draw = (frame) => {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (still.width) pen.drawImage(still, 0, 0);
    pen.scale(ratio, ratio);
    pen.fillStyle = colourOf("text");
    pen.fillRect(across(frame) - 1, 2, 2, TOP + 2 * ROW + GAP + 1);
    pen.beginPath();
    pen.arc(across(frame), 4, 4, 0, 2 * Math.PI);
    pen.fill();
    canvas.setAttribute("aria-valuenow", frame);
    canvas.setAttribute("aria-valuetext", asTime(frame / take.fps, 2));
  };
  const resize = () => {
    ({ clientWidth: width, clientHeight: height } = canvas);
    ratio = Math.min(2, window.devicePixelRatio);
    [canvas.width, canvas.height] = [width * ratio, height * ratio].map(Math.round);
    if (width && height) drawStill();
  };
  const drag = (event) => {
    const share = (event.offsetX - MARGIN) / (width - 2 * MARGIN);
    seek(Math.round(Math.min(1, Math.max(0, share)) * (take.frames - 1)));
  };
  canvas.setAttribute("aria-valuemax", take.frames - 1);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && drag(event));
  return { draw, resize };
}
