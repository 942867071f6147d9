// The page: one present frame, which stage, film and timeline show, and the buttons and keys that change it.

const $ = (name) => document.getElementById(name);

/** Press the one button of a group that has this value. */
function press(group, key, value) {
  for (const button of $(group).children) button.setAttribute("aria-pressed", button.dataset[key] === String(value));
}

function makeApp(take, stage) {
  const film = makeFilm(take);
  let frame = 0, isPlaying = false, isLooping = true, speed = 1, view = "follow", isFresh = true;
  let began = { frame: 0, now: 0 };

  const seek = (wanted) => {
    frame = Math.min(take.frames - 1, Math.max(0, wanted));
    began = { frame, now: performance.now() };
    film.seek(frame);
    isFresh = true;
  };
  const play = (isOn) => {
    isPlaying = isOn;
    $("play").setAttribute("aria-label", isOn ? "Pause" : "Play");
    $("play").classList.toggle("is-playing", isOn);
    if (isOn && frame >= take.frames - 1) frame = 0;
    seek(frame);
    if (isOn) film.play(speed);
    else film.pause();
  };
  const step = (frames) => {
    if (isPlaying) play(false);
    seek(frame + frames);
  };
  const setSpeed = (wanted) => {
    speed = wanted;
    $("speed").value = String(wanted);
    began = { frame, now: performance.now() };
    film.video.playbackRate = speed;
  };
  const nextSpeed = (change) => {
    const speeds = [...$("speed").options].map((option) => Number(option.value));
    const place = Math.min(speeds.length - 1, Math.max(0, speeds.indexOf(speed) + change));
    setSpeed(speeds[place]);
  };
  const setView = (wanted) => {
    view = wanted;
    press("views", "view", view);
    $("backdrop").hidden = view !== "shot";
    $("scene").classList.toggle("is-over", view === "shot");
    $("scene").style.clipPath = "none";
    stage?.choose(view, film.camera());
    isFresh = true;
  };
  const setClip = (which) => {
    press("clips", "clip", which);
    film.choose(which);
    setView(view);
    play(isPlaying);
  };
  /** Go on with the film as the clock, or without one by the time that has passed. */
  const advance = (now) => {
    const played = began.frame + ((now - began.now) / 1000) * speed * take.fps;
    const isFilmed = film.isReady() && !film.video.paused;
    const next = isFilmed ? film.frame() : Math.floor(played);
    const isOver = film.video.ended || next >= take.frames - 1;
    if (!isOver) {
      if (next !== frame) isFresh = true;
      if (isFilmed) began = { frame: next, now };
      frame = next;
    } else if (isLooping) {
      frame = 0;
      play(true);
    } else {
      play(false);
      seek(take.frames - 1);
    }
  };
  /** Put the video's picture behind the stage where the shot's camera has it. */
  const drawBackdrop = () => {
    const back = $("backdrop"), box = stage.box(), ratio = Math.min(2, window.devicePixelRatio);
    [back.width, back.height] = [back.clientWidth * ratio, back.clientHeight * ratio].map(Math.round);
    const place = [box.left, box.top, box.width, box.height].map((value) => value * ratio);
    const pen = back.getContext("2d");
    const [right, bottom] = [back.clientWidth - box.left - box.width, back.clientHeight - box.top - box.height];
    $("scene").style.clipPath = `inset(${box.top}px ${right}px ${bottom}px ${box.left}px)`;
    pen.fillStyle = "#000";
    pen.fillRect(...place);
    if (film.isReady()) pen.drawImage(film.video, ...place);
  };
  const tick = (now) => {
    if (isPlaying) advance(now);
    stage?.show(frame);
    const isDrawn = stage?.render();
    // The picture of a video that was sought comes later than the frame it is for.
    if (stage && view === "shot" && (isDrawn || isFresh || film.video.seeking)) drawBackdrop();
    if (isFresh) {
      isFresh = film.video.seeking;
      if (stage) film.trace(stage.joints(), frame, $("traced").checked);
      timeline.draw(frame);
      $("time").textContent = asTime(frame / take.fps, 2);
      $("count").textContent = `frame ${frame} of ${take.frames - 1}`;
    }
    requestAnimationFrame(tick);
  };
  const keys = {
    " ": () => play(!isPlaying),
    ArrowLeft: (isFar) => step(isFar ? -Math.round(take.fps) : -1),
    ArrowRight: (isFar) => step(isFar ? Math.round(take.fps) : 1),
    ArrowUp: () => nextSpeed(1),
    ArrowDown: () => nextSpeed(-1),
    Home: () => seek(0),
    End: () => seek(take.frames - 1),
    1: () => setView("follow"),
    2: () => setView("orbit"),
    3: () => setView("shot"),
  };
  const timeline = makeTimeline($("timeline"), take, (wanted) => {
    if (isPlaying) play(false);
    seek(wanted);
  });

  const listen = () => {
    $("play").addEventListener("click", () => play(!isPlaying));
    $("back").addEventListener("click", () => step(-1));
    $("forward").addEventListener("click", () => step(1));
    $("loop").addEventListener("click", () => {
      isLooping = !isLooping;
      $("loop").setAttribute("aria-pressed", isLooping);
    });
    $("speed").addEventListener("change", () => setSpeed(Number($("speed").value)));
    $("traced").addEventListener("change", () => (isFresh = true));
    $("views").addEventListener("click", ({ target }) => target.dataset.view && setView(target.dataset.view));
    $("layers").addEventListener("click", ({ target }) => {
      if (!target.dataset.layer) return;
      const isOn = target.getAttribute("aria-pressed") !== "true";
      target.setAttribute("aria-pressed", isOn);
      stage?.setLayer(target.dataset.layer, isOn);
    });
    document.addEventListener("keydown", (event) => {
      const isElsewhere = /^(SELECT|INPUT|SUMMARY)$/.test(event.target.tagName);
      const isButton = event.target.tagName === "BUTTON" && event.key === " ";
      if (!keys[event.key] || isElsewhere || isButton || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key](event.shiftKey);
    });
    // Canvases keep their old size and colours until they are drawn again.
    const redraw = () => {
      timeline.resize();
      isFresh = true;
    };
    new ResizeObserver(redraw).observe(document.body);
    new ResizeObserver(redraw).observe($("screen"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    film.video.addEventListener("seeked", () => (isFresh = true));
    film.video.addEventListener("loadeddata", () => (isFresh = true));
  };
  const offerClips = () => {
    $("clips").hidden = take.cameras.length < 2;
    take.cameras.forEach((camera, which) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: camera.name });
      button.dataset.clip = which;
      button.addEventListener("click", () => setClip(which));
      $("clips").append(button);
    });
    press("clips", "clip", 0);
  };
  offerClips();
  listen();
  setView("follow");
  timeline.resize();
  seek(0);
  requestAnimationFrame(tick);
  return { seek, play, setView, setClip, frame: () => frame };
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
    document.documentElement.dataset.state = "ready";
  } catch (problem) {
    tellProblem(`The page cannot be shown; a newer browser may help: ${problem.message}`);
    throw problem;
  }
}

function tellProblem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
}

start();
