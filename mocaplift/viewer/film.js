// The video beside the motion: played and sought in step with it, the skeleton drawn over it.

/** Return the film: it plays, and is then the clock, or is sought to a frame. */
function makeFilm(take) {
  const video = document.getElementById("video"), drawn = document.getElementById("drawn");
  const screen = document.getElementById("screen"), note = document.getElementById("note");
  const addresses = take.films.map(() => null);
  let camera = 0, presented = 0, wanted = null;

  const tell = (text) => {
    note.textContent = text;
    note.hidden = !text;
  };
  const has = () => take.films[camera] && !video.error;
  const isReady = () => has() && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  /** Return the address of a camera's film, which the browser holds decoded from its text. */
  const addressOf = (which) => {
    if (!addresses[which]) {
      const held = document.getElementById(`film-${which}`);
      addresses[which] = URL.createObjectURL(new Blob([bytesOf(held.textContent)], { type: "video/mp4" }));
      held.remove();
    }
    return addresses[which];
  };
  const choose = (which) => {
    camera = which;
    const [width, height] = take.cameras[which].size;
    screen.style.aspectRatio = `${width} / ${height}`;
    screen.style.setProperty("--shape", width / height);
    tell(take.films[which] ? "" : "The take is too long for its video to be held in this page.");
    video.hidden = !take.films[which];
    if (take.films[which]) video.src = addressOf(which);
  };
  /** Go to a frame; while the browser is still on its way to another one, only the last wish counts. */
  const seek = (frame) => {
    if (!has()) return;
    // The middle of the frame, so that no rounding shows its neighbour.
    wanted = (frame + 0.5) / take.fps;
    if (!video.seeking) follow();
  };
  const follow = () => {
    if (wanted === null || video.readyState < HTMLMediaElement.HAVE_METADATA) return;
    presented = video.currentTime = wanted;
    wanted = null;
  };
  const setSpeed = (speed) => (video.playbackRate = speed);
  const play = async (speed) => {
    if (!has()) return;
    setSpeed(speed);
    try {
      await video.play();
    } catch (problem) {
      if (problem.name !== "AbortError") tell(`The browser does not play the video (${problem.message}).`);
    }
  };
  /** Return the frame on the screen while the video plays. */
  const frame = () => {
    const time = video.requestVideoFrameCallback ? presented : video.currentTime;
    return Math.min(take.frames - 1, Math.floor(time * take.fps + 0.01));
  };
  const listen = () => video.requestVideoFrameCallback((now, { mediaTime }) => {
    if (!video.paused) presented = mediaTime;
    listen();
  });
  if (video.requestVideoFrameCallback) listen();
  video.addEventListener("seeked", follow);
  video.addEventListener("loadedmetadata", follow);
  video.addEventListener("error", () => tell("This browser cannot play the video (H.264)."));

  /** Draw the skeleton where the camera sees it, and the planted feet. */
  const trace = (joints, frameShown, isOn) => {
    const ratio = Math.min(2, window.devicePixelRatio), { clientWidth, clientHeight } = drawn;
    if (!clientWidth || !clientHeight) return;
    [drawn.width, drawn.height] = [clientWidth * ratio, clientHeight * ratio].map(Math.round);
    if (!isOn) return;
    const pen = drawn.getContext("2d"), own = take.cameras[camera];
    const scale = drawn.width / own.size[0], unit = Math.max(1, drawn.width / 420);
    const places = joints.map((joint) => project(own, joint)?.map((value) => (value + 0.5) * scale));
    pen.lineCap = "round";
    take.marks.forEach((mark, place) => {
      if (!isPlanted(take, frameShown, place) || !places[mark.bone]) return;
      pen.fillStyle = colourOf("planted");
      pen.beginPath();
      pen.arc(...places[mark.bone], 4.5 * unit, 0, 2 * Math.PI);
      pen.fill();
    });
    for (const [width, isRim] of [[3.6, true], [1.8, false]]) {
      take.parents.forEach((parent, child) => {
        if (parent < 0 || !places[parent] || !places[child]) return;
        pen.strokeStyle = isRim ? "rgb(0 0 0 / .6)" : colourOf(`${sideOf(take.joints[child])}-on-film`);
        pen.lineWidth = width * unit;
        pen.beginPath();
        pen.moveTo(...places[parent]);
        pen.lineTo(...places[child]);
        pen.stroke();
      });
    }
  };
  choose(0);
  return {
    video, choose, seek, play, setSpeed, frame, isReady, trace,
    pause: () => video.pause(),
    isRunning: () => isReady() && !video.paused,
    hasEnded: () => video.ended,
    camera: () => camera,
  };
}
