// The present frame, and what moves it: the film while it plays, or else the time that passes.

/** Return the player, which calls `tell` when the frame or its state changes. */
function makePlayer(take, film, tell) {
  const last = take.frames - 1;
  let frame = 0, isPlaying = false, isLooping = true, speed = 1;
  let began = { frame: 0, now: 0 }; // where the clock was set that runs without a film

  const setClock = (now = performance.now()) => (began = { frame, now });
  const seek = (wanted) => {
    frame = Math.min(last, Math.max(0, wanted));
    setClock();
    film.seek(frame);
    tell();
  };
  const play = (isOn) => {
    isPlaying = isOn;
    seek(isOn && frame >= last ? 0 : frame);
    if (isOn) film.play(speed);
    else film.pause();
  };
  /** Stop at a frame: who looks for one does not want it to run away. */
  const stopAt = (wanted) => {
    if (isPlaying) play(false);
    seek(wanted);
  };
  const setSpeed = (wanted) => {
    speed = wanted;
    setClock();
    film.setSpeed(speed);
    tell();
  };
  const setLooping = (isOn) => {
    isLooping = isOn;
    tell();
  };
  /** Bring the frame to this moment (ms). */
  const advance = (now) => {
    if (!isPlaying) return;
    const isFilmed = film.isRunning();
    const next = isFilmed ? film.frame() : began.frame + Math.floor(((now - began.now) / 1000) * speed * take.fps);
    if (!film.hasEnded() && next < last) {
      if (next !== frame) tell();
      frame = next;
      if (isFilmed) setClock(now);
    } else if (isLooping) {
      frame = last;
      play(true);
    } else {
      play(false);
      seek(last);
    }
  };
  const state = () => ({ frame, isPlaying, isLooping, speed });
  return { seek, play, stopAt, setSpeed, setLooping, advance, state };
}
