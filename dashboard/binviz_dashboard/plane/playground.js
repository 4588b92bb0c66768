import { Learner, Net, given, movable, points, profile } from "./net.js";
import { REACH, curve, edges, frame, grid, latent, losses, measured, older, palette, signed, sized, surface, unit } from "./draw.js";
import { fromCsv, fromLink, pack, read, script, toLink, unpack } from "./settings.js";
import { HTML, LETTERS, PANELS, copier, make, percent, showWidgets, widgets } from "./form.js";

// The page: what surrounds two nets that learn. Its settings come from a link and go back to one.

const AGAIN = ["data", "noise", "points", "depth", "width", "weights.binarizer", "activations.binarizer", "ends", "optimizer", "start"]; // begin anew
const GRID = grid();
const MOST = 400; // steps whose losses are kept

export class Playground {
  /** send: called with all settings, once they rest. */
  constructor(root, controls, send) {
    Object.assign(this, { root, controls, send, turn: 0, playing: false, seen: null, pinned: null });
    root.drawn = 0;
    this.settings = Object.fromEntries(controls.map((control) => [control.key, control.default]));
    this.control = Object.fromEntries(controls.map((control) => [control.key, control]));
    root.innerHTML = HTML;
    this.find = (selector) => root.querySelector(selector);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    widgets(this);
    root.addEventListener("click", (event) => {
      const what = event.target.closest?.("[data-do]")?.dataset.do;
      if (what) this[what]();
    });
    for (const name of ["float", "bit"]) this.find(`.plane-${name}`).addEventListener("click", (event) => this.dot(event));
    this.handles();
    this.resized = new ResizeObserver((entries) => {
      for (const { target } of entries) measured(target);
      this.places = null;
      this.draw();
    });
    for (const canvas of root.querySelectorAll("canvas")) this.resized.observe(canvas);
    this.reset();
  }

  /** Settings from a link; those of an earlier turn are old news. */
  take(settings, turn = this.turn, said = "") {
    const changed = Object.keys(settings).filter((key) => settings[key] !== this.settings[key]);
    if (turn >= this.turn && changed.length) {
      Object.assign(this.settings, settings);
      this.turn = turn;
      if (changed.some((key) => AGAIN.includes(key))) this.reset();
    }
    this.turn = Math.max(this.turn, turn);
    if (said) this.say(said);
    this.show();
  }

  /** A widget's new value; `rests` where the visitor has let go of it. */
  set(key, value, rests = true) {
    if (this.settings[key] !== value) {
      this.settings[key] = value;
      if (AGAIN.includes(key)) this.reset();
      this.show();
    }
    clearTimeout(this.later);
    if (rests) this.later = setTimeout(() => this.send({ ...this.settings, turn: ++this.turn }), 250);
  }

  say(text) {
    this.find(".said").textContent = text;
  }

  // The run

  part(which) {
    const { settings } = this, name = settings[`${which}.binarizer`];
    if (name === "float") return null;
    const surrogate = settings[`${which}.surrogate`], moves = movable(which, name, surrogate), part = { name, surrogate };
    for (const [key, letter] of Object.entries(LETTERS))
      part[key] = moves.includes(letter) ? settings[`${which}.${key}`] : this.control[`${which}.${key}`].default;
    return part;
  }

  /** Both nets as they begin. */
  reset() {
    const { settings } = this, own = settings.data === "own";
    this.pause();
    this.say("");
    this.data = own ? given(unpack(settings.points)) : points(settings.data, settings.noise, settings.start);
    this.heldOut = own ? null : points(settings.data, settings.noise, settings.start, 2);
    this.float = new Learner(new Net(settings, null, null, settings.start));
    this.bit = new Learner(new Net(settings, this.part("weights"), this.part("activations"), settings.start));
    this.bit.net.forward(this.data.x); // what starts from data starts here
    Object.assign(this, { sparks: [], history: [], seen: null, pinned: null });
    this.units();
    this.note();
    this.draw();
  }

  play() {
    if (this.playing) return this.pause();
    this.playing = true;
    this.find("[data-do=play]").textContent = "Pause";
    this.find("[data-do=play]").setAttribute("aria-pressed", "true");
    const turn = () => {
      if (!this.playing) return;
      this.learn(Number(this.settings.speed));
      this.draw();
      this.wait = this.still.matches ? setTimeout(turn, 250) : requestAnimationFrame(turn);
    };
    turn();
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.wait);
    clearTimeout(this.wait);
    this.find("[data-do=play]").textContent = "Play";
    this.find("[data-do=play]").setAttribute("aria-pressed", "false");
  }

  step() {
    this.pause();
    this.learn(1);
    this.draw();
  }

  learn(steps) {
    const { data, settings: { optimizer, lr } } = this;
    if (new Set(data.t).size < 2) return this.stop("Draw points of both kinds: click on a surface, or give them as CSV.");
    this.sparks = this.still.matches ? [] : older(this.sparks);
    for (let k = 0; k < steps; k++) {
      const step = this.bit.step, [float, bit] = [this.float, this.bit].map((each) => each.learn(data, optimizer, Number(lr)));
      if (!Number.isFinite(float) || !Number.isFinite(bit))
        return this.stop(`Training stopped at step ${step}: the loss is not a number any more. Lower the learning rate, and reset.`);
      const [floatHeld, bitHeld] = this.heldOut && k === 0 ? [this.float, this.bit].map((each) => each.net.loss(this.heldOut, false)) : [];
      this.history.push({ step, float, bit, floatHeld, bitHeld });
      this.sparks.push(...this.bit.flipped.slice(0, 80).map((each) => ({ ...each, age: 0 })));
    }
    if (this.history.length > MOST) this.history = this.history.filter((each, k) => k % 2 === 0);
  }

  stop(line) {
    this.pause();
    this.say(line);
  }

  /** What the settings make of the 1-bit net, where it is not what its name says. */
  note() {
    const { net } = this.bit, bits = net.layers.some((layer) => layer.weight), codes = net.layers.some((layer) => layer.activation);
    if (!bits && !codes) this.say("Both nets are float: choose a binarizer of weights or of activations.");
    else if (!bits && this.settings["weights.binarizer"] !== "float")
      this.say("No weight is 1-bit: with one hidden layer there are only the first layer and the last, which stay float.");
  }

  // What is seen

  draw() {
    const { root, data, settings } = this, colours = palette(root), nets = { float: this.float.net, bit: this.bit.net };
    if (!sized(this.find(".plane-bit"))) return;
    const seen = this.pinned ?? this.seen, rooms = {}, said = {};
    for (const [name, net] of Object.entries(nets)) {
      rooms[name] = net.forward(GRID);
      const last = rooms[name].length - 1, unsigned = net.layers[last].activation?.name === "elastic-unsigned";
      const [values, of, at] = seen ? [rooms[name][seen.layer + 1].a, settings.width, seen.unit] : [rooms[name][last].z, 1, 0];
      surface(this.find(`.plane-${name}`), values, of, at, seen && unsigned ? 0 : -1, data, colours);
      const held = this.heldOut ? `, held out ${percent(net.accuracy(this.heldOut))}` : "";
      said[`.of-${name}`] = data.t.length ? `${percent(net.accuracy(data))}${held}` : "no points";
    }
    const { layers } = nets.bit;
    if (this.shown("net")) this.drawUnits(rooms.bit, colours);
    if (this.shown("latents")) latent(this.find(".latent"), layers, this.sparks, this.still.matches, colours);
    if (this.shown("losses")) losses(this.find(".loss"), this.history, colours);
    if (this.shown("curves")) this.drawCurve(colours);
    said[".count"] = `step ${this.bit.step}`;
    said[".about"] = seen ? this.told(seen) : "Point at a unit, or tab to it: both surfaces show what it says. A click keeps it.";
    // Last, since whoever asks for a size after a change of text waits for a new layout
    for (const [place, text] of Object.entries(said)) if (this.find(place).textContent !== text) this.find(place).textContent = text;
    root.drawn++;
  }

  shown(panel) {
    return !this.find(`[data-panel=${panel}]`).hidden;
  }

  /** The rows of units, anew. */
  units() {
    const { width, depth } = this.settings, net = this.find(".net");
    for (const row of [...net.querySelectorAll(".row")]) row.remove();
    const ends = (...names) => make("div", { className: "row" }, ...names.map((name) => make("span", { textContent: name })));
    net.append(ends("x₁", "x₂"));
    for (let layer = 0; layer < depth; layer++) {
      const row = make("div", { className: "row" });
      for (let k = 0; k < width; k++) {
        const label = `Layer ${layer + 1}, unit ${k + 1}`, button = make("button", { ariaLabel: label }, make("canvas"));
        const at = { layer, unit: k }, look = (seen) => () => {
          this.seen = seen;
          this.draw();
        };
        button.onpointerenter = button.onfocus = look(at);
        button.onpointerleave = button.onblur = look(null);
        button.onclick = () => {
          this.pinned = this.pinned?.layer === layer && this.pinned.unit === k ? null : at;
          this.draw();
        };
        row.append(button);
      }
      net.append(row);
    }
    net.append(ends("answer"));
    this.places = null;
  }

  drawUnits(rooms, colours) {
    const net = this.find(".net"), { layers } = this.bit.net;
    this.places ??= [...net.querySelectorAll(".row")].map((row) => [...row.children].map((each) => ({
        x: each.offsetLeft + each.offsetWidth / 2, top: each.offsetTop, bottom: each.offsetTop + each.offsetHeight,
      })));
    edges(this.find(".edges"), layers, this.places, colours);
    [...net.querySelectorAll("button")].forEach((button, k) => {
      const layer = Math.floor(k / this.settings.width), at = k % this.settings.width, kind = layers[layer + 1].activation;
      unit(button.firstChild, rooms[layer + 1].a, this.settings.width, at, kind?.name === "elastic-unsigned" ? 0 : -1, colours);
      const pressed = String(this.pinned?.layer === layer && this.pinned.unit === at);
      if (button.ariaPressed !== pressed) button.ariaPressed = pressed;
    });
  }

  /** A unit in words: the signs of its weights, and where it says +1. */
  told({ layer, unit: at }) {
    const { layers } = this.bit.net, { q, s, b, inputs, weight } = layers[layer], row = [...q.slice(at * inputs, (at + 1) * inputs)];
    const coming = weight ? `weights ${row.map((each) => (each < 0 ? "−" : "+")).join(" ")} times ${s[at].toFixed(2)}` : `float weights ${row.map((each) => signed(each, 2)).join(", ")}`;
    const { a } = this.bit.net.forward(this.data.x)[layer + 1], n = this.data.t.length;
    const ones = Array.from({ length: n }, (_, i) => a[i * this.settings.width + at]).filter((each) => each > 0).length;
    return `Layer ${layer + 1}, unit ${at + 1}: ${coming}, bias ${signed(b.value[at], 2)}; above its threshold at ${ones} of ${n} points.`;
  }

  drawCurve(colours) {
    const which = this.settings.curve, { net } = this.bit, rooms = net.forward(this.data.x), reach = which === "weights" ? 1.5 : 3;
    const found = profile(net, which, rooms), canvas = this.find(".curve");
    this.held = null;
    canvas.hidden = !found;
    if (!found || !sized(canvas)) return;
    const moves = movable(which, this.settings[`${which}.binarizer`], this.settings[`${which}.surrogate`]), handles = [];
    const width = this.part(which).width;
    if (moves.includes("t")) handles.push({ key: "threshold", x: found.cut, y: 0, to: (x) => x - found.cut + this.part(which).threshold });
    if (moves.includes("c")) handles.push({ key: "scale", x: 0.85 * reach, y: found.high, to: (x, y) => (y / found.high) * this.part(which).scale });
    if (moves.includes("w")) handles.push({ key: "width", x: found.cut + width, y: found.slope(found.cut + 0.97 * width) || 0, to: (x) => x - found.cut });
    const values = net.layers.flatMap((layer, l) =>
      which === "weights" ? (layer.weight ? [layer.w.value] : []) : layer.activation ? [rooms[l - 1].z] : []);
    curve(canvas, found, values, reach, handles, colours);
    this.held = { which, handles, at: frame(canvas, reach, colours) };
  }

  // What is operated

  /** The curve's handles, by mouse, pen or finger; the sliders under it do the same by keyboard. */
  handles() {
    const canvas = this.find(".curve");
    let dragged = null;
    const near = ({ offsetX, offsetY }) => {
      const { handles = [], at } = this.held ?? {};
      const far = handles.map(({ x, y }) => Math.hypot(at.x(x) - offsetX, at.y(y) - offsetY)), k = far.indexOf(Math.min(...far));
      return far[k] < 22 ? handles[k].key : null;
    };
    const move = (event, rests) => {
      const { which, handles, at } = this.held, { to } = handles.find(({ key }) => key === dragged);
      const key = `${which}.${dragged}`, { low, high } = this.control[key];
      const value = to(at.value(event.offsetX), at.level(event.offsetY));
      this.set(key, Math.min(high, Math.max(low, Math.round(value * 100) / 100)), rests);
    };
    canvas.onpointerdown = (event) => {
      if (!(dragged = near(event))) return;
      canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
    };
    canvas.onpointermove = (event) => {
      if (dragged) move(event, false);
      else canvas.style.cursor = near(event) ? "grab" : "";
    };
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      if (dragged) move(event, true);
      dragged = null;
    };
  }

  /** Everything as the settings say; what is moved by hand moves in the live net. */
  show() {
    showWidgets(this);
    for (const { weight, activation } of this.bit.net.layers) {
      if (weight) Object.assign(weight, this.part("weights"));
      if (activation) Object.assign(activation, this.part("activations"));
    }
    this.draw();
  }

  // Points of one's own

  rows() {
    return unpack(this.settings.points);
  }

  dot({ target, offsetX, offsetY }) {
    if (this.settings.data !== "own") return;
    const t = Number(this.find("[name=side]:checked").value);
    const row = [REACH * ((2 * offsetX) / target.clientWidth - 1), REACH * (1 - (2 * offsetY) / target.clientHeight), t];
    const text = pack([...this.rows(), row]);
    try {
      this.set("points", read(this.control.points, text));
    } catch {
      this.say("There are as many points as fit into a link; take one back.");
    }
  }

  undo() {
    this.set("points", pack(this.rows().slice(0, -1)));
  }

  clear() {
    this.set("points", "");
  }

  csv() {
    const text = make("textarea", { rows: 10, ariaLabel: "Points", value: this.rows().map((row) => row.join(", ")).join("\n") });
    const file = make("input", { type: "file", accept: ".csv,.txt,text/*", ariaLabel: "A file of points" }), said = make("p", { className: "said" });
    file.onchange = async () => (text.value = file.files[0].size > 1e5 ? text.value : await file.files[0].text());
    const use = make("button", { type: "button", className: "main", textContent: "Use these points" });
    use.onclick = () => {
      try {
        this.set("points", pack(fromCsv(text.value)));
        this.find("dialog").close();
      } catch (error) {
        said.textContent = error.message;
      }
    };
    this.ask(make("p", { textContent: "Two numbers and a label in each line, at most 200 lines; larger numbers are fitted into the picture." }), text, file, said, use);
  }

  // What is taken away

  ask(...content) {
    this.find("dialog .content").replaceChildren(...content);
    this.find("dialog").showModal();
  }

  python() {
    const text = script(this.settings, this.part("weights"), this.part("activations"), this.bit.step || 200);
    const save = make("a", { textContent: "Save", download: "playground.py", href: URL.createObjectURL(new Blob([text])) });
    this.ask(make("p", { textContent: "The same run with the library, with the settings as they are now from its first step on." }), make("pre", { tabIndex: 0, textContent: text }), copier(() => text), save);
  }

  /** A link that hides what a class does not need. */
  lesson() {
    const names = [...this.controls.filter(({ label }) => label).map(({ key, label, group }) => [key, key.includes(".") ? `${label} of ${group}` : label]), ...Object.entries(PANELS)];
    const link = make("textarea", { rows: 3, readOnly: true, ariaLabel: "Link" });
    const boxes = names.map(([key, label]) => [key, make("input", { type: "checkbox", checked: this.settings.hide.split(",").includes(key) }), label]);
    const tell = () => {
      const hide = boxes.filter(([, box]) => box.checked).map(([key]) => key).join(",");
      link.value = this.address(toLink(this.controls, { ...this.settings, hide }));
    };
    for (const [, box] of boxes) box.onchange = tell;
    tell();
    this.ask(make("p", { textContent: "The link opens the page as it is now, without what is ticked:" }), make("div", { className: "boxes" }, ...boxes.map(([, box, label]) => make("label", {}, box, ` ${label}`))), link, copier(() => link.value));
  }

  address(parameters) {
    return `${location.href.split(/[?#]/)[0]}${this.alone ? "#" : "?"}${parameters}`;
  }

  leave() {
    this.pause();
    this.resized.disconnect();
    clearTimeout(this.later);
  }
}

/** In a file of its own: the link is what stands behind the # of its address. */
export function alone(root, controls, settings) {
  const playground = new Playground(root, controls, (all) => history.replaceState(null, "", `#${toLink(controls, all)}`));
  playground.alone = true;
  const look = () => {
    const [found, refused] = location.hash ? fromLink(controls, location.hash.slice(1)) : [settings, []];
    playground.take(found, playground.turn, refused.join(" "));
  };
  addEventListener("hashchange", look);
  look();
  return playground;
}

const KNOWN = new WeakMap();

/** In the dashboard. */
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".plane");
  if (!KNOWN.has(root)) KNOWN.set(root, new Playground(root, data.controls, (all) => setStateValue("settings", all)));
  const playground = KNOWN.get(root);
  if (root.classList.toggle("big", data.big) !== playground.big) playground.find(".settings").open = !(playground.big = data.big);
  playground.take(data.settings, data.turn);
  return () => {
    playground.leave();
    KNOWN.delete(root);
  };
}
