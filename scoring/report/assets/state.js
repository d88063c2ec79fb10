"use strict";
/* What is looked at: one object, mirrored in the address after the #, so that it can be shared. */

Report.defaults = {
  clip: "trajectory", frame: 0, agent: 0, feature: 0, target: "value", overlay: 1, masks: 1, residual: 0, apart: 0,
  by: "sign", drop: 0, beside: 1,
};
Report.state = { ...Report.defaults };
Report.hovered = null; /* {agent, feature} under the pointer: isolated as long as it is there */
Report.listeners = [];

/* Change the state, redraw what depends on it, and put it into the address unless a film is running. */
Report.set = function (changes) {
  const before = { ...Report.state };
  Object.assign(Report.state, changes);
  if (Report.state.frame !== before.frame || Report.state.clip !== before.clip) {
    Report.state.drop = changes.drop || 0;
  }
  if (Report.state.agent !== before.agent && changes.feature === undefined) {
    Report.state.feature = 0;
  }
  Report.listeners.forEach((listener) => listener(before));
  if (!Report.playing) {
    Report.writeSoon();
  }
};

Report.hover = function (agent, feature) {
  Report.hovered = feature ? { agent, feature } : null;
  Report.listeners.forEach((listener) => listener(Report.state));
};

/* The feature isolated for an agent, from 1; 0 for none. */
Report.isolated = function (agent) {
  if (Report.hovered) {
    return Report.hovered.agent === agent ? Report.hovered.feature : 0;
  }
  return Report.state.agent === agent ? Report.state.feature : 0;
};

let timer = 0;

Report.writeSoon = function () {
  clearTimeout(timer);
  timer = setTimeout(writeAddress, 120);
};

function writeAddress() {
  const parts = Object.keys(Report.defaults)
    .filter((key) => Report.state[key] !== Report.defaults[key])
    .map((key) => key + "=" + encodeURIComponent(Report.state[key]));
  const hash = "#" + parts.join("&");
  if (hash === location.hash || (hash === "#" && !location.hash)) {
    return;
  }
  try {
    history.replaceState(null, "", hash);
  } catch (error) {
    Report.say("This browser does not let the page change its address, so what you look at cannot be shared by it.");
  }
}

/* Read the address; what it does not name, or names wrongly, takes its default. A link to a heading is left alone. */
Report.readAddress = function () {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) {
    return;
  }
  const { meta } = Report;
  const given = new URLSearchParams(text);
  const state = { ...Report.defaults };
  for (const key of Object.keys(state)) {
    if (given.has(key)) {
      const value = given.get(key);
      state[key] = typeof state[key] === "number" ? Math.trunc(Number(value)) : value;
    }
  }
  const within = (value, low, high) => (Number.isFinite(value) ? Math.min(Math.max(value, low), high) : low);
  state.clip = meta.clips[state.clip] ? state.clip : "trajectory";
  state.agent = within(state.agent, 0, meta.agents.length - 1);
  state.frame = within(state.frame, 0, meta.clips[state.clip].frames - 1);
  state.feature = within(state.feature, 0, meta.agents[state.agent].features.length);
  state.target = meta.clips[state.clip].targets.includes(state.target) ? state.target : "value";
  state.by = state.by === "feature" ? "feature" : "sign";
  for (const key of ["overlay", "masks", "residual", "apart", "beside"]) {
    state[key] = state[key] ? 1 : 0;
  }
  state.drop = Math.max(0, state.drop || 0);
  Report.set(state);
};
