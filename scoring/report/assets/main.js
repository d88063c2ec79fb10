"use strict";
/* Load, wire the controls to the state, and draw whenever either changes. */

Report.switches = ["overlay", "masks", "residual", "apart", "beside"];

Report.start = async function () {
  Report.meta = Report.contents.meta;
  const get = (id) => document.getElementById(id);
  try {
    await Report.load("trajectory");
    await Promise.all(Report.meta.agents.map((_, number) => Promise.all([
      Report.load("trajectory-" + number), Report.load("trajectory-" + number + "-value")])));
  } catch (error) {
    Report.say(error.message + " The overview can still be read.");
    return;
  }
  Report.panels = Report.meta.agents.map((_, number) => new Report.Panel(number));
  get("panels").append(...Report.panels.map((panel) => panel.element));
  Report.timeline = new Report.Timeline();
  Report.whatIf = new Report.WhatIf();
  Report.cards = new Report.Cards();
  wire(get);
  Report.listeners.push(redraw);
  window.addEventListener("hashchange", Report.readAddress);
  get("viewer").hidden = false;
  Report.readAddress();
  await redraw();
  get("loaded").textContent = "Loaded in " + (performance.now() / 1000).toFixed(2) + " s.";
  document.documentElement.dataset.ready = "trajectory";
  await drawCards();
  document.documentElement.dataset.ready = "all";
};

function wire(get) {
  for (const name of Report.switches) {
    const box = get("switch-" + name);
    box.addEventListener("change", () => Report.set({ [name]: box.checked ? 1 : 0 }));
  }
  get("by").addEventListener("change", () => Report.set({ by: get("by").value }));
  get("target").addEventListener("change", () => Report.set({ target: get("target").value }));
  get("clip").addEventListener("change", () => {
    Report.timeline.pause();
    Report.set({ clip: get("clip").value, frame: 0, target: "value" });
  });
  get("agent").addEventListener("change", () => Report.set({ agent: Number(get("agent").value) }));
  get("share").addEventListener("click", share);
  document.addEventListener("keydown", key);
}

/* Show a frame in the viewer, from anywhere on the page. */
Report.show = function (changes) {
  Report.timeline.pause();
  Report.set(changes);
  document.getElementById("viewer").scrollIntoView({ block: "start" });
};

let drawing = 0;

async function redraw() {
  const ticket = ++drawing;
  const { state, meta } = Report;
  const numbers = meta.agents.map((_, number) => number).filter((n) => state.beside || n === state.agent);
  controls();
  try {
    const clip = await Report.load(state.clip);
    const agents = await Promise.all(numbers.map(async (number) => {
      const name = state.clip + "-" + number;
      const [view, explained, value] = await Promise.all(
        [Report.load(name), Report.load(name + "-" + state.target), Report.load(name + "-value")]);
      return { number, view, explained, value };
    }));
    if (ticket !== drawing) {
      return;
    }
    Report.current = { clip, agents };
    Report.panels.forEach((panel) => { panel.element.hidden = true; });
    agents.forEach(({ number, view, explained }) => {
      Report.panels[number].element.hidden = false;
      Report.panels[number].draw(clip, view, explained);
    });
    document.getElementById("panels").classList.toggle("several", agents.length > 1);
    Report.timeline.show(clip, agents.map(({ view }) => view));
    Report.whatIf.draw(Report.current);
    if (document.documentElement.dataset.ready === "all") {
      await drawCards();
    }
  } catch (error) {
    Report.say(error.message);
  }
}

async function drawCards() {
  const number = Report.state.agent;
  try {
    const clip = await Report.load("examples");
    Report.cards.draw(number, clip, await Report.load("examples-" + number + "-value"));
  } catch (error) {
    Report.say(error.message);
  }
}

/* Put the state into the controls. */
function controls() {
  const get = (id) => document.getElementById(id);
  const { state, meta } = Report;
  for (const name of Report.switches) {
    get("switch-" + name).checked = Boolean(state[name]);
  }
  for (const name of ["by", "clip", "agent"]) {
    get(name).value = String(state[name]);
  }
  const { targets } = meta.clips[state.clip];
  const options = targets.map((target) => Report.make("option", { value: target }, target === "value" ? "value" : "logit of " + target));
  get("target").replaceChildren(...options);
  get("target").value = state.target;
}

async function share() {
  try {
    await navigator.clipboard.writeText(location.href);
    document.getElementById("share").textContent = "Copied";
  } catch (error) {
    Report.say("This browser does not let the page use the clipboard; the address bar holds the same link.");
  }
}

function key(event) {
  const { tagName, type } = event.target;
  const presses = ["BUTTON", "SUMMARY"].includes(tagName) || type === "checkbox"; /* what the space bar presses itself */
  if (event.ctrlKey || event.metaKey || event.altKey || tagName === "SELECT" || (event.key === " " && presses)) {
    return;
  }
  const { state, meta } = Report;
  const flip = (name) => Report.set({ [name]: state[name] ? 0 : 1 });
  const actions = {
    ArrowLeft: () => (event.shiftKey ? Report.timeline.jump(-1) : Report.timeline.step(-1)),
    ArrowRight: () => (event.shiftKey ? Report.timeline.jump(1) : Report.timeline.step(1)),
    " ": () => Report.timeline.toggle(),
    Escape: () => Report.set({ feature: 0, drop: 0 }),
    o: () => flip("overlay"), m: () => flip("masks"), r: () => flip("residual"), s: () => flip("apart"),
    b: () => meta.agents.length > 1 && flip("beside"),
    c: () => Report.set({ by: state.by === "sign" ? "feature" : "sign" }),
    a: () => Report.set({ agent: (state.agent + 1) % meta.agents.length }),
  };
  const digit = Number(event.key);
  if (event.key >= "0" && event.key <= "9" && digit <= meta.agents[state.agent].features.length) {
    Report.set({ feature: digit === state.feature ? 0 : digit });
  } else if (actions[event.key]) {
    actions[event.key]();
  } else {
    return;
  }
  event.preventDefault();
}

document.addEventListener("DOMContentLoaded", Report.start);
