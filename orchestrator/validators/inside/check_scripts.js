// Parses JavaScript files and prints what is wrong, as a JSON list of {path, line, rule, message}. Nothing is run.
// Arguments: a JSON list of {path, kind}, where kind is `module`, `script` or empty where the file does not say.
// Started with --experimental-vm-modules.
const vm = require("node:vm");
const fs = require("node:fs");
const Module = require("node:module");

function problem(source, path, kind) {
  try {
    if (kind === "module") new vm.SourceTextModule(source, { identifier: path });
    else new vm.Script(Module.wrap(source).replace(/^#!/, "//"), { filename: path });
    return null;
  } catch (error) {
    const place = String(error.stack).split("\n")[0].match(/:(\d+)$/);
    return { line: place ? Number(place[1]) : 0, message: error.message };
  }
}

const found = [];
for (const { path, kind } of JSON.parse(process.argv[1])) {
  const source = fs.readFileSync(path, "utf8").replace(/^\uFEFF/, "").replace(/^#!.*/, "");
  const tried = (kind ? [kind] : ["module", "script"]).map((each) => problem(source, path, each));
  if (tried.some((outcome) => outcome === null)) continue;
  const line = tried.map((outcome) => outcome.line).find((each) => each > 0) || 0;
  found.push({ path, rule: "syntax", line, message: tried[0].message });
}
console.log(JSON.stringify(found));
