// The page: what the player, the stage, the film and the timeline show, and the buttons and keys for them.

const $ = (name) => document.getElementById(name);

/** Press the one button of a group that has this value. */
function press(group, key, value) {
  for (const button of $(group).children) button.setAttribute("aria-pressed", button.dataset[key] === String(value));
}

/** Put the video's picture behind the stage where the shot's camera has it, and cut the stage to it. */
function drawBackdrop(stage, film) {
  const back = $("backdrop"), ratio = Math.min(2, window.devicePixelRatio);
  const { left, top, width, height } = stage.box();
  const right = back.clientWidth - left - width, bottom = back.clientHeight - top - height;
  [back.width, back.height] = [back.clientWidth * ratio, back.clientHeight * ratio].map(Math.round);
  $("scene").style.clipPath = `inset(${top}px ${right}px ${bottom}px ${left}px)`;
  const pen = back.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillRect(left, top, width, height);
  if (film.isReady()) pen.drawImage(film.video, left, top, width, height);
}

/** Show the player's state beneath the timeline. */
function drawTransport(take, { frame, isPlaying, isLooping, speed }) {
  $("time").textContent = asTime(frame / take.fps, 2);
  $("count").textContent = `frame ${frame} of ${take.frames - 1}`;
  $("play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  $("play").classList.toggle("is-playing", isPlaying);
  $("loop").setAttribute("aria-pressed", isLooping);
  $("speed").value = String(speed);
}

/** Return the page's doings; `stage` is null where the browser cannot draw in 3D. */
function makeApp(take, stage) {
  const film = makeFilm(take);
  const player = makePlayer(take, film, () => (isStale = true));
  const timeline = makeTimeline($("timeline"), take, player.stopAt);
  let view = "follow", isStale = true;

  const setView = (wanted) => {
    view = wanted;
    press("views", "view", view);
    $("backdrop").hidden = view !== "shot";
    $("scene").classList.toggle("is-over", view === "shot");
    $("scene").style.clipPath = "none";
    stage?.choose(view, film.camera());
    isStale = true;
  };
  const setClip = (which) => {
    press("clips", "clip", which);
    film.choose(which);
    setView(view);
    player.play(player.state().isPlaying);
  };
  /** Draw again what is still drawn in an old size or colour. */
  const redraw = () => {
    timeline.resize();
    isStale = true;
  };
  const tick = (now) => {
    player.advance(now);
    const state = player.state();
    stage?.show(state.frame);
    const isDrawn = stage?.render();
    if (stage && view === "shot" && (isDrawn || isStale)) drawBackdrop(stage, film);
    if (isStale) {
      // The picture of a video that was sought comes later than the frame it is for.
      isStale = film.video.seeking;
      if (stage) film.trace(stage.joints(), state.frame, $("traced").checked);
      timeline.draw(state.frame);
      drawTransport(take, state);
    }
    requestAnimationFrame(tick);
  };
  const begin = () => {
    setView(view);
    redraw();
    player.seek(0);
    requestAnimationFrame(tick);
  };
  return { ...player, film, setView, setClip, redraw, begin };
}

/** Make a button for every camera, where there are several. */
function offerClips(app, take) {
  $("clips").hidden = take.cameras.length < 2;
  take.cameras.forEach((camera, which) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: camera.name });
    button.dataset.clip = which;
    button.addEventListener("click", () => app.setClip(which));
    $("clips").append(button);
  });
  press("clips", "clip", 0);
}

function listenToButtons(app, stage) {
  $("play").addEventListener("click", () => app.play(!app.state().isPlaying));
  $("back").addEventListener("click", () => app.stopAt(app.state().frame - 1));
  $("forward").addEventListener("click", () => app.stopAt(app.state().frame + 1));
  $("loop").addEventListener("click", () => app.setLooping(!app.state().isLooping));
  $("speed").addEventListener("change", () => app.setSpeed(Number($("speed").value)));
  $("traced").addEventListener("change", app.redraw);
  $("views").addEventListener("click", ({ target }) => target.dataset.view && app.setView(target.dataset.view));
  $("layers").addEventListener("click", ({ target }) => {
    if (!target.dataset.layer) return;
    const isOn = target.getAttribute("aria-pressed") !== "true";
    target.setAttribute("aria-pressed", isOn);
    stage?.setLayer(target.dataset.layer, isOn);
  });
}

function listenToKeys(app, take) {
  const go = (frames) => app.stopAt(app.state().frame + frames), second = Math.round(take.fps);
  const pace = (change) => {
    const speeds = [...$("speed").options].map((option) => Number(option.value));
    const place = speeds.indexOf(app.state().speed) + change;
    app.setSpeed(speeds[Math.min(speeds.length - 1, Math.max(0, place))]);
  };
  const keys = {
    " ": () => app.play(!app.state().isPlaying),
    ArrowLeft: (isFar) => go(isFar ? -second : -1),
    ArrowRight: (isFar) => go(isFar ? second : 1),
    ArrowUp: () => pace(1),
    ArrowDown: () => pace(-1),
    Home: () => app.seek(0),
    End: () => app.seek(take.frames - 1),
    1: () => app.setView("follow"),
    2: () => app.setView("orbit"),
    3: () => app.setView("shot"),
  };
  document.addEventListener("keydown", (event) => {
    const { tagName } = event.target;
    const isTheirs = /^(SELECT|INPUT|SUMMARY)$/.test(tagName) || (tagName === "BUTTON" && event.key === " ");
    if (!keys[event.key] || isTheirs || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key](event.shiftKey);
  });
}

function listenToWindow(app) {
  for (const place of [document.body, $("screen")]) new ResizeObserver(app.redraw).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", app.redraw);
  for (const moment of ["seeked", "loadeddata"]) app.film.video.addEventListener(moment, app.redraw);
}

function tellProblem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
}

/** The running page, for who looks into it from the console. */
let app = null, stage = null;

async function start() {
  try {
    const take = await readTake(JSON.parse($("data").textContent));
    try {
      stage = makeStage($("scene"), take);
    } catch (problem) {
      tellProblem(`This browser cannot draw in 3D (WebGL 2): ${problem.message}`);
    }
    app = makeApp(take, stage);
    offerClips(app, take);
    listenToButtons(app, stage);
    listenToKeys(app, take);
    listenToWindow(app);
    app.begin();
    document.documentElement.dataset.state = "ready";
  } catch (problem) {
    tellProblem(`The page cannot be shown; a newer browser may help: ${problem.message}`);
    throw problem;
  }
}

start();
