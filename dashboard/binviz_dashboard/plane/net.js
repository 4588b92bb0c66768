// Nets in two dimensions, their points and their training: the same formulas, in the same order, as binviz.playground.plane
// has with torch. Everything is float64. Nothing here knows of a page.

export const POINTS = 200; // that are trained on, and as many held out
const PAIR = 2 * Math.PI;

/** Numbers in [0, 1): mulberry32, one sequence for each seed and stream. */
export function uniform(seed, stream) {
  let state = (seed + stream * 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SHAPES = {
  circles: (next, t) => {
    const u = next(), a = PAIR * next(), r = t > 0 ? 0.45 * Math.sqrt(u) : 0.75 + 0.2 * u;
    return [r * Math.cos(a), r * Math.sin(a)];
  },
  xor: (next, t) => {
    const u = 0.08 + 0.84 * next(), v = 0.08 + 0.84 * next(), side = next() < 0.5 ? -1 : 1;
    return [side * u, side * t * v];
  },
  moons: (next, t) => {
    const a = (PAIR / 2) * next();
    return [0.65 * t * (Math.cos(a) - 0.5), 0.65 * t * (Math.sin(a) - 0.25)];
  },
  spirals: (next, t) => {
    const u = next(), a = 1.25 * PAIR * u + (t > 0 ? 0 : PAIR / 2), r = 0.1 + 0.85 * u;
    return [r * Math.cos(a), r * Math.sin(a)];
  },
};

/** {x: (n, 2), t: (n)} of a shape: labels -1 and +1 by turns, then noise that is normally distributed. */
export function points(shape, noise, seed, stream = 1) {
  const next = uniform(seed, stream), x = new Float64Array(2 * POINTS), t = new Float64Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    t[i] = i % 2 ? 1 : -1;
    const [a, b] = SHAPES[shape](next, t[i]);
    const size = noise * Math.sqrt(-2 * Math.log(1 - next())), angle = PAIR * next();
    x[2 * i] = a + size * Math.cos(angle);
    x[2 * i + 1] = b + size * Math.sin(angle);
  }
  return { x, t };
}

/** {x, t} of [[x1, x2, t], ...]. */
export const given = (rows) => ({
  x: Float64Array.from(rows.flatMap(([a, b]) => [a, b])),
  t: Float64Array.from(rows.map((row) => row[2])),
});

const clipped = (y) => (Math.abs(y) <= 1 ? 1 : 0);
const triangle = (y) => Math.max(2 - Math.abs(2 * y), 0);
// (4 w / pi) sum_{i=0}^n cos((2i+1) w y), w = 0.1, n = 9
const fourier = (y) => {
  const a = Math.max(Math.abs(y) * 0.1, 1e-5);
  return clipped(y) * ((0.2 / Math.PI) * (Math.sin(20 * a) / Math.sin(a)));
};

/** Slopes that a binarizer may be given in place of its own. */
export const SURROGATES = { zero: () => 0, identity: () => 1, clipped, triangle, fourier };

// Each reads y = (x - t) / w. scale: of the code; "row" and "all" are means of |y|. centre: what is subtracted before
// the sign. slope: dq/dy, where s is the scale without the factor c. moves: what can be moved by hand.
export const WEIGHTS = {
  bnn: { slope: clipped, moves: "tcw" },
  "xnor-weight": { scale: "row", slope: clipped, moves: "tcw" },
  "bireal-weight": { scale: "row", slope: (y, s) => clipped(y) / s, moves: "tcw" },
  "bibert-weight": { scale: "row", centre: "row", slope: (y, s) => clipped(y) / s, moves: "cw" },
  "bit-weight": { scale: "all", centre: "all", detached: true, slope: (y, s) => 1 / s, moves: "c" },
  "recu-weight": { scale: "learned", centre: "row", standard: true, moves: "c" },
  "fda-weight": { scale: "row", slope: fourier, moves: "tcw" },
};
export const ACTIVATIONS = {
  bnn: { slope: clipped, moves: "tcw" },
  "xnor-activation": { scale: "row", slope: clipped, moves: "tcw" },
  "bireal-activation": { slope: triangle, moves: "tcw" },
  "reactnet-activation": { shift: true, slope: triangle, moves: "tcw" },
  "elastic-signed": { scale: "learned", slope: (y, a) => (Math.abs(y) <= a ? 1 / a : 0), moves: "tc" },
  "elastic-unsigned": { scale: "learned", unsigned: true, slope: (y, a) => (y / a >= 0 && y / a <= 1 ? 1 / a : 0), moves: "tc" },
  "fda-activation": { slope: fourier, moves: "tcw" },
};
const RECU = -Math.log(2 - 2 * 0.85); // Q_tau over the mean magnitude, tau as at the start of training
const STANDARD = 2 * Math.SQRT2;
const SMALLEST_ALPHA = 1e-5;

const meanSize = (y, from, to) => {
  let sum = 0;
  for (let k = from; k < to; k++) sum += Math.abs(y[k]);
  return Math.max(sum / (to - from), 1e-8);
};
const mean = (y, from, to) => {
  let sum = 0;
  for (let k = from; k < to; k++) sum += y[k];
  return sum / (to - from);
};
const parameter = (size, value = 0) => ({ value: new Float64Array(size).fill(value), grad: new Float64Array(size) });

/** y = sum of (codes of x) (codes of w) times the scales, plus b; a part that is null stays float. */
class Layer {
  /** weight, activation: {name, threshold, scale, width, surrogate}; plain: the input is taken as it is. */
  constructor(inputs, outputs, weight, activation, plain) {
    Object.assign(this, { inputs, outputs, weight, activation, plain });
    this.w = parameter(inputs * outputs);
    this.b = parameter(outputs);
    this.q = new Float64Array(inputs * outputs); // of the weights: what is multiplied with
    this.s = new Float64Array(outputs).fill(1);
    this.slope = new Float64Array(inputs * outputs);
    this.parameters = [this.w, this.b];
    if (weight && WEIGHTS[weight.name].scale === "learned") this.parameters.push((this.rows = parameter(outputs, 1)));
    const kind = activation && ACTIVATIONS[activation.name];
    if (kind?.scale === "learned") this.parameters.push((this.alpha = parameter(1, 1)));
    if (kind?.shift) this.parameters.push((this.shift = parameter(inputs)));
    this.started = new Set(); // of the parameters that start from data
  }

  /** As torch.nn.Linear begins: uniform in +-1 / sqrt(inputs), weights row by row, then biases. */
  start(next) {
    const bound = 1 / Math.sqrt(this.inputs);
    for (const { value } of [this.w, this.b]) for (let k = 0; k < value.length; k++) value[k] = bound * (2 * next() - 1);
  }

  /** Codes, scales and slopes of the weights. */
  encode() {
    const { w: { value: w }, q, s, slope, weight, inputs, outputs } = this;
    if (!weight) return void q.set(w);
    const { name, threshold, scale, width, surrogate } = weight, kind = WEIGHTS[name], other = SURROGATES[surrogate];
    const y = w.map((each) => (each - threshold) / width);
    const [all, middle] = [meanSize(y, 0, y.length), mean(y, 0, y.length)];
    if (kind.standard) {
      if (!this.started.has(this.rows)) for (let o = 0; o < outputs; o++) this.rows.value[o] = meanSize(y, o * inputs, (o + 1) * inputs);
      this.started.add(this.rows);
      this.standard = this.standardized(y);
      this.limit = RECU * meanSize(this.standard.y, 0, y.length);
    }
    for (let o = 0; o < outputs; o++) {
      const from = o * inputs, to = from + inputs;
      const size = kind.scale === "row" ? meanSize(y, from, to) : kind.scale === "all" ? all : 1;
      const centre = kind.centre === "row" ? mean(y, from, to) : kind.centre === "all" ? middle : 0;
      s[o] = scale * (kind.standard ? this.rows.value[o] : kind.scale ? size * width : 1);
      for (let k = from; k < to; k++) {
        q[k] = y[k] - centre >= 0 ? 1 : -1;
        slope[k] = other ? other(y[k] - centre)
          : kind.standard ? (Math.abs(this.standard.y[k]) <= this.limit ? 1 : 0)
          : kind.slope(y[k] - centre, size);
      }
    }
  }

  /** ReCU's rows: 2 sqrt(2) (y - mean) / sqrt(variance + 1e-5). */
  standardized(y) {
    const { inputs, outputs } = this, to = new Float64Array(y.length), centred = new Float64Array(y.length), r = new Float64Array(outputs);
    for (let o = 0; o < outputs; o++) {
      const from = o * inputs, middle = mean(y, from, from + inputs);
      let squares = 0;
      for (let k = from; k < from + inputs; k++) squares += (centred[k] = y[k] - middle) ** 2;
      r[o] = 1 / Math.sqrt(squares / Math.max(inputs - 1, 1) + 1e-5);
      for (let k = from; k < from + inputs; k++) to[k] = centred[k] * (STANDARD * r[o]);
    }
    return { y: to, centred, r };
  }

  /** The gradient to the weights, from the one to what they are multiplied as. */
  weightGradient(dq) {
    const { w, weight, slope, inputs, outputs, standard } = this;
    if (!weight) return void w.grad.set(dq);
    const kind = WEIGHTS[weight.name], own = weight.surrogate === "own";
    const d = dq.map((each, k) => each * slope[k]);
    for (let o = 0; o < outputs && kind.standard && own; o++) {
      const from = o * inputs, r = standard.r[o];
      let along = 0;
      for (let k = from; k < from + inputs; k++) along += d[k] * standard.centred[k];
      // through the mean magnitude: d/dy of y r, where r = (variance + eps)^(-1/2)
      for (let k = from; k < from + inputs; k++)
        d[k] = STANDARD * r * (d[k] - (r * r * along * standard.centred[k]) / Math.max(inputs - 1, 1));
    }
    if (kind.centre && !(kind.detached && own)) {
      const size = kind.centre === "row" ? inputs : d.length;
      for (let from = 0; from < d.length; from += size) {
        const middle = mean(d, from, from + size);
        for (let k = from; k < from + size; k++) d[k] -= middle;
      }
    }
    for (let k = 0; k < d.length; k++) w.grad[k] = d[k] / weight.width;
  }

  /** Codes and slopes of n inputs x, into `at`. */
  read(x, n, at) {
    const { inputs, activation, plain } = this, size = n * inputs, a = at.a;
    if (plain) return void a.set(x.subarray(0, size));
    if (!activation) {
      for (let k = 0; k < size; k++) a[k] = Math.tanh(x[k]);
      return;
    }
    const { name, threshold, scale, width, surrogate } = activation, kind = ACTIVATIONS[name];
    const slope = SURROGATES[surrogate] ?? kind.slope;
    if (this.alpha && !this.started.has(this.alpha)) this.startAlpha(x, size);
    const alpha = this.alpha ? Math.max(this.alpha.value[0], SMALLEST_ALPHA) : 1;
    const cut = kind.unsigned ? alpha / 2 : 0, low = kind.unsigned ? 0 : -1, from = surrogate === "own" ? 0 : cut;
    for (let i = 0, k = 0; i < n; i++) {
      let sum = 0;
      for (let f = 0; f < inputs; f++, k++) {
        let y = (x[k] - threshold) / width;
        sum += Math.abs(y);
        if (this.shift) y += this.shift.value[f];
        a[k] = kind.unsigned ? (y > cut ? 1 : 0) : y >= 0 ? 1 : low;
        if (at.slope) at.slope[k] = slope(y - from, alpha);
        if (at.ratio) at.ratio[k] = y / alpha;
      }
      at.s[i] = scale * (kind.scale === "row" ? Math.max(sum / inputs, 1e-8) * width : alpha);
    }
  }

  /** LSQ's start: twice the mean magnitude, four times where codes are 0 and 1. */
  startAlpha(x, size) {
    const { threshold, width, name } = this.activation;
    const y = x.subarray(0, size).map((each) => (each - threshold) / width);
    this.alpha.value[0] = (ACTIVATIONS[name].unsigned ? 4 : 2) * (y.reduce((sum, each) => sum + Math.abs(each), 0) / size);
    this.started.add(this.alpha);
  }

  forward(x, n, at) {
    const { inputs, outputs, q, s, b: { value: b } } = this, { a, sums, z } = at;
    this.read(x, n, at);
    const scaled = this.activation !== null;
    for (let i = 0, k = 0; i < n; i++) {
      for (let o = 0; o < outputs; o++, k++) {
        let sum = 0;
        for (let f = 0, at = i * inputs, to = o * inputs; f < inputs; f++) sum += a[at++] * q[to++];
        sums[k] = sum;
        z[k] = sum * (scaled ? s[o] * at.s[i] : s[o]) + b[o];
      }
    }
    return z;
  }

  /** Gradients of all parameters, and to the input, from dz. */
  backward(dz, n, at) {
    const { inputs, outputs, q, s, activation, plain } = this, { a, sums } = at;
    const dq = new Float64Array(inputs * outputs), dx = new Float64Array(n * inputs);
    const scaled = activation !== null, kind = scaled ? ACTIVATIONS[activation.name] : null;
    this.b.grad.fill(0);
    this.rows?.grad.fill(0);
    this.shift?.grad.fill(0);
    let alpha = 0;
    for (let i = 0, k = 0; i < n; i++) {
      const size = scaled ? at.s[i] : 1;
      for (let o = 0; o < outputs; o++, k++) {
        this.b.grad[o] += dz[k];
        if (this.rows) this.rows.grad[o] += this.weight.scale * dz[k] * sums[k] * size;
        if (this.alpha) alpha += activation.scale * dz[k] * sums[k] * s[o];
        const d = dz[k] * s[o] * size;
        for (let f = 0, from = i * inputs, to = o * inputs; f < inputs; f++, from++, to++) {
          dq[to] += d * a[from];
          dx[from] += d * q[to];
        }
      }
    }
    this.weightGradient(dq);
    if (plain) return dx;
    for (let i = 0, k = 0; i < n; i++) {
      for (let f = 0; f < inputs; f++, k++) {
        if (!activation) {
          dx[k] *= 1 - a[k] * a[k];
          continue;
        }
        const d = dx[k] * at.slope[k];
        if (kind.unsigned && activation.surrogate === "own") alpha -= d * at.ratio[k];
        if (this.shift) this.shift.grad[f] += d;
        dx[k] = d / activation.width;
      }
    }
    if (this.alpha) this.alpha.grad[0] = alpha / Math.sqrt(n * inputs);
    return dx;
  }
}

/** Room for what n inputs leave behind in a net; with slopes where there is a way back. */
function room(net, n, back) {
  return net.layers.map(({ inputs, outputs, alpha }) => ({
    a: new Float64Array(n * inputs),
    s: new Float64Array(n),
    slope: back ? new Float64Array(n * inputs) : null,
    ratio: back && alpha ? new Float64Array(n * inputs) : null,
    sums: new Float64Array(n * outputs),
    z: new Float64Array(n * outputs),
  }));
}

/** 2 inputs, layers of `width` units, 1 output; the first layer and the last have float weights unless `ends`. */
export class Net {
  constructor({ depth, width, ends }, weight, activation, seed) {
    const next = uniform(seed, 0), sizes = [2, ...Array(depth).fill(width), 1];
    this.layers = sizes.slice(1).map((outputs, l) => {
      const inner = l > 0 && l < depth;
      return new Layer(sizes[l], outputs, inner || ends ? weight : null, l > 0 ? activation : null, l === 0);
    });
    for (const layer of this.layers) layer.start(next);
    this.rooms = new Map();
  }

  get parameters() {
    return this.layers.flatMap((layer) => layer.parameters);
  }

  /** What n inputs leave behind: for each layer a (codes of its input), sums, z; z of the last is the answer. */
  forward(x, n = x.length / 2, back = false) {
    const key = `${n} ${back}`;
    if (!this.rooms.has(key)) this.rooms.set(key, room(this, n, back));
    const rooms = this.rooms.get(key);
    let from = x;
    this.layers.forEach((layer, l) => {
      layer.encode();
      from = layer.forward(from, n, rooms[l]);
    });
    return rooms;
  }

  /** Mean of -log sigmoid(t z) over all points, and its gradient in every parameter. */
  loss({ x, t }, back = true) {
    const n = t.length, rooms = this.forward(x, n, back), { z } = rooms.at(-1);
    let loss = 0, dz = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const m = t[i] * z[i], small = Math.exp(-Math.abs(m));
      loss += Math.log1p(small) - Math.min(m, 0);
      dz[i] = (-t[i] * (m >= 0 ? small : 1)) / (1 + small) / n;
    }
    if (back) for (let l = rooms.length - 1; l >= 0; l--) dz = this.layers[l].backward(dz, n, rooms[l]);
    return loss / n;
  }

  /** The share of points whose side of zero is their label. */
  accuracy({ x, t }) {
    const { z } = this.forward(x, t.length).at(-1);
    return t.reduce((right, each, i) => right + (each > 0 === z[i] >= 0), 0) / t.length;
  }
}

/** Which of threshold t, scale c and width w change anything, given the slope that is taken. */
export function movable(which, name, surrogate) {
  const { moves } = (which === "weights" ? WEIGHTS : ACTIVATIONS)[name] ?? { moves: "" };
  if (!moves || surrogate === "own") return moves;
  return moves.replace("w", "") + (surrogate === "zero" || surrogate === "identity" ? "" : "w");
}

/** A net's binarizer as one curve: where its code changes, both values, dq/dx; means over units where they differ. */
export function profile(net, which, rooms) {
  const key = which === "weights" ? "weight" : "activation", layers = net.layers.filter((layer) => layer[key]);
  if (!layers.length) return null;
  const { name, threshold: t, width: w, scale: c, surrogate } = layers[0][key], other = SURROGATES[surrogate];
  const kind = (key === "weight" ? WEIGHTS : ACTIVATIONS)[name];
  const over = (read) => layers.reduce((sum, layer) => sum + read(layer), 0) / layers.length;
  const average = (values) => mean(values, 0, values.length);
  if (key === "weight") {
    const high = over((layer) => average(layer.s)), middle = kind.centre ? (over((layer) => average(layer.w.value)) - t) / w : 0;
    const size = kind.scale ? high / c / w : 1, r = kind.standard ? over((layer) => average(layer.standard.r)) : 0;
    const limit = kind.standard ? over((layer) => layer.limit) / (STANDARD * r) : 0;
    const own = kind.standard ? (y) => (Math.abs(y) <= limit ? STANDARD * r : 0) : (y) => kind.slope(y, size);
    return { cut: t + w * middle, low: -high, high, slope: (x) => (other ?? own)((x - t) / w - middle) / w };
  }
  const alpha = over((layer) => layer.alpha?.value[0] ?? 1), shift = kind.shift ? over((layer) => average(layer.shift.value)) : 0;
  const high = kind.scale === "row" ? over((layer) => average(rooms[net.layers.indexOf(layer)].s)) : c * alpha;
  const cut = kind.unsigned ? alpha / 2 : 0, from = other ? cut : 0;
  const slope = (x) => (other ?? kind.slope)((x - t) / w + shift - from, alpha) / w;
  return { cut: t + w * (cut - shift), low: kind.unsigned ? 0 : -high, high, slope };
}

const OPTIMIZERS = {
  sgd: (value, grad, lr) => {
    for (let k = 0; k < value.length; k++) value[k] -= lr * grad[k];
  },
  momentum: (value, grad, lr, { m }) => {
    for (let k = 0; k < value.length; k++) value[k] -= lr * (m[k] = 0.9 * m[k] + grad[k]);
  },
  adam: (value, grad, lr, { m, v, step }) => {
    const first = 1 - 0.9 ** step, second = Math.sqrt(1 - 0.999 ** step);
    for (let k = 0; k < value.length; k++) {
      m[k] = 0.9 * m[k] + 0.1 * grad[k];
      v[k] = 0.999 * v[k] + 0.001 * grad[k] * grad[k];
      value[k] -= ((lr / first) * m[k]) / (Math.sqrt(v[k]) / second + 1e-8);
    }
  },
};

/** A net that learns, all points at once in each step. */
export class Learner {
  constructor(net) {
    this.net = net;
    this.step = 0;
    this.flipped = []; // {layer, k}: the codes that the last step changed
    this.memory = new Map(net.parameters.map((each) => [each, { m: each.value.map(() => 0), v: each.value.map(() => 0) }]));
  }

  /** One step; returns the loss before it. */
  learn(data, optimizer, lr) {
    const loss = this.net.loss(data);
    if (!Number.isFinite(loss)) return loss;
    const before = this.net.layers.map((layer) => layer.q.slice());
    this.step++;
    for (const each of this.net.parameters)
      OPTIMIZERS[optimizer](each.value, each.grad, lr, { ...this.memory.get(each), step: this.step });
    this.flipped = [];
    this.net.layers.forEach((layer, l) => {
      layer.encode();
      if (layer.weight) before[l].forEach((code, k) => code !== layer.q[k] && this.flipped.push({ layer: l, k }));
    });
    return loss;
  }
}
