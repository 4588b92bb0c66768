import { movable } from "./net.js";
import { read } from "./settings.js";

// What a visitor operates: the page's bones, and a widget for each control.

export const PANELS = { float: "Float net", net: "Units", curves: "Binarizer's curve", latents: "Latent weights", losses: "Loss" };
export const LETTERS = { threshold: "t", scale: "c", width: "w" };
export const HTML = `
<div class="bar" role="toolbar" aria-label="Training">
  <button data-do="play" class="main" aria-pressed="false">Play</button>
  <button data-do="step">Step</button>
  <button data-do="reset">Reset</button>
  <output class="count" aria-live="off"></output>
  <span class="dice"></span>
  <span class="grow"></span>
  <button data-do="python">As Python</button>
  <button data-do="lesson">Lesson link</button>
</div>
<p class="said" role="status"></p>
<div class="body">
  <details class="settings" open><summary>Settings</summary><div class="groups"></div></details>
  <div class="stage">
    <div class="pair">
      <figure data-panel="float"><figcaption><b class="is-float">Float</b> <span class="of-float"></span></figcaption>
        <canvas class="plane-float" role="img" aria-label="Decision surface of the float net."></canvas></figure>
      <figure><figcaption><b class="is-bit">1-bit</b> <span class="of-bit"></span></figcaption>
        <canvas class="plane-bit" role="img" aria-label="Decision surface of the 1-bit net."></canvas></figure>
    </div>
    <div class="own" hidden>
      <fieldset><legend>A click adds</legend>
        <label><input type="radio" name="side" value="-1" checked> ● −1</label>
        <label><input type="radio" name="side" value="1"> ◆ +1</label></fieldset>
      <button data-do="undo">Take back</button><button data-do="clear">Clear</button><button data-do="csv">As CSV</button>
    </div>
    <div data-panel="net"><div class="net"><canvas class="edges" aria-hidden="true"></canvas></div><p class="about"></p></div>
  </div>
  <div class="side">
    <section data-panel="curves" class="curves"><canvas class="curve" role="img" aria-label="The binarizer's code, its surrogate and the numbers it meets."></canvas></section>
    <section data-panel="latents"><h4>Latent weights <small>a ring is a flip</small></h4>
      <canvas class="latent" role="img" aria-label="Latent weights of the 1-bit layers."></canvas></section>
    <section data-panel="losses"><h4>Loss <small>dashed: held-out points</small></h4>
      <canvas class="loss" role="img" aria-label="Loss of both nets by step."></canvas></section>
  </div>
</div>
<dialog><form method="dialog"><button aria-label="Close">Close</button></form><div class="content"></div></dialog>`;

export const make = (tag, given = {}, ...children) => {
  const found = Object.assign(document.createElement(tag), given);
  found.append(...children);
  return found;
};
export const percent = (share) => (share === 1 || share === 0 ? `${100 * share} %` : `${Math.min(99.9, 100 * share).toFixed(1)} %`);

/** A widget for each control that has a label. */
export function widgets(page) {
  const groups = {};
  for (const { key, label, group, kind, options, low, high, step } of page.controls) {
    if (!label) continue;
    const input = kind === "choice" ? make("select", {}, ...Object.entries(options).map(([each, text]) => new Option(text, each)))
      : kind === "switch" ? make("input", { type: "checkbox" })
      : make("input", { type: kind === "slide" ? "range" : "number", min: low, max: high, step });
    input.ariaLabel = label;
    const change = (rests) => {
      try {
        page.set(key, read(page.control[key], kind === "switch" ? String(input.checked) : input.value), rests);
      } catch {
        page.show();
      }
    };
    if (kind === "slide") input.oninput = () => change(false);
    input.onchange = () => change(true);
    const value = kind === "slide" ? [make("span", { className: "value" })] : [];
    const row = make("label", { className: `row-${kind}` }, make("span", { textContent: label }), ...value, input);
    row.dataset.key = key;
    (groups[group] ??= []).push(row);
  }
  const { Bar, Curve, activations, weights, ...settings } = groups;
  page.find(".dice").append(...Bar);
  for (const [title, rows] of Object.entries(settings))
    page.find(".groups").append(make("fieldset", {}, make("legend", { textContent: title }), ...rows));
  page.find(".curves").prepend(...Curve);
  page.find(".curves").append(...activations, ...weights);
}

/** Every widget as the settings say, and only those that do something. */
export function showWidgets({ root, settings, control, find }) {
  const hidden = settings.hide.split(",");
  for (const row of root.querySelectorAll("[data-key]")) {
    const { key } = row.dataset, input = row.querySelector("input, select"), [which, what] = key.split(".");
    if (control[key].kind === "switch") input.checked = settings[key];
    else if (input.value !== String(settings[key])) input.value = settings[key];
    const value = row.querySelector(".value"), name = settings[`${which}.binarizer`];
    if (value) value.textContent = settings[key];
    const ofCurve = control[key].group === which;
    const stuck = LETTERS[what] && !movable(which, name, settings[`${which}.surrogate`]).includes(LETTERS[what]);
    const idle = ofCurve && (which !== settings.curve || name === "float" || stuck);
    row.hidden = hidden.includes(key) || idle || (key === "noise" && settings.data === "own");
  }
  for (const panel of Object.keys(PANELS)) find(`[data-panel=${panel}]`).hidden = hidden.includes(panel);
  const groups = [...root.querySelectorAll(".groups fieldset")];
  for (const group of groups) group.hidden = [...group.querySelectorAll("label")].every((each) => each.hidden);
  find(".settings").hidden = groups.every((each) => each.hidden);
  find(".own").hidden = settings.data !== "own";
}

export function copier(text) {
  const button = make("button", { type: "button", textContent: "Copy" });
  button.onclick = async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
  };
  return button;
}

