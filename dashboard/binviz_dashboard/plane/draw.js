// Pictures of two nets that learn: each function draws one canvas from plain numbers.

export const REACH = 1.25; // both coordinates of a surface run from -REACH to REACH
export const SIDE = 64; // points of a surface along each coordinate
const SPARK = 18; // frames that a flip is seen for

/** A number with a true minus. */
export const signed = (value, digits) => (digits === undefined ? String(value) : value.toFixed(digits)).replace("-", "−");

/** The points of a surface, row by row from the top. */
export function grid() {
  const x = new Float64Array(2 * SIDE * SIDE);
  for (let i = 0, k = 0; i < SIDE; i++)
    for (let j = 0; j < SIDE; j++) {
      x[k++] = REACH * ((2 * j + 1) / SIDE - 1);
      x[k++] = REACH * (1 - (2 * i + 1) / SIDE);
    }
  return x;
}

/** The colours in force, and what follows from them. */
export function palette(root) {
  const style = getComputedStyle(root), colour = (name) => style.getPropertyValue(name).trim();
  root.classList.toggle("dark", rgb(colour("--ground")).reduce((sum, each) => sum + each) < 384);
  const names = ["text", "ground", "rule", "minus", "plus", "float", "bit"];
  const found = Object.fromEntries(names.map((name) => [name, colour(`--${name}`)]));
  found.size = parseFloat(style.fontSize) * 0.8;
  found.font = `${found.size}px ${style.fontFamily}`;
  const key = Object.values(found).join();
  if (palette.known?.key !== key) palette.known = { ...found, key, ramp: ramp(found) };
  return palette.known;
}

// "#rrggbb" or "rgb(r, g, b)"
const rgb = (colour) => (colour[0] === "#" ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) : colour.match(/\d+/g).slice(0, 3).map(Number));

/** 256 pixels from the colour of -1 over the page's ground to that of +1. */
function ramp({ minus, plus, ground }) {
  const [low, middle, high] = [minus, ground, plus].map(rgb), pixels = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    const v = (k - 127.5) / 127.5, part = 0.12 + 0.78 * Math.abs(v), to = v < 0 ? low : high;
    const [r, g, b] = middle.map((each, at) => Math.round(each + part * (to[at] - each)));
    pixels[k] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return pixels;
}

// Sizes are kept, since asking for one may have the whole page laid out anew.
const SIZES = new WeakMap();

/** Take a canvas's size, with as many pixels as the screen has there. */
export function measured(canvas) {
  const ratio = window.devicePixelRatio || 1, [wide, high] = [canvas.clientWidth, canvas.clientHeight];
  Object.assign(canvas, { width: Math.round(wide * ratio), height: Math.round(high * ratio) });
  SIZES.set(canvas, { wide, high, ratio });
}

/** Whether a canvas can be seen. */
export const sized = (canvas) => SIZES.get(canvas)?.wide > 0;

/** [context, width, height] of a canvas, in CSS pixels. */
export function fit(canvas) {
  if (!SIZES.has(canvas)) measured(canvas);
  const { wide, high, ratio } = SIZES.get(canvas), context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, wide, high];
}

const IMAGES = new WeakMap(); // canvas -> [its small picture, the pixels]
function image(canvas, side) {
  if (!IMAGES.has(canvas)) {
    const small = new OffscreenCanvas(side, side), context = small.getContext("2d"), pixels = context.createImageData(side, side);
    IMAGES.set(canvas, [small, context, pixels, new Uint32Array(pixels.data.buffer)]);
  }
  return IMAGES.get(canvas);
}

/** Fill a small picture with every `stride`-th value; `low` is 0 where codes are 0 and 1, else -1. */
function paint(canvas, values, of, at, low, { ramp }, stride = 1) {
  const side = SIDE / stride, [small, context, pixels, words] = image(canvas, side), half = low === 0 ? 0.5 : 0;
  for (let i = 0, k = 0; i < side; i++)
    for (let j = 0; j < side; j++, k++) {
      const v = values[(i * stride * SIDE + j * stride) * of + at], d = 2 * (v - half);
      words[k] = ramp[(127.5 + (127.4 * d) / (1 + Math.abs(d))) | 0];
    }
  context.putImageData(pixels, 0, 0);
  return small;
}

/** A decision surface with the points on it; dots are -1, diamonds +1. */
export function surface(canvas, values, of, at, low, data, colours) {
  const [context, wide, high] = fit(canvas), small = paint(canvas, values, of, at, low, colours);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, wide, high);
  context.drawImage(dots(canvas, data, colours, wide, high), 0, 0, wide, high);
}

const DOTS = new WeakMap();
function dots(canvas, data, colours, wide, high) {
  const key = `${wide} ${high} ${colours.key}`, known = DOTS.get(canvas);
  if (known?.key === key && known.data === data) return known.layer;
  const ratio = window.devicePixelRatio || 1, layer = new OffscreenCanvas(wide * ratio || 1, high * ratio || 1);
  const context = layer.getContext("2d"), r = Math.max(2.2, wide / 120);
  context.scale(ratio, ratio);
  context.strokeStyle = colours.text;
  context.lineWidth = 0.8;
  data.t.forEach((t, i) => {
    const x = ((data.x[2 * i] / REACH + 1) / 2) * wide, y = ((1 - data.x[2 * i + 1] / REACH) / 2) * high;
    context.beginPath();
    if (t < 0) context.arc(x, y, r, 0, 7);
    else [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]].forEach(([a, b]) => context.lineTo(x + r * a, y + r * b));
    context.closePath();
    context.fillStyle = t < 0 ? colours.minus : colours.plus;
    context.fill();
    context.stroke();
  });
  DOTS.set(canvas, { key, data, layer });
  return layer;
}

/** A unit's own surface, small. */
export function unit(canvas, values, of, at, low, colours) {
  const side = SIDE / 2;
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  canvas.getContext("2d").drawImage(paint(canvas, values, of, at, low, colours, 2), 0, 0);
}

/** Weights between units; places: for each row of units their {x, top, bottom}. -1 is dashed where the weight is a code. */
export function edges(canvas, layers, places, colours) {
  const [context, wide, high] = fit(canvas);
  context.clearRect(0, 0, wide, high);
  layers.forEach(({ q, w, weight, inputs, outputs }, l) => {
    for (const side of [-1, 1]) {
      context.strokeStyle = side < 0 ? colours.minus : colours.plus;
      context.setLineDash(weight && side < 0 ? [3, 3] : []);
      context.lineWidth = weight ? 1.3 : 0.9;
      context.globalAlpha = weight ? 0.9 : 0.55;
      context.beginPath();
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++) {
          const value = weight ? q[o * inputs + i] : w.value[o * inputs + i];
          if (value < 0 !== side < 0) continue;
          const [from, to] = [places[l][i], places[l + 1][o]];
          context.moveTo(from.x, from.bottom);
          context.lineTo(to.x, to.top);
        }
      context.stroke();
    }
  });
  context.globalAlpha = 1;
  context.setLineDash([]);
}

/** Latent weights of the 1-bit layers, a row for each unit; sparks: {layer, k, age} of codes that changed. */
export function latent(canvas, layers, sparks, still, colours) {
  const [context, wide, high] = fit(canvas), left = 6, low = high - colours.size - 6;
  context.clearRect(0, 0, wide, high);
  const rows = layers.reduce((sum, { weight, outputs }) => sum + (weight ? outputs : 0), 0);
  if (!rows) return;
  let reach = 0.5;
  for (const { weight, w } of layers) if (weight) for (const each of w.value) if (Math.abs(each) > reach) reach = Math.abs(each);
  reach = Math.ceil(2.02 * reach) / 2;
  const to = (value) => left + ((value / reach + 1) / 2) * (wide - 2 * left), step = low / rows;
  axis(context, wide, low, colours, [[to(-reach), signed(-reach)], [to(0), "0"], [to(reach), signed(reach)]]);
  line(context, to(0), 0, to(0), low, colours.rule);
  const place = new Map();
  let row = 0;
  layers.forEach(({ weight, w, q, inputs, outputs }, l) => {
    if (!weight) return;
    for (let o = 0; o < outputs; o++, row++)
      for (let i = 0; i < inputs; i++) {
        const k = o * inputs + i, x = to(w.value[k]), y = (row + 0.5) * step;
        context.fillStyle = q[k] < 0 ? colours.minus : colours.plus;
        context.strokeStyle = colours.text;
        context.lineWidth = 0.5;
        context.beginPath();
        context.arc(x, y, Math.min(3, Math.max(1.5, step / 3)), 0, 7);
        context.fill();
        context.stroke();
        place.set(`${l} ${k}`, [x, y]);
      }
  });
  context.strokeStyle = colours.bit;
  for (const { layer, k, age } of sparks) {
    const at = place.get(`${layer} ${k}`);
    if (!at) continue;
    context.globalAlpha = still ? 0.8 : 1 - age / SPARK;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(at[0], at[1], still ? 6 : 3 + age * 0.8, 0, 7);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** What is left of sparks a frame later. */
export const older = (sparks) => sparks.filter((spark) => ++spark.age < SPARK);

/** Losses of both nets by step; history: [{step, float, bit, floatHeld, bitHeld}]. */
export function losses(canvas, history, colours) {
  const [context, wide, high] = fit(canvas), left = 2.4 * colours.size, low = high - colours.size - 6;
  context.clearRect(0, 0, wide, high);
  const last = Math.max(history.at(-1)?.step ?? 0, 10);
  const names = ["float", "bit", "floatHeld", "bitHeld"];
  const most = history.reduce((top, each) => Math.max(top, ...names.map((name) => Math.min(each[name] ?? 0, 2))), 0.8);
  const x = (step) => left + (step / last) * (wide - left - 6), y = (loss) => 4 + (1 - Math.min(loss / most, 1)) * (low - 4);
  axis(context, wide, low, colours, [[left, "0"], [x(last), `${last}`]]);
  context.fillStyle = colours.text;
  context.textAlign = "right";
  for (const loss of [0, Math.LN2]) {
    context.fillText(loss ? "ln 2" : "0", left - 4, y(loss) + 4);
    line(context, left, y(loss), wide, y(loss), colours.rule);
  }
  for (const name of names) {
    context.strokeStyle = name.startsWith("float") ? colours.float : colours.bit;
    context.setLineDash(name.endsWith("Held") ? [4, 3] : []);
    context.lineWidth = name.endsWith("Held") ? 1.2 : 2;
    context.beginPath();
    for (const each of history) if (each[name] !== undefined) context.lineTo(x(each.step), y(each[name]));
    context.stroke();
  }
  context.setLineDash([]);
}

function line(context, x1, y1, x2, y2, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function axis(context, wide, low, colours, ticks) {
  line(context, 0, low, wide, low, colours.rule);
  context.font = colours.font;
  context.fillStyle = colours.text;
  for (const [x, text] of ticks) {
    context.textAlign = x < 20 ? "left" : x > wide - 20 ? "right" : "center";
    context.fillText(text, x, low + colours.size + 2);
  }
}

/** Where a curve's numbers lie on its canvas, and back. */
export function frame(canvas, reach, colours) {
  const { wide, high } = SIZES.get(canvas), low = high - colours.size - 6, top = 2.2;
  return {
    wide, low,
    x: (value) => ((value / reach + 1) / 2) * wide,
    y: (value) => ((1 - value / top) / 2) * low,
    value: (px) => (2 * px / wide - 1) * reach,
    level: (py) => (1 - (2 * py) / low) * top,
  };
}

/** A binarizer: its code, the area under its surrogate, where the live net's numbers lie (a list of arrays), and handles to drag. */
export function curve(canvas, { cut, low, high, slope }, values, reach, handles, colours) {
  const [context, wide, tall] = fit(canvas), at = frame(canvas, reach, colours);
  context.clearRect(0, 0, wide, tall);
  const bins = new Float64Array(60);
  for (const each of values) for (const value of each) bins[Math.min(59, Math.max(0, ((value / reach + 1) * 30) | 0))]++;
  const most = Math.max(...bins, 1);
  context.fillStyle = colours.rule;
  bins.forEach((count, k) => context.fillRect((k * wide) / 60, at.low - (0.42 * at.low * count) / most, wide / 60 - 1, (0.42 * at.low * count) / most));
  axis(context, wide, at.low, colours, [[0, signed(-reach)], [wide / 2, "0"], [wide, signed(reach)]]);
  for (const level of [-1, 0, 1]) line(context, 0, at.y(level), level ? 8 : wide, at.y(level), colours.rule);
  context.textAlign = "left";
  for (const level of [-1, 1]) context.fillText(signed(level), 12, at.y(level) - 4);
  context.fillStyle = colours.bit;
  context.globalAlpha = 0.22;
  context.beginPath();
  context.moveTo(0, at.y(0));
  for (let px = 0; px <= wide; px += 1) context.lineTo(px, at.y(slope(at.value(px))));
  context.lineTo(wide, at.y(0));
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colours.bit;
  context.lineWidth = 2.5;
  context.beginPath();
  for (const [x, y] of [[-reach, low], [cut, low], [cut, high], [reach, high]]) context.lineTo(at.x(x), at.y(y));
  context.stroke();
  for (const { x, y } of handles) {
    context.fillStyle = colours.ground;
    context.beginPath();
    context.arc(at.x(x), at.y(y), 7, 0, 7);
    context.fill();
    context.stroke();
  }
}
