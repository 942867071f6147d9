// What stage.js uses of three.js: esbuild leaves out the rest. README.md has the command.
export {
  Bone, BufferAttribute, BufferGeometry, Color, CylinderGeometry, DirectionalLight, Group, HemisphereLight,
  InstancedMesh, Line, LineBasicMaterial, Matrix4, Mesh, MeshBasicMaterial, MeshStandardMaterial, PerspectiveCamera,
  PlaneGeometry, Quaternion, RingGeometry, Scene, ShaderMaterial, ShadowMaterial, Skeleton, SkinnedMesh,
  SphereGeometry, Vector2, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
