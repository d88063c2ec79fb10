"use strict";
/* The current frame without one of its objects, and what that changes; all of it was computed beforehand. */

/* Choose the object at a pixel; choosing it again puts it back. */
Report.pick = function (x, y) {
  const { state, current } = Report;
  if (!current) {
    return;
  }
  const item = current.clip.labels[state.frame * 4096 + y * 64 + x] & 127;
  const kind = item ? current.clip.kinds[state.frame][item - 1] : null;
  if (kind && Report.kind(kind).removable) {
    Report.set({ drop: state.drop === item ? 0 : item });
  } else {
    Report.set({ drop: 0 });
    document.getElementById("items-note").textContent = kind
      ? "The " + Report.bare(kind) + " cannot be taken out." : "There is only background at that place.";
  }
};

/* Row of the changed frame for the frame's item, or -1. */
Report.removal = function (clip, frame, item) {
  for (let row = 0; row < clip.removedFrame.length; row++) {
    if (clip.removedFrame[row] === frame && clip.removedItem[row] === item - 1) {
      return row;
    }
  }
  return -1;
};

Report.WhatIf = class {
  constructor() {
    this.items = document.getElementById("items");
    this.note = document.getElementById("items-note");
    this.result = document.getElementById("whatif-result");
  }

  draw(current) {
    const { state } = Report;
    const kinds = current.clip.kinds[state.frame];
    const key = [state.clip, state.frame, state.drop, state.beside, state.agent].join();
    if (key === this.key) {
      return;
    }
    this.key = key;
    this.buttons(current.clip, kinds);
    this.result.replaceChildren();
    const row = state.drop ? Report.removal(current.clip, state.frame, state.drop) : -1;
    if (row < 0) {
      return;
    }
    const { removedStart, places, colours } = current.clip;
    const [start, end] = [removedStart[row], removedStart[row + 1]];
    const pixels = Report.changed(
      current.clip.frames, state.frame, places.subarray(start, end), colours.subarray(start * 3, end * 3));
    const plain = Report.changed(current.clip.frames, state.frame, [], []);
    this.result.append(Report.make("div", { class: "pair" },
      picture(plain, "the frame"), picture(pixels, "without " + this.wording(current.clip, kinds))));
    current.agents.forEach(({ number, view, value }) => this.result.append(this.changes(number, view, value, row)));
  }

  wording(clip, kinds) {
    const kind = kinds[Report.state.drop - 1];
    return (clip.consecutive ? "the " : "every ") + Report.bare(kind);
  }

  buttons(clip, kinds) {
    const { make, state } = Report;
    const counts = {};
    const buttons = kinds.map((kind, index) => {
      if (!Report.kind(kind).removable || Report.removal(clip, state.frame, index + 1) < 0) {
        return null;
      }
      counts[kind] = (counts[kind] || 0) + 1;
      const several = kinds.filter((other) => other === kind).length > 1;
      return make("button", {
        type: "button", class: "item", "data-item": index + 1, "aria-pressed": state.drop === index + 1,
        onclick: () => Report.set({ drop: state.drop === index + 1 ? 0 : index + 1 }),
      }, Report.kind(kind).words + (several ? " " + counts[kind] : ""));
    });
    this.items.replaceChildren(...buttons.filter((button) => button));
    this.note.textContent = clip.consecutive
      ? "or click an object in the frame" : "in these frames the score took out every object of a class at once";
  }

  changes(number, view, value, row) {
    const { make, state, meta } = Report;
    const agent = meta.agents[number];
    const before = view.values[state.frame];
    const after = view.removedValues[row];
    const width = agent.features.length + 1;
    const digits = Report.digits(value.axis);
    const differences = Array.from({ length: width },
      (_, k) => view.removedSums[row * width + k] - value.sums[state.frame * width + k]);
    const axis = Math.max(...differences.map(Math.abs), 1e-9);
    const bars = differences.map((difference, k) => {
      const feature = agent.features[k];
      const fill = make("span", { class: "fill" });
      Report.signedBar(fill, difference, axis);
      return make("div", { class: "bar", "data-feature": k + 1 },
        make("span", { class: "swatch", style: "background:" + Report.css(Report.featureColour(k, width - 1)) },
          feature ? String(k + 1) : "r"),
        make("span", { class: "name" }, feature ? feature.short : "residual"),
        make("span", { class: "track" }, fill), make("span", { class: "value" }, Report.number(difference, Report.digits(axis), true)));
    });
    const count = meta.effects.length;
    const rows = meta.effects.map((effect, index) => {
      const [was, is] = [view.policy[state.frame * count + index], view.removedPolicy[row * count + index]];
      return make("tr", { "data-effect": effect }, make("th", { scope: "row" }, [Report.ARROWS[effect], effect].filter(Boolean).join(" ")),
        make("td", {}, percent(was)), make("td", {}, percent(is)), make("td", {}, Report.number(100 * (is - was), 0, true)));
    });
    return make("section", { class: "changes", "data-agent": number },
      make("h4", {}, agent.name),
      make("p", { class: "difference" }, "value " + Report.number(before, digits) + " → " + Report.number(after, digits) + " (",
        make("strong", {}, Report.number(after - before, digits, true)), ")"),
      make("div", { class: "features" }, make("h5", {}, "Change of attribution; adds up to the change of value"), ...bars),
      make("table", { class: "policies" },
        make("thead", {}, make("tr", {}, ...["policy", "with", "without", "points"].map((word) => make("th", { scope: "col" }, word)))),
        make("tbody", {}, ...rows)));
  }
};

function percent(chance) {
  return Math.round(100 * chance) + "%";
}

function picture(pixels, words) {
  const canvas = Report.make("canvas", { class: "pixels", width: 64, height: 64 });
  Report.paint(canvas, pixels);
  return Report.make("figure", {}, canvas, Report.make("figcaption", {}, words));
}
