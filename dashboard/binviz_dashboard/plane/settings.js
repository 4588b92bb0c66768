// What a visitor has chosen, as text in a link, as points, as a script with the library.

const LONGEST = 200; // points of one's own
const POINT = /^-?\d{1,3}_-?\d{1,3}_[01]$/; // hundredths of both coordinates, and 1 for the label +1

/** A value from its text; throws where it is none. */
export function read({ kind, options, low, high, step }, text) {
  if (kind === "choice" && Object.hasOwn(options, text)) return text;
  if (kind === "switch" && ["true", "false"].includes(text)) return text === "true";
  if (kind === "points" && (!text || (text.split(".").length <= LONGEST && text.split(".").every((each) => POINT.test(each))))) return text;
  if (kind === "names") return text;
  const value = Number(text), whole = Number.isInteger(step);
  if ((kind === "slide" || kind === "number") && text !== "" && value >= low && value <= high && (!whole || Number.isInteger(value))) return value;
  throw new Error(`cannot be ${text}`);
}

/** [settings, lines about what could not be used] of a link's parameters. */
export function fromLink(controls, text) {
  const given = new URLSearchParams(text), refused = [];
  const settings = Object.fromEntries(controls.map((control) => {
    if (!given.has(control.key)) return [control.key, control.default];
    try {
      return [control.key, read(control, given.get(control.key))];
    } catch (error) {
      refused.push(`From the link: ${control.key} ${error.message.slice(0, 60)}; it is ${control.default || "empty"} instead.`);
      return [control.key, control.default];
    }
  }));
  return [settings, refused];
}

/** The parameters of a link: what differs from the default. */
export const toLink = (controls, settings) =>
  new URLSearchParams(controls.filter(({ key, default: usual }) => settings[key] !== usual).map(({ key }) => [key, settings[key]])).toString();

export const pack = (rows) => rows.map(([a, b, t]) => `${Math.round(100 * a)}_${Math.round(100 * b)}_${t > 0 ? 1 : 0}`).join(".");
export const unpack = (text) =>
  text ? text.split(".").map((each) => each.split("_").map(Number)).map(([a, b, t]) => [a / 100, b / 100, t ? 1 : -1]) : [];

/** Rows [[a, b, t]] of a CSV file of two numbers and a label in each line; throws with one line. */
export function fromCsv(text) {
  const lines = text.split(/\r?\n/).map((each, at) => [each.trim(), at + 1]).filter(([each]) => each);
  const cells = lines.map(([each, at]) => [each.split(/\s*[,;\t]\s*/), at]);
  if (cells.length && cells[0][0].slice(0, 2).every((each) => !Number.isFinite(Number(each)))) cells.shift(); // a heading
  if (!cells.length) throw new Error("There are no points: give two numbers and a label in each line, like 0.5, -1, a.");
  if (cells.length > LONGEST) throw new Error(`${cells.length} points are too many; give at most ${LONGEST}.`);
  for (const [row, at] of cells) {
    if (row.length !== 3) throw new Error(`Line ${at} has ${row.length} ${row.length === 1 ? "part" : "parts"}; it needs two numbers and a label.`);
    const bad = row.slice(0, 2).find((each) => each === "" || !Number.isFinite(Number(each)));
    if (bad !== undefined) throw new Error(`Line ${at}: "${bad.slice(0, 20)}" is no number.`);
  }
  const labels = [...new Set(cells.map(([row]) => row[2]))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (labels.length !== 2) throw new Error(`There ${labels.length === 1 ? "is 1 label" : `are ${labels.length} labels`}; the points need two.`);
  const rows = cells.map(([row]) => [Number(row[0]), Number(row[1]), row[2] === labels[1] ? 1 : -1]);
  const [middle, reach] = box(rows);
  const inside = rows.every(([a, b]) => Math.abs(a) <= 1.2 && Math.abs(b) <= 1.2);
  return inside ? rows : rows.map(([a, b, t]) => [(a - middle[0]) / reach, (b - middle[1]) / reach, t]);
}

function box(rows) {
  const span = (at) => [Math.min(...rows.map((row) => row[at])), Math.max(...rows.map((row) => row[at]))];
  const [a, b] = [span(0), span(1)];
  return [[(a[0] + a[1]) / 2, (b[0] + b[1]) / 2], Math.max(a[1] - a[0], b[1] - b[0]) / 2 || 1];
}

const IN_TORCH = {
  adam: (lr) => `torch.optim.Adam(net.parameters(), lr=${lr})`,
  momentum: (lr) => `torch.optim.SGD(net.parameters(), lr=${lr}, momentum=0.9)`,
  sgd: (lr) => `torch.optim.SGD(net.parameters(), lr=${lr})`,
};

function maker(name, argument, part) {
  if (!part) return "";
  const options = [argument === "rows" ? "features=rows, channel_axis=0" : "features=features"];
  if (part.name.startsWith("fda-")) options.push("noise=False");
  const given = [`binarizers.get("${part.name}", ${options.join(", ")})`];
  for (const [key, usual] of [["threshold", 0], ["scale", 1], ["width", 1]]) if (part[key] !== usual) given.push(`${key}=${part[key]}`);
  if (part.surrogate !== "own") given.push(`surrogate="${part.surrogate}"`);
  return `def ${name}(${argument}):\n    return ${given.length > 1 ? `plane.Moved(${given.join(", ")})` : given[0]}\n\n\n`;
}

/** The same run with the library, from its first step on. */
export function script(settings, weight, activation, steps) {
  const { data, noise, start, width, depth, ends, optimizer, lr } = settings, own = data === "own";
  const rows = unpack(settings.points).map((row) => `    [${row.join(", ")}],`).join("\n");
  const points = own
    ? `points = torch.tensor([\n${rows}\n], dtype=torch.float64)\nx, t = points[:, :2], points[:, 2]`
    : `x, t = plane.points("${data}", noise=${noise}, seed=${start})\nheld_out, truth = plane.points("${data}", noise=${noise}, seed=${start}, held_out=True)`;
  const parts = [weight ? "weight" : "None", activation ? "activation" : "None"].join(", ");
  return `"""${own ? "Points of one's own" : `The ${data}`}, learned by a float net and by its 1-bit twin."""

import torch

${weight || activation ? "from binviz import binarizers\n" : ""}from binviz.playground import plane


${maker("weight", "rows", weight)}${maker("activation", "features", activation)}${points}
nets = {
    "float": plane.net(${width}, ${depth}),
    "1-bit": plane.net(${width}, ${depth}, ${parts}${ends ? ", ends=True" : ""}),
}
for name, net in nets.items():
    plane.start(net, seed=${start})
    optimizer = ${IN_TORCH[optimizer](lr)}
    for step in range(${steps}):
        loss = plane.loss(net, x, t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = ((net(x)[:, 0] >= 0) == (t > 0)).double().mean()
    print(f"{name}: {right:.1%} of the points that it learned")
${own ? "" : `    right = ((net(held_out)[:, 0] >= 0) == (truth > 0)).double().mean()
    print(f"{name}: {right:.1%} of the points held out")
`}`;
}
