"use strict";
/* One agent on the current frame: pictures, a bar for each feature, the policy, value and advantage. */

const ARROWS = {
  left: "←", "left-up": "↖", "left-down": "↙", up: "↑", nothing: "·", down: "↓", right: "→", "right-up": "↗",
  "right-down": "↘",
};
Report.ARROWS = ARROWS;

Report.Panel = class {
  constructor(number) {
    const { make } = Report;
    this.number = number;
    this.agent = Report.meta.agents[number];
    this.pictures = ["both", "positive", "negative"].map((shown) => this.picture(shown));
    this.readout = make("p", { class: "readout" });
    this.bars = this.agent.features.map((feature, index) => this.bar(index, feature));
    this.bars.push(this.bar(this.agent.features.length, null));
    this.policy = Report.meta.effects.map((effect) => this.column(effect));
    this.element = make("section", { class: "panel", "data-agent": number, "aria-label": this.agent.name },
      make("h3", {}, make("span", { class: "line line-" + number }), this.agent.name),
      make("div", { class: "pictures" }, ...this.pictures.map((picture) => picture.element)),
      this.readout,
      make("div", { class: "charts" },
        make("div", { class: "features" }, make("h4", {}, "Attribution by feature"),
          ...this.bars.map((bar) => bar.element)),
        make("div", { class: "policy" }, make("h4", {}, "Policy"),
          make("div", { class: "columns" }, ...this.policy.map((column) => column.element)))));
  }

  picture(shown) {
    const { make } = Report;
    const pixels = make("canvas", { class: "pixels", width: 64, height: 64 });
    const lines = make("canvas", { class: "outlines", width: 512, height: 512 });
    const caption = make("figcaption", {});
    const frame = make("div", {
      class: "frame", onclick: (event) => this.click(event, frame), onmousemove: (event) => this.point(event, frame),
      onmouseleave: () => { this.tip = null; this.tell(); },
    }, pixels, lines);
    return { shown, pixels, lines, caption, element: make("figure", { "data-shown": shown }, frame, caption) };
  }

  bar(index, feature) {
    const { make } = Report;
    const colour = Report.css(Report.featureColour(index, this.agent.features.length));
    const fill = make("span", { class: "fill" });
    const value = make("span", { class: "value" });
    const name = feature ? feature.short : "residual";
    const choose = () => Report.set({ agent: this.number, feature: this.isIsolated(index) ? 0 : index + 1 });
    const element = make("button", {
      type: "button", class: "bar", "data-feature": index + 1, disabled: !feature, title: feature ? feature.title : "What the features leave over",
      onclick: choose, onmouseenter: () => feature && Report.hover(this.number, index + 1), onmouseleave: () => Report.hover(),
    },
    make("span", { class: "swatch", style: "background:" + colour }, feature ? String(index + 1) : "r"),
    make("span", { class: "name" }, name), make("span", { class: "track" }, fill), value);
    return { element, fill, value };
  }

  column(effect) {
    const { make } = Report;
    const fill = make("span", { class: "fill" });
    const value = make("span", { class: "value" });
    const element = make("div", { class: "column", "data-effect": effect }, value,
      make("span", { class: "track" }, fill), make("span", { class: "arrow", title: effect }, ARROWS[effect] || effect));
    return { effect, element, fill, value };
  }

  isIsolated(index) {
    return Report.state.agent === this.number && Report.state.feature === index + 1;
  }

  place(event, frame) {
    const box = frame.getBoundingClientRect();
    const along = (value, start, size) => Math.min(Math.max(Math.floor(((value - start) / size) * 64), 0), 63);
    return { x: along(event.clientX, box.left, box.width), y: along(event.clientY, box.top, box.height) };
  }

  click(event, frame) {
    const { x, y } = this.place(event, frame);
    Report.pick(x, y);
  }

  point(event, frame) {
    const { x, y } = this.place(event, frame);
    this.tip = { x, y };
    this.tell();
  }

  /* Draw the frame of the state with what was loaded: the clip, this agent's view and its explained target. */
  draw(clip, view, explained) {
    this.clip = clip;
    this.view = view;
    this.explained = explained;
    const { state } = Report;
    const geometry = { ...this.agent.geometry, features: this.agent.features.length };
    const isolated = Report.isolated(this.number);
    const apart = state.apart && state.overlay;
    const aim = state.target === "value" ? "value" : "logit of " + state.target;
    const [up, down] = state.by === "sign" ? ["orange, solid", "blue, dotted"] : ["solid", "dotted"];
    const words = {
      both: state.overlay ? up + ": raises the " + aim + "; " + down + ": lowers it" : "the frame as the agent sees it",
      positive: "+ raises the " + aim, negative: "− lowers the " + aim,
    };
    for (const picture of this.pictures) {
      const wanted = apart ? picture.shown !== "both" : picture.shown === "both";
      picture.element.hidden = !wanted;
      if (wanted) {
        Report.paint(picture.pixels, Report.blend(clip.frames, explained, state.frame, geometry, {
          rgbFrame: state.frame, shown: picture.shown, by: state.by, overlay: state.overlay, residual: state.residual,
          isolated,
        }));
        picture.lines.getContext("2d").clearRect(0, 0, 512, 512);
        if (state.masks) {
          Report.outline(picture.lines, clip.labels, state.frame, clip.kinds[state.frame], state.drop);
          if (isolated) {
            Report.outlineRegion(picture.lines, clip, state.frame, this.agent.features[isolated - 1].kind);
          }
        }
        picture.caption.textContent = words[picture.shown];
      }
    }
    this.drawBars(explained, isolated);
    this.drawPolicy(view, clip);
    this.tell();
  }

  drawBars(explained, isolated) {
    const { state } = Report;
    this.bars.forEach((bar, index) => {
      const value = explained.sums[state.frame * this.bars.length + index];
      Report.signedBar(bar.fill, value, explained.axis);
      bar.value.textContent = Report.number(value, Report.digits(explained.axis), true);
      bar.element.classList.toggle("faded", Boolean(isolated) && isolated !== index + 1);
      bar.element.setAttribute("aria-pressed", this.isIsolated(index));
    });
    this.bars.at(-1).element.hidden = !state.residual;
  }

  drawPolicy(view, clip) {
    const count = this.policy.length;
    const taken = clip.actions[Report.state.frame];
    this.policy.forEach((column, index) => {
      const chance = view.policy[Report.state.frame * count + index];
      column.fill.style.height = 100 * chance + "%";
      column.value.textContent = Math.round(100 * chance) + "%";
      column.element.classList.toggle("taken", taken === column.effect);
      column.element.title = column.effect + (taken === column.effect ? ", the action taken" : "");
    });
  }

  /* Value and advantage, or what lies under the pointer. */
  tell() {
    const { state } = Report;
    const at = state.frame;
    if (!this.view) {
      return;
    }
    const advantage = this.view.advantage[at];
    let text = "value " + Report.number(this.view.values[at]) + "   advantage " + Report.number(advantage, 2, true);
    if (this.tip) {
      const label = this.clip.labels[at * 4096 + this.tip.y * 64 + this.tip.x];
      const name = label & 128 ? Report.meta.part : this.clip.kinds[at][(label & 127) - 1];
      text = (label ? Report.kind(name).words : "background") + " at pixel " + this.tip.x + ", " + this.tip.y + this.underPointer(at);
    }
    this.readout.textContent = text;
  }

  underPointer(frame) {
    const { size, cells } = this.agent.geometry;
    const row = cells[this.tip.y];
    const column = cells[this.tip.x];
    if (row < 0 || column < 0) {
      return "";
    }
    const count = this.agent.features.length;
    const attributed = this.agent.features.map((feature, k) => ({
      name: String(k + 1) + " " + feature.short,
      value: this.explained.maps[((frame * (count + 1) + k) * size + row) * size + column]
        * this.explained.steps[frame * (count + 1) + k],
    }));
    attributed.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const strongest = attributed.slice(0, 2).filter(({ value }) => Math.abs(value) >= 0.005);
    return strongest.length
      ? ": " + strongest.map(({ name, value }) => name + " " + Report.number(value, 2, true)).join(", ") : "";
  }
};

/* A bar from the middle of its track: to the right and solid, or to the left and hatched. */
Report.signedBar = function (fill, value, axis) {
  const share = Math.min(Math.abs(value) / axis, 1) * 50;
  fill.style.width = share + "%";
  fill.style.left = (value < 0 ? 50 - share : 50) + "%";
  fill.classList.toggle("negative", value < 0);
};
