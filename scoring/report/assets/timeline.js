"use strict";
/* Value and advantage of every frame, the scrubber under them, playing, and the most surprising frames. */

const COLOURS = ["#0b3d66", "#b34a00"];
const DASHES = [[], [5, 4]];

Report.Timeline = class {
  constructor() {
    const get = (id) => document.getElementById(id);
    this.canvas = get("lines");
    this.scrubber = get("scrubber");
    this.where = get("where");
    this.scrubber.addEventListener("input", () => Report.set({ frame: Number(this.scrubber.value) }));
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.seek(event);
    });
    this.canvas.addEventListener("pointermove", (event) => event.buttons && this.seek(event));
    get("play").addEventListener("click", () => this.toggle());
    get("previous").addEventListener("click", () => this.step(-1));
    get("next").addEventListener("click", () => this.step(1));
    get("previous-episode").addEventListener("click", () => this.jump(-1));
    get("next-episode").addEventListener("click", () => this.jump(1));
    this.speed = get("speed");
    window.addEventListener("resize", () => this.clip && this.draw());
  }

  get length() {
    return Report.meta.clips[Report.state.clip].frames;
  }

  seek(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    Report.set({ frame: Math.min(Math.max(Math.floor(share * this.length), 0), this.length - 1) });
  }

  step(by) {
    this.pause();
    Report.set({ frame: Math.min(Math.max(Report.state.frame + by, 0), this.length - 1) });
  }

  /* To the first frame of the next episode, or of this one and then the one before. */
  jump(by) {
    this.pause();
    const { episode } = this.clip;
    const first = (at) => at === 0 || episode[at] !== episode[at - 1];
    let at = Report.state.frame + by;
    while (at > 0 && at < this.length && !first(at)) {
      at += by;
    }
    if (at >= 0 && at < this.length) {
      Report.set({ frame: at });
    }
  }

  toggle() {
    if (Report.playing) {
      this.pause();
    } else {
      Report.playing = true;
      document.getElementById("play").textContent = "Pause";
      if (Report.state.frame === this.length - 1) {
        Report.set({ frame: 0 });
      }
      this.tick();
    }
  }

  tick() {
    this.timer = setTimeout(() => {
      if (Report.state.frame >= this.length - 1) {
        this.pause();
        return;
      }
      Report.set({ frame: Report.state.frame + 1 });
      this.tick();
    }, 1000 / Number(this.speed.value));
  }

  pause() {
    if (Report.playing) {
      clearTimeout(this.timer);
      Report.playing = false;
      document.getElementById("play").textContent = "Play";
      Report.writeSoon();
    }
  }

  show(clip, views) {
    if (clip !== this.clip) {
      this.clip = clip;
      this.surprises();
    }
    this.views = views;
    this.draw();
  }

  draw() {
    const { state } = Report;
    this.scrubber.max = this.length - 1;
    this.scrubber.value = state.frame;
    const episodes = [...new Set(this.clip.episode)];
    const unit = this.clip.consecutive ? "episode" : "environment";
    const number = episodes.indexOf(this.clip.episode[state.frame]) + 1;
    this.where.textContent = "frame " + state.frame + " of " + this.length + ", " + unit + " " + number + " of "
      + episodes.length + ", level " + this.clip.level[state.frame]
      + (this.clip.rewards[state.frame] > 0 ? ", " + Report.meta.completed : "");
    this.chart();
  }

  chart() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const x = (frame) => ((frame + 0.5) / this.length) * width;
    context.fillStyle = "#eef1f4";
    let odd = false;
    let start = 0;
    const { episode } = this.clip;
    for (let at = 1; at <= this.length; at++) {
      if (at === this.length || episode[at] !== episode[at - 1]) {
        if (odd) {
          context.fillRect((start / this.length) * width, 0, ((at - start) / this.length) * width, height);
        }
        odd = !odd;
        start = at;
      }
    }
    const half = this.clip.consecutive ? height * 0.58 : height;
    this.series(context, "values", "value", x, 4, half - 4);
    if (this.clip.consecutive) {
      context.strokeStyle = "#c5ccd3";
      context.beginPath();
      context.moveTo(0, half);
      context.lineTo(width, half);
      context.stroke();
      this.series(context, "advantage", "advantage", x, half + 4, height - 4);
    }
    context.setLineDash([]);
    context.strokeStyle = "#111";
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x(Report.state.frame), 0);
    context.lineTo(x(Report.state.frame), height);
    context.stroke();
  }

  series(context, key, name, x, top, bottom) {
    const all = this.views.flatMap((view) => Array.from(view[key])).filter((value) => !Number.isNaN(value));
    if (!all.length) {
      return;
    }
    const low = Math.min(...all);
    const high = Math.max(...all);
    const y = (value) => bottom - ((value - low) / Math.max(high - low, 1e-9)) * (bottom - top);
    context.lineWidth = 1.3;
    this.views.forEach((view, number) => {
      context.strokeStyle = COLOURS[number];
      context.fillStyle = COLOURS[number];
      context.setLineDash(DASHES[number]);
      context.beginPath();
      let pen = false;
      for (let at = 0; at < this.length; at++) {
        const value = view[key][at];
        const begins = at === 0 || this.clip.episode[at] !== this.clip.episode[at - 1];
        if (Number.isNaN(value)) {
          pen = false;
        } else if (pen && !begins) {
          context.lineTo(x(at), y(value));
        } else {
          context.moveTo(x(at), y(value));
          pen = true;
        }
      }
      context.stroke();
    });
    context.setLineDash([]);
    context.font = "11px system-ui, sans-serif";
    const text = name + " " + Report.number(low, 1) + " to " + Report.number(high, 1);
    context.fillStyle = "rgba(255,255,255,0.85)";
    context.fillRect(2, top - 2, context.measureText(text).width + 8, 15);
    context.fillStyle = "#333";
    context.fillText(text, 6, top + 9);
  }

  surprises() {
    const { make } = Report;
    const place = document.getElementById("surprises");
    place.replaceChildren();
    Report.meta.clips[Report.state.clip].surprising.forEach(({ word, frames }) => {
      const jumps = frames.map(([frame, advantage]) => make("button", {
        type: "button", class: "jump", "data-frame": frame,
        onclick: () => { this.pause(); Report.set({ frame }); },
      }, String(frame), make("small", {}, Report.number(advantage, 1, true))));
      place.append(make("div", { class: "surprise" }, make("span", {}, word), ...jumps));
    });
  }
};
