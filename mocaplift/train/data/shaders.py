"""The GLSL programs of the renderer: the place, the shadows on its floor, and the people in it.

All of them use OpenCV's camera directly: a world point goes to pixels with the camera's own intrinsics and
distortion, and pixels to the clip cube by x = 2 (u + 0.5) / width - 1, y = 2 (v + 0.5) / height - 1. Row 0 of
the frame buffer is therefore the top row of the picture, and nothing is flipped afterwards.
"""

# Noise: values at the corners of unit cells, hashed from the cell's integers, joined by smooth interpolation.
_NOISE = """
float corner(ivec3 cell) {
    uvec3 c = uvec3(cell + ivec3(40000));
    uint h = c.x * 1664525u ^ c.y * 2654435761u ^ c.z * 805459861u;
    h ^= h >> 15; h *= 2246822519u; h ^= h >> 13; h *= 3266489917u; h ^= h >> 16;
    return float(h & 0xffffu) / 65535.0;
}
float noise(vec3 p) {
    ivec3 c = ivec3(floor(p));
    vec3 f = p - floor(p);
    f = f * f * (3.0 - 2.0 * f);
    float low = mix(mix(corner(c), corner(c + ivec3(1, 0, 0)), f.x),
                    mix(corner(c + ivec3(0, 1, 0)), corner(c + ivec3(1, 1, 0)), f.x), f.y);
    float high = mix(mix(corner(c + ivec3(0, 0, 1)), corner(c + ivec3(1, 0, 1)), f.x),
                     mix(corner(c + ivec3(0, 1, 1)), corner(c + ivec3(1, 1, 1)), f.x), f.y);
    return mix(low, high, f.z);
}
float rough(vec3 p) { return 0.55 * noise(p) + 0.3 * noise(2.1 * p) + 0.15 * noise(4.3 * p); }
"""

_CAMERA = """
uniform mat3 intrinsics;     // pixels
uniform float lens[5];       // k1 k2 p1 p2 k3
uniform mat4 cam_from_world;
uniform vec2 size;           // width, height in pixels
vec2 bent(vec2 p) {
    float r2 = dot(p, p);
    float radial = 1.0 + r2 * (lens[0] + r2 * (lens[1] + r2 * lens[4]));
    return p * radial + vec2(2.0 * lens[2] * p.x * p.y + lens[3] * (r2 + 2.0 * p.x * p.x),
                             lens[2] * (r2 + 2.0 * p.y * p.y) + 2.0 * lens[3] * p.x * p.y);
}
"""

# How much of the sun reaches a world point: 1 = all. `spread` is the penumbra in texels.
_SUNLIGHT = """
uniform sampler2D shadow_map;
uniform mat4 light_from_world;
uniform float spread;
float sunlight(vec3 world, float bias) {
    vec3 p = (light_from_world * vec4(world, 1.0)).xyz * 0.5 + 0.5;
    if (any(lessThan(p.xy, vec2(0.0))) || any(greaterThan(p.xy, vec2(1.0)))) return 1.0;
    vec2 texel = spread / vec2(textureSize(shadow_map, 0));
    float lit = 0.0;
    for (int i = -1; i <= 2; i++)
        for (int j = -1; j <= 2; j++)
            lit += step(p.z - bias, texture(shadow_map, p.xy + (vec2(i, j) - 0.5) * texel).r);
    return lit / 16.0;
}
"""

# A triangle that covers the picture.
SCREEN_VERTEX = """
#version 330
const vec2 corners[3] = vec2[3](vec2(-1.0, -1.0), vec2(3.0, -1.0), vec2(-1.0, 3.0));
void main() { gl_Position = vec4(corners[gl_VertexID], 0.0, 1.0); }
"""

# The place without people, four samples a pixel; and where each pixel's ray meets the floor.
PLACE_FRAGMENT = (
    """
#version 330
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 ground;   // x, z of the floor point, and 1 where the floor is what is seen
uniform bool is_room;
uniform vec3 room_low, room_high;       // corners of the room, metres
uniform vec3 wall_colour, wall_colour_2, ceiling_colour, floor_colour, floor_colour_2, sky_low, sky_high;
uniform vec3 far_colour;
uniform int floor_kind;                 // 0 planks, 1 tiles, 2 carpet or lawn, 3 concrete
uniform float floor_scale, seed, wall_stripe;
uniform int num_panels;
uniform vec4 panel_box[12];             // along the wall and up: low corner, high corner, metres
uniform vec4 panel_look[12];            // colour, and which wall: 0 x low, 1 x high, 2 z low, 3 z high
"""
    + _CAMERA
    + _NOISE
    + """
vec2 straight(vec2 p) {                 // inverse of bent, by fixed-point steps
    vec2 q = p;
    for (int i = 0; i < 12; i++) q += p - bent(q);
    return q;
}
vec3 ray(vec2 pixel) {
    vec2 p = (pixel - vec2(intrinsics[2][0], intrinsics[2][1])) / vec2(intrinsics[0][0], intrinsics[1][1]);
    p = straight(p);
    return normalize(transpose(mat3(cam_from_world)) * vec3(p, 1.0));
}
vec3 floor_look(vec2 p, float far) {
    float fade = exp(-0.09 * far);      // details blur away with distance instead of flickering
    vec3 q = vec3(p * floor_scale, seed);
    float grain = rough(vec3(q.x * 9.0, q.y * 9.0, seed)) - 0.5;
    if (floor_kind == 0) {
        float row = floor(q.x * 6.0);
        float along = q.y * 0.9 + 7.31 * corner(ivec3(int(row), 3, int(seed)));
        float plank = corner(ivec3(int(row), int(floor(along)), int(seed)));
        float gap = smoothstep(0.0, 0.03, min(fract(q.x * 6.0), 1.0 - fract(q.x * 6.0)))
                  * smoothstep(0.0, 0.006, min(fract(along), 1.0 - fract(along)));
        float fibre = rough(vec3(q.x * 60.0, q.y * 4.0, plank * 20.0)) - 0.5;
        vec3 wood = mix(floor_colour, floor_colour_2, plank) * (1.0 + fade * 0.35 * fibre);
        return wood * mix(1.0 - 0.45 * fade, 1.0, gap);
    }
    if (floor_kind == 1) {
        vec2 cell = floor(q.xy * 2.0), f = fract(q.xy * 2.0);
        float checker = mod(cell.x + cell.y, 2.0);
        float seam = smoothstep(0.0, 0.02, min(min(f.x, 1.0 - f.x), min(f.y, 1.0 - f.y)));
        vec3 tile = mix(floor_colour, floor_colour_2, checker) * (1.0 + 0.2 * fade * grain);
        return tile * mix(1.0 - 0.3 * fade, 1.0, seam);
    }
    if (floor_kind == 2) {
        float tuft = rough(vec3(q.x * 35.0, q.y * 35.0, seed + 5.0)) - 0.5;
        vec3 pile = mix(floor_colour, floor_colour_2, rough(vec3(q.xy * 1.3, seed)));
        return pile * (1.0 + fade * (0.5 * tuft + 0.2 * grain));
    }
    return mix(floor_colour, floor_colour_2, rough(vec3(q.xy * 0.8, seed))) * (1.0 + 0.25 * fade * grain);
}
vec3 wall_look(float along, float up, int wall) {
    vec3 look = mix(wall_colour, wall_colour_2, wall_stripe * step(0.5, fract(along * 2.5)));
    look *= 0.94 + 0.12 * rough(vec3(along * 1.5, up * 1.5, seed + float(wall)));
    if (up < 0.09) look = mix(vec3(0.9), wall_colour * 0.5, 0.3);
    for (int i = 0; i < num_panels; i++) {
        if (int(panel_look[i].w) != wall) continue;
        vec2 p = vec2(along, up);
        vec2 inside = min(p - panel_box[i].xy, panel_box[i].zw - p);
        float edge = min(inside.x, inside.y);
        if (edge < 0.0) continue;
        vec3 inner = panel_look[i].rgb * (0.7 + 0.6 * rough(vec3(p * 2.2, seed + 11.0 * float(i))));
        look = edge < 0.04 ? panel_look[i].rgb * 0.35 : inner;
    }
    return look;
}
vec3 outdoors(vec3 d) {
    vec2 around = normalize(d.xz);
    float hills = 0.03 + 0.10 * rough(vec3(around * 2.5, seed)) + 0.025 * noise(vec3(around * 30.0, seed));
    vec3 sky = mix(sky_low, sky_high, clamp(d.y * 1.8, 0.0, 1.0));
    float cloud = smoothstep(0.5, 0.8, rough(vec3(d.x, 3.0 * d.y, d.z) * 3.0 + seed));
    sky = mix(sky, vec3(0.95), 0.6 * cloud);
    vec3 trees = far_colour * (0.6 + 0.8 * rough(vec3(around.x * 14.0, d.y * 40.0 + seed, around.y * 14.0)));
    return d.y < hills ? trees : sky;
}
vec3 look_along(vec3 eye, vec3 d, out vec3 floor_point) {
    float to_floor = d.y < -1e-6 ? -eye.y / d.y : 1e9;
    vec3 p = eye + d * to_floor;
    floor_point = vec3(p.x, p.z, 0.0);
    if (!is_room) {
        if (to_floor > 60.0) return outdoors(d);
        floor_point.z = 1.0;
        return mix(floor_look(p.xz, to_floor), far_colour, smoothstep(25.0, 60.0, to_floor));
    }
    vec3 wall_at = (mix(room_low, room_high, step(0.0, d)) - eye) / (abs(d) + 1e-9) * sign(d);
    float nearest = min(wall_at.x, wall_at.z);
    vec3 q = eye + d * min(nearest, min(to_floor, wall_at.y > 0.0 ? wall_at.y : 1e9));
    vec3 gap = min(q - room_low, room_high - q);
    float corner_shade = 1.0;
    if (to_floor < nearest) {
        floor_point.z = 1.0;
        corner_shade = 1.0 - 0.35 * exp(-4.0 * min(gap.x, gap.z));
        return floor_look(p.xz, to_floor) * corner_shade;
    }
    if (d.y > 0.0 && wall_at.y < nearest) return ceiling_colour * (1.0 - 0.3 * exp(-3.0 * min(gap.x, gap.z)));
    bool on_x = wall_at.x < wall_at.z;
    corner_shade = 1.0 - 0.3 * exp(-3.0 * (on_x ? gap.z : gap.x));
    corner_shade -= 0.25 * exp(-5.0 * q.y) + 0.12 * exp(-4.0 * gap.y);
    int wall = on_x ? (d.x < 0.0 ? 0 : 1) : (d.z < 0.0 ? 2 : 3);
    float side = wall < 2 ? 0.86 : 1.0;
    return wall_look(on_x ? q.z : q.x, q.y, wall) * corner_shade * side;
}
void main() {
    vec3 eye = -transpose(mat3(cam_from_world)) * cam_from_world[3].xyz;
    vec2 pixel = gl_FragCoord.xy - 0.5;
    vec3 sum = vec3(0.0), place;
    for (int i = 0; i < 4; i++) {
        vec2 shift = vec2(i % 2, i / 2) * 0.5 - 0.25;
        sum += look_along(eye, ray(pixel + shift), place);
    }
    colour = vec4(sum / 4.0, 1.0);
    look_along(eye, ray(pixel), place);
    ground = vec4(place.xyz, 0.0);
}
"""
)

# The place again in every frame, darkened where people keep light from the floor.
FLOOR_FRAGMENT = (
    """
#version 330
out vec4 colour;
uniform sampler2D place, ground, overhead;
uniform vec4 overhead_box;             // x, z of the low corner, width, depth of the map; metres
uniform float shade;                   // what is left of the floor's light where the sun does not reach
"""
    + _SUNLIGHT
    + """
// Share of the sky that near parts of the body hide from a floor point; `overhead` holds their height.
float hidden(vec2 p) {
    vec2 q = (p - overhead_box.xy) / overhead_box.zw;
    if (any(lessThan(q, vec2(0.0))) || any(greaterThan(q, vec2(1.0)))) return 0.0;
    float sum = 0.0;
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++)
            sum += exp(-texture(overhead, q + vec2(i, j) * 0.04 / overhead_box.zw).r / 0.12);
    return sum / 9.0;
}
void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec3 look = texelFetch(place, pixel, 0).rgb;
    vec4 p = texelFetch(ground, pixel, 0);
    if (p.z > 0.5) {
        float lit = sunlight(vec3(p.x, 0.0, p.y), 0.002);
        look *= mix(shade, 1.0, lit) * (1.0 - 0.75 * hidden(p.xy));
    }
    colour = vec4(look, 1.0);
}
"""
)

# Depth as the light sees it; and, from below, the height of the lowest part over each floor point.
SHADOW_VERTEX = """
#version 330
in vec3 position;
uniform mat4 light_from_world;
out float height;
void main() {
    gl_Position = light_from_world * vec4(position, 1.0);
    height = max(position.y, 0.0);
}
"""
SHADOW_FRAGMENT = "#version 330\nvoid main() {}\n"
OVERHEAD_FRAGMENT = """
#version 330
in float height;
out float low;
void main() { low = height; }
"""

PERSON_VERTEX = (
    """
#version 330
in vec3 position;
in vec3 normal;
in vec3 rest;
in float thickness;                    // of clothes and hair, metres
out vec3 world, facing, at_rest;
"""
    + _CAMERA
    + """
uniform vec2 depth_range;
void main() {
    world = position + thickness * normal;
    world.y = max(world.y, min(position.y, 0.004));   // soles press flat on the floor
    facing = normal;
    at_rest = rest;
    vec3 p = (cam_from_world * vec4(world, 1.0)).xyz;
    vec2 pixel = (intrinsics * vec3(bent(p.xy / p.z), 1.0)).xy;
    vec2 cube = 2.0 * (pixel + 0.5) / size - 1.0;
    float near = depth_range.x, far = depth_range.y;
    float z = (far + near - 2.0 * far * near / p.z) / (far - near);
    gl_Position = vec4(cube, z, 1.0) * p.z;
}
"""
)

# What a point of the body wears is told by where it is in the T-pose (`at_rest`): arms run along x, legs and
# trunk along y, the face looks along z. Heights and lengths in metres of this body.
PERSON_FRAGMENT = (
    """
#version 330
in vec3 world, facing, at_rest;
out vec4 colour;
uniform bool is_plain;                 // markers: skin colour everywhere, no light
uniform vec3 skin, hair, shirt, shirt_2, trousers, shoes, iris, eye_centre, ear_centre, head_centre;
uniform float collar, sleeve, hem, cuff, shoe, head_size, hairline, nape, pattern_size;
uniform int pattern;                   // 0 plain, 1 stripes across, 2 stripes along, 3 blots
uniform vec3 light, sun, sky, bounce, eye;
"""
    + _SUNLIGHT
    + _NOISE
    + """
bool in_ellipse(vec2 p, vec2 radii) { return dot(p / radii, p / radii) < 1.0; }
vec3 head_look(vec3 p) {
    vec3 h = (p - head_centre) / head_size;             // unit: half the distance between the ears
    float ragged = 0.12 * (noise(p * 90.0) - 0.5);
    // The hairline runs from the forehead down behind the ears to the nape.
    float line = hairline - 1.15 * smoothstep(0.55, -0.25, h.z) * (hairline - nape) / 1.15;
    vec2 ear = (p.yz - ear_centre.yz) / head_size;
    bool is_ear = abs(p.x) > 0.86 * ear_centre.x && in_ellipse(ear - vec2(0.05, -0.16), vec2(0.46, 0.30));
    if (h.y + ragged > line && !is_ear) return hair * (0.75 + 0.5 * noise(p * vec3(160.0, 25.0, 160.0)));
    vec3 e = (vec3(abs(p.x), p.yz) - eye_centre) / head_size;
    vec3 look = skin;
    if (e.z > -0.35) {
        vec2 brow = e.xy - vec2(0.03, 0.27 - 0.12 * e.x * e.x);
        vec3 eyeball = in_ellipse(e.xy, vec2(0.085)) ? iris : vec3(0.82, 0.80, 0.78);
        if (in_ellipse(e.xy, vec2(0.21, 0.085))) look = eyeball;
        else if (in_ellipse(e.xy, vec2(0.25, 0.115))) look = skin * 0.55;
        if (in_ellipse(brow, vec2(0.26, 0.055))) look = mix(hair, skin * 0.4, 0.4);
        if (in_ellipse(vec2(p.x / head_size, e.y + 0.88), vec2(0.33, 0.10))) look = skin * vec3(0.78, 0.5, 0.5);
    }
    return look;
}
vec3 shirt_look(vec3 p) {
    float s = 0.0;
    if (pattern == 1) s = step(0.5, fract((abs(p.x) > 3.2 * head_size ? p.x : p.y) / pattern_size));
    if (pattern == 2) s = step(0.5, fract((abs(p.x) > 3.2 * head_size ? p.y : p.x) / pattern_size));
    if (pattern == 3) s = step(0.55, noise(p / pattern_size * 1.5));
    return mix(shirt, shirt_2, s);
}
// Colour, and in w how much the cloth wrinkles.
vec4 wear(vec3 p) {
    bool is_middle = abs(p.x) < 1.9 * head_size;
    float neckline = collar - 0.35 * max(p.z - head_centre.z, 0.0);   // lower at the front
    if (p.y > neckline && is_middle) return vec4(head_look(p), 0.0);
    if (abs(p.x) > sleeve) return vec4(skin, 0.0);
    if (p.y < shoe) return vec4(p.y < 0.016 ? vec3(0.8) * dot(shoes, vec3(0.4)) + 0.3 : shoes, 0.15);
    if (p.y < cuff) return vec4(skin, 0.0);
    if (p.y < hem) return vec4(trousers * (1.0 - 0.12 * step(hem - 0.03, p.y)), 1.0);
    return vec4(shirt_look(p), 1.0);
}
void main() {
    vec4 worn = wear(at_rest);
    if (is_plain) { colour = vec4(skin, 1.0); return; }
    vec3 n = normalize(facing);
    if (worn.w > 0.0) {
        // Folds: a bump map by screen-space derivatives of a height (M. Mikkelsen, "Bump mapping unparametrized
        // surfaces on the GPU", 2010).
        float fold = 0.014 * worn.w * (noise(at_rest * vec3(16.0, 11.0, 16.0)) + 0.4 * noise(at_rest * 31.0));
        vec3 along = dFdx(world), across = dFdy(world);
        vec3 r1 = cross(across, n), r2 = cross(n, along);
        float area = dot(along, r1);
        n = normalize(abs(area) * n - sign(area) * (dFdx(fold) * r1 + dFdy(fold) * r2));
    }
    vec3 to_eye = normalize(eye - world);
    if (dot(facing, to_eye) < 0.0 && dot(n, to_eye) < 0.0) n = n - dot(n, to_eye) * to_eye;
    float lit = sunlight(world + 0.012 * facing, 0.004) * max(dot(n, light), 0.0);
    vec3 ambient = mix(bounce, sky, 0.5 + 0.5 * n.y);
    float near_floor = 1.0 - 0.35 * exp(-6.0 * max(world.y, 0.0)) * (0.5 - 0.5 * n.y);
    vec3 albedo = pow(worn.rgb, vec3(2.2));
    vec3 shine = 0.06 * pow(max(dot(n, normalize(light + to_eye)), 0.0), 24.0) * lit * sun * (1.0 - worn.w);
    colour = vec4(pow(albedo * (ambient * near_floor + sun * lit) + shine, vec3(1.0 / 2.2)), 1.0);
}
"""
)
