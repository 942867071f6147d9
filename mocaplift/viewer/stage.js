// The motion in 3D: body, skeleton and contacts on a floor, seen by a camera that the user moves, or by the shot's.

const STICK = 0.014, BALL = 0.02; // m, radii of bones and joints
const CALM = 0.6; // s, over which the path is averaged that the camera follows
const FLOOR = 24; // m, side of the floor; it goes with the person
const AIM_HEIGHT = 0.92, REACH = 1.3, FARTHEST = 6; // m: what views aim at, and how much around it they show
const RISE = 0.16; // of the view, per metre of distance
const FIELD = 36; // degrees
const ASIDE = 0.45; // rad, from where the shot's camera stands to where the first view is from

const FLOOR_SHADER = {
  vertexShader: `
    varying vec2 place;
    void main() {
      vec4 world = modelMatrix * vec4(position, 1.0);
      place = world.xz;
      gl_Position = projectionMatrix * viewMatrix * world;
    }`,
  fragmentShader: `
    varying vec2 place;
    uniform vec3 plain, line;
    uniform vec2 middle;
    uniform float opacity;
    float lines(vec2 at, float width) {
      vec2 step = fwidth(at);
      vec2 near = abs(fract(at - 0.5) - 0.5) / step;
      float sharp = 1.0 - smoothstep(0.15, 0.6, max(step.x, step.y));
      return sharp * (1.0 - min(min(near.x, near.y) / width, 1.0));
    }
    void main() {
      float far = length(place - middle);
      float drawn = max(lines(place, 1.5), 0.35 * lines(place * 4.0, 1.2) * (1.0 - smoothstep(1.5, 4.0, far)));
      float fade = 1.0 - smoothstep(3.0, 0.48 * ${FLOOR.toFixed(1)}, far);
      gl_FragColor = vec4(mix(plain, line, drawn), fade * mix(opacity, 1.0, drawn));
      #include <colorspace_fragment>
    }`,
};

/** Return the bones at rest, and their skeleton, whose rest is that of the body's surface. */
function makeBones(take) {
  const bones = take.joints.map((name, place) => {
    const bone = new THREE.Bone();
    bone.position.fromArray(take.offsets[place]);
    return bone;
  });
  take.parents.forEach((parent, place) => parent >= 0 && bones[parent].add(bones[place]));
  bones[0].updateMatrixWorld(true);
  return { bones, skeleton: new THREE.Skeleton(bones) };
}

/** Return the body's surface on the skeleton. */
function makeBody(take, skeleton) {
  const { vertices, triangles, joints, weights } = take.body;
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(vertices, 3));
  geometry.setAttribute("skinIndex", new THREE.BufferAttribute(Uint16Array.from(joints), 4));
  geometry.setAttribute("skinWeight", new THREE.BufferAttribute(weights, 4));
  geometry.setIndex(new THREE.BufferAttribute(Uint32Array.from(triangles), 1));
  geometry.computeVertexNormals();
  const body = new THREE.SkinnedMesh(geometry, new THREE.MeshStandardMaterial({ roughness: 0.72 }));
  body.bind(skeleton, new THREE.Matrix4());
  body.normalizeSkinWeights();
  body.castShadow = body.receiveShadow = true;
  body.frustumCulled = false;
  return body;
}

/** Return bones as sticks and joints as balls, drawn over the body, and a function that moves them. */
function makeSticks(take, bones) {
  const children = take.parents.flatMap((parent, place) => (parent >= 0 ? [place] : []));
  // Transparent ones are drawn last: with the depth cleared they show through the body, but hide one another.
  const material = new THREE.MeshStandardMaterial({ roughness: 0.5, transparent: true });
  const cone = new THREE.CylinderGeometry(0.45, 1, 1, 12);
  const sticks = new THREE.InstancedMesh(cone, material, children.length);
  const balls = new THREE.InstancedMesh(new THREE.SphereGeometry(1, 16, 12), material, bones.length);
  sticks.onBeforeRender = (renderer) => renderer.clearDepth();
  [sticks, balls].forEach((mesh, place) => {
    mesh.renderOrder = 10 + place;
    mesh.castShadow = true;
    mesh.frustumCulled = false;
  });
  const [from, to, along] = [0, 1, 2].map(() => new THREE.Vector3());
  const up = new THREE.Vector3(0, 1, 0), turn = new THREE.Quaternion(), matrix = new THREE.Matrix4();
  const still = new THREE.Quaternion(), size = new THREE.Vector3();
  const move = () => {
    children.forEach((child, place) => {
      from.setFromMatrixPosition(bones[take.parents[child]].matrixWorld);
      to.setFromMatrixPosition(bones[child].matrixWorld);
      along.subVectors(to, from);
      const length = along.length();
      turn.setFromUnitVectors(up, along.divideScalar(length || 1));
      matrix.compose(from.add(to).multiplyScalar(0.5), turn, size.set(STICK, length, STICK));
      sticks.setMatrixAt(place, matrix);
    });
    bones.forEach((bone, place) => {
      matrix.compose(from.setFromMatrixPosition(bone.matrixWorld), still, size.setScalar(BALL));
      balls.setMatrixAt(place, matrix);
    });
    sticks.instanceMatrix.needsUpdate = balls.instanceMatrix.needsUpdate = true;
  };
  const paint = () => {
    const colours = Object.fromEntries(
      ["left", "right", "middle"].map((side) => [side, new THREE.Color(colourOf(side))]));
    children.forEach((child, place) => sticks.setColorAt(place, colours[sideOf(take.joints[child])]));
    bones.forEach((bone, place) => balls.setColorAt(place, colours[sideOf(take.joints[place])]));
    sticks.instanceColor.needsUpdate = balls.instanceColor.needsUpdate = true;
  };
  const group = new THREE.Group();
  group.add(sticks, balls);
  return { group, move, paint };
}

/** Return discs on the floor below the points of the feet that are planted, and a function that moves them. */
function makeMarks(take, bones) {
  const group = new THREE.Group();
  const disc = new THREE.RingGeometry(0.06, 0.095, 40).rotateX(-Math.PI / 2);
  const material = new THREE.MeshBasicMaterial({ transparent: true, opacity: 0.95, depthWrite: false });
  const discs = take.marks.map(() => new THREE.Mesh(disc, material));
  discs.forEach((each) => (each.renderOrder = 4));
  group.add(...discs);
  const move = (frame) => take.marks.forEach((mark, place) => {
    discs[place].visible = isPlanted(take, frame, place);
    discs[place].position.fromArray(mark.place).applyMatrix4(bones[mark.bone].matrixWorld);
    discs[place].position.y = 0.003;
  });
  return { group, move, paint: () => material.color.set(colourOf("planted")) };
}

/** Return the path of the hips on the floor. */
function makeTrail(take) {
  const places = new Float32Array(take.root);
  for (let at = 1; at < places.length; at += 3) places[at] = 0.002;
  const geometry = new THREE.BufferGeometry().setAttribute("position", new THREE.BufferAttribute(places, 3));
  const trail = new THREE.Line(geometry, new THREE.LineBasicMaterial({ transparent: true, depthWrite: false }));
  trail.renderOrder = 3;
  trail.frustumCulled = false;
  return trail;
}

/** Return the floor with its lines and, above it, the shadow. */
function makeFloor() {
  const plane = new THREE.PlaneGeometry(FLOOR, FLOOR).rotateX(-Math.PI / 2);
  const uniforms = {
    plain: { value: new THREE.Color() }, line: { value: new THREE.Color() },
    middle: { value: new THREE.Vector2() }, opacity: { value: 1 },
  };
  const look = new THREE.ShaderMaterial({ ...FLOOR_SHADER, uniforms, transparent: true, depthWrite: false });
  const ground = new THREE.Mesh(plane, look);
  const shadow = new THREE.Mesh(plane, new THREE.ShadowMaterial({ opacity: 0.3, depthWrite: false }));
  shadow.receiveShadow = true;
  ground.renderOrder = 1;
  shadow.renderOrder = 2;
  const group = new THREE.Group();
  group.add(ground, shadow);
  const move = (x, z) => {
    group.position.set(x, 0, z);
    uniforms.middle.value.set(x, z);
  };
  const paint = () => {
    uniforms.plain.value.set(colourOf("floor"));
    uniforms.line.value.set(colourOf("grid"));
    shadow.material.opacity = Number(colourOf("shadow"));
  };
  return { group, move, paint, uniforms };
}

/** Return the light: from the sky and the floor, and a lamp that goes with the person and throws the shadow. */
function makeLight() {
  const sky = new THREE.HemisphereLight(0xffffff, 0x8a8f98, 1.7);
  const lamp = new THREE.DirectionalLight(0xffffff, 2.1);
  lamp.castShadow = true;
  lamp.shadow.mapSize.set(2048, 2048);
  lamp.shadow.radius = 4;
  lamp.shadow.normalBias = 0.02;
  Object.assign(lamp.shadow.camera, { left: -2.2, right: 2.2, top: 2.6, bottom: -2.2, near: 0.5, far: 12 });
  const group = new THREE.Group();
  group.add(sky, lamp, lamp.target);
  const move = (x, z) => {
    lamp.position.set(x + 1.6, 5, z + 2.2);
    lamp.target.position.set(x, 0.6, z);
  };
  return { group, move };
}

/** Return where the hips are over the floor, averaged in time so that a camera can follow them calmly. */
function calmPath(take) {
  const reach = Math.max(1, Math.round((CALM * take.fps) / 2));
  const sums = [[0, 0]];
  for (let frame = 0; frame < take.frames; frame++) {
    const [x, z] = sums[frame];
    sums.push([x + take.root[3 * frame], z + take.root[3 * frame + 2]]);
  }
  return (frame) => {
    const begin = Math.max(0, frame - reach), end = Math.min(take.frames, frame + reach + 1);
    return [0, 1].map((axis) => (sums[end][axis] - sums[begin][axis]) / (end - begin));
  };
}

/** Return the camera that a rig's camera is, which `frame` fits into a canvas; its lens is drawn without distortion. */
function makeShot() {
  const shot = new THREE.PerspectiveCamera();
  shot.matrixAutoUpdate = false;
  const fit = (camera, width, height) => {
    const [w, h] = camera.size, scale = Math.min(width / w, height / h);
    const box = { left: (width - w * scale) / 2, top: (height - h * scale) / 2, width: w * scale, height: h * scale };
    const [[fx, , cx], [, fy, cy]] = camera.intrinsics;
    // Rays through the edges of the canvas, in pixels of the picture: their centres are at integers.
    const across = (x) => ((x - box.left) / scale - 0.5 - cx) / fx;
    const down = (y) => ((y - box.top) / scale - 0.5 - cy) / fy;
    const near = 0.05;
    shot.projectionMatrix.makePerspective(
      near * across(0), near * across(width), -near * down(0), -near * down(height), near, 200);
    shot.projectionMatrixInverse.copy(shot.projectionMatrix).invert();
    const turned = new THREE.Matrix4().makeScale(1, -1, -1); // OpenCV looks along +z, y down
    shot.matrix.set(...camera.cam_from_world.flat()).invert().multiply(turned);
    shot.updateMatrixWorld(true);
    return box;
  };
  return { shot, fit };
}

/** Return the stage: `show` a frame, `render` if anything changed, choose a `view` and `layer`s. */
function makeStage(canvas, take) {
  const renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  renderer.shadowMap.enabled = true;
  renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
  const scene = new THREE.Scene();
  const { bones, skeleton } = makeBones(take);
  const body = makeBody(take, skeleton), sticks = makeSticks(take, bones), marks = makeMarks(take, bones);
  const trail = makeTrail(take), floor = makeFloor(), light = makeLight();
  scene.add(bones[0], body, sticks.group, marks.group, trail, floor.group, light.group);
  const layers = { body, skeleton: sticks.group, contacts: marks.group, trail };
  const path = calmPath(take);
  const own = new THREE.PerspectiveCamera(FIELD, 1, 0.05, 100);
  const controls = new THREE.OrbitControls(own, canvas);
  Object.assign(controls, { dampingFactor: 0.12, enableDamping: true, maxPolarAngle: 0.53 * Math.PI });
  Object.assign(controls, { minDistance: 0.6, maxDistance: 30, zoomToCursor: false });
  const { shot, fit } = makeShot();
  let view = "follow", camera = 0, shown = -1, isStale = true, box = null;

  let anchor = path(0);
  /** Go along with the person from the frame before: how the user moved the camera stays. */
  const follow = (frame) => {
    const before = anchor;
    anchor = path(frame);
    if (view !== "follow") return;
    for (const place of [own.position, controls.target]) {
      place.x += anchor[0] - before[0];
      place.z += anchor[1] - before[1];
    }
  };
  /** Look at a place of the floor from a direction (rad about +Y, 0 from +Z), far enough to see `reach` (m) around. */
  const stand = ([x, z], angle, reach) => {
    const aspect = canvas.clientWidth / canvas.clientHeight || 1;
    const back = reach / Math.tan((FIELD * Math.PI) / 360) / Math.min(1, aspect);
    controls.target.set(x, AIM_HEIGHT, z);
    own.position.set(x + back * Math.sin(angle), AIM_HEIGHT + RISE * back, z + back * Math.cos(angle));
    controls.update();
  };
  const direction = () => Math.atan2(own.position.x - controls.target.x, own.position.z - controls.target.z);
  const begin = () => {
    // From beside the shot's camera: what is on the video is then seen alike.
    const world = new THREE.Matrix4().set(...take.cameras[camera].cam_from_world.flat()).invert();
    const [x, z] = anchor, eye = new THREE.Vector3().setFromMatrixPosition(world);
    stand(anchor, Math.atan2(eye.x - x, eye.z - z) + ASIDE, REACH);
  };
  /** Look at all of the path from where the camera is. */
  const overlook = () => {
    const ends = [Infinity, -Infinity], [across, along] = [[...ends], [...ends]];
    for (let frame = 0; frame < take.frames; frame++) {
      path(frame).forEach((value, axis) => {
        const range = [across, along][axis];
        range[0] = Math.min(range[0], value);
        range[1] = Math.max(range[1], value);
      });
    }
    const middle = [across, along].map(([low, high]) => (low + high) / 2);
    const size = Math.hypot(across[1] - across[0], along[1] - along[0]);
    stand(middle, direction(), Math.min(FARTHEST, Math.max(REACH, size / 2)));
  };
  const show = (frame) => {
    if (frame === shown) return;
    shown = frame;
    bones.forEach((bone, place) => {
      const [w, x, y, z] = take.rotations.subarray(4 * (frame * bones.length + place));
      bone.quaternion.set(x, y, z, w).normalize();
    });
    bones[0].position.fromArray(take.root, 3 * frame);
    bones[0].updateMatrixWorld(true);
    sticks.move();
    marks.move(frame);
    follow(frame);
    floor.move(...anchor);
    light.move(...anchor);
    isStale = true;
  };
  const resize = () => {
    const { clientWidth: width, clientHeight: height } = canvas.parentElement;
    if (!width || !height) return;
    renderer.setSize(width, height, false);
    own.aspect = width / height;
    own.updateProjectionMatrix();
    box = fit(take.cameras[camera], width, height);
    isStale = true;
  };
  const choose = (wanted, which = camera) => {
    const isOther = wanted !== view;
    [view, camera] = [wanted, which];
    controls.enabled = view !== "shot";
    floor.uniforms.opacity.value = view === "shot" ? 0 : 1;
    if (isOther && view === "follow") stand(anchor, direction(), REACH);
    if (isOther && view === "orbit") overlook();
    resize();
  };
  const setLayer = (name, isOn) => {
    layers[name].visible = isOn;
    isStale = true;
  };
  const paint = () => {
    body.material.color.set(colourOf("body"));
    trail.material.color.set(colourOf("trail"));
    [sticks, marks, floor].forEach((each) => each.paint());
    isStale = true;
  };
  /** Return the camera that is looked through. */
  const eye = () => (view === "shot" ? shot : own);
  /** Draw if something changed, and return whether it did. */
  const render = () => {
    const isMoved = controls.enabled && controls.update();
    if (!isMoved && !isStale) return false;
    isStale = false;
    renderer.render(scene, eye());
    return true;
  };
  /** Return where the joints are (m) in the frame that is shown. */
  const joints = () => bones.map((bone) => new THREE.Vector3().setFromMatrixPosition(bone.matrixWorld));
  new ResizeObserver(resize).observe(canvas.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  setLayer("trail", false);
  resize();
  begin();
  paint();
  return { show, render, choose, setLayer, joints, eye, box: () => box };
}
