// Prints what the Khronos validator says of each file: node validate_glb.js a.glb b.glb ...
const validator = require("gltf-validator");
const fs = require("fs");

const look = (path) => validator.validateBytes(new Uint8Array(fs.readFileSync(path)), { maxIssues: 20 });
Promise.all(process.argv.slice(2).map(look)).then((reports) => {
  console.log(JSON.stringify(reports.map((report) => report.issues)));
});
