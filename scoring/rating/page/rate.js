// The rating page. All text from the server is set as text, never as markup.

const SIDE = 64;

const $ = (id) => document.getElementById(id);
let study; // what the server says about the study
let rater = null; // {name, order, answers}
let place = 0; // in the rater's order
let sheets = {}; // of the feature shown: strongest, drawn

async function ask(path, options) {
  const response = await fetch(path, options);
  const document = await response.json();
  return { status: response.status, document };
}

function say(text, warning = false) {
  $("message").textContent = text;
  $("message").classList.toggle("warning", warning);
}

function element(kind, text, parent) {
  const made = document.createElement(kind);
  made.textContent = text;
  parent.append(made);
  return made;
}

function choice(name, value, text, shortcut, parent) {
  const label = element("label", "", parent);
  label.className = "choice";
  const input = element("input", "", label);
  Object.assign(input, { type: "radio", name, value });
  const face = element("span", "", label);
  if (shortcut) element("kbd", shortcut, face);
  face.append(text);
}

function chosen(name) {
  return document.querySelector(`input[name=${name}]:checked`)?.value ?? null;
}

function choose(name, value) {
  for (const input of document.querySelectorAll(`input[name=${name}]`)) input.checked = input.value === value;
}

// The address says who rates and where they are, so that a reload goes on there.
function go(to) {
  location.hash = `${encodeURIComponent(rater.name)}/${to + 1}`;
}

async function follow() {
  const [name, number] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (!name || !study.raters.includes(name)) {
    welcome();
    return;
  }
  if (rater?.name !== name) {
    const { document } = await ask(`/rater?name=${encodeURIComponent(name)}`);
    rater = { name, ...document };
  }
  const to = Number.parseInt(number, 10) - 1;
  if (!(to >= 0 && to < rater.order.length)) {
    const open = firstOpen();
    history.replaceState(null, "", `#${encodeURIComponent(name)}/${(open < 0 ? 0 : open) + 1}`);
    place = open < 0 ? 0 : open;
  } else {
    place = to;
  }
  await show();
}

function firstOpen(after = -1) {
  const { order, answers } = rater;
  const open = order.map((feature, i) => (feature in answers ? -1 : i)).filter((i) => i >= 0);
  return open.find((i) => i > after) ?? open[0] ?? -1;
}

function welcome() {
  rater = null;
  $("card").hidden = $("help").hidden = true;
  $("guide").hidden = $("welcome").hidden = false;
  $("progress").textContent = `${study.features} features to rate`;
  $("names").replaceChildren();
  for (const name of study.raters) {
    element("button", name, $("names")).addEventListener("click", () => { location.hash = encodeURIComponent(name); });
  }
}

function help(open) {
  $("guide").hidden = !open;
  $("help").setAttribute("aria-expanded", String(open));
}

async function show() {
  if ($("card").hidden) help(Object.keys(rater.answers).length === 0);
  $("welcome").hidden = true;
  $("card").hidden = $("help").hidden = false;
  const feature = rater.order[place];
  const answer = rater.answers[feature];
  progress();
  say(answer ? "Your answer is kept; change it and save again if you like." : "");
  choose("rating", answer ? String(answer.rating) : null);
  const known = answer && study.choices.some(({ name }) => name === answer.shows);
  choose("shows", known ? answer.shows : null);
  $("words").value = answer && !known ? answer.shows : "";
  await picture(feature);
}

function progress() {
  const { order, answers, name } = rater;
  const done = Object.keys(answers).length;
  $("progress").textContent = `${name}: feature ${place + 1} of ${order.length}, ${done} answered`;
  $("overview").replaceChildren();
  order.forEach((feature, i) => {
    const button = element("button", String(i + 1), $("overview"));
    button.type = "button";
    button.classList.toggle("answered", feature in answers);
    button.setAttribute("aria-current", String(i === place));
    button.addEventListener("click", () => go(i));
  });
  $("previous").disabled = place === 0;
  $("next").disabled = place === order.length - 1;
}

async function loaded(feature, sheet) {
  const image = new Image();
  image.src = `/pictures/${feature}-${sheet}.png`;
  await image.decode();
  return image;
}

async function picture(feature) {
  const [strongest, drawn, places] = await Promise.all(["strongest", "drawn", "places"].map((s) => loaded(feature, s)));
  if (rater?.order[place] !== feature) return; // the rater has moved on meanwhile
  sheets = { strongest, drawn };
  frames();
  const canvas = $("places");
  canvas.width = canvas.height = places.width;
  canvas.getContext("2d").drawImage(places, 0, 0);
  $("card").dataset.shown = String(place + 1);
}

function paint(canvas, sheet, column, over) {
  canvas.getContext("2d").drawImage(sheet, column * SIDE, over ? SIDE : 0, SIDE, SIDE, 0, 0, SIDE, SIDE);
}

function frames() {
  const over = $("overlay").checked;
  for (const [name, sheet] of Object.entries(sheets)) {
    const count = sheet.width / SIDE;
    const grid = $(name);
    while (grid.childElementCount > count) grid.lastElementChild.remove();
    while (grid.childElementCount < count) {
      const column = grid.childElementCount;
      const button = element("button", "", grid);
      button.type = "button";
      button.setAttribute("aria-label", `Frame ${column + 1}, enlarge`);
      const canvas = element("canvas", "", button);
      canvas.width = canvas.height = SIDE;
      button.addEventListener("click", () => enlarge(name, column));
    }
    [...grid.querySelectorAll("canvas")].forEach((canvas, column) => paint(canvas, sheet, column, over));
  }
}

function enlarge(name, column) {
  [...$("enlarged").querySelectorAll("canvas")].forEach((canvas, row) => paint(canvas, sheets[name], column, row === 1));
  $("enlarged").showModal();
}

async function save(event) {
  event.preventDefault();
  const words = $("words").value.trim();
  const rating = chosen("rating");
  const shows = words || chosen("shows");
  if (rating === null || shows === null) {
    say(rating === null ? "Rate it first: 0 to 10." : "Say what it shows first; it may be nothing in particular.", true);
    return;
  }
  const feature = rater.order[place];
  const sent = { token: study.token, rater: rater.name, feature, rating: Number(rating), shows,
    seen: rater.answers[feature]?.revision ?? 0 };
  let reply;
  try {
    reply = await ask("/answers", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });
  } catch {
    say("The server does not answer. Your answer is still here: save again when it is back.", true);
    return;
  }
  const { status, document } = reply;
  if (status === 409) {
    rater.answers[feature] = document.stored;
    await show();
    say("This feature was answered in another tab meanwhile; that answer is shown. Change it and save if you like.", true);
    return;
  }
  if (status !== 200) {
    say(document.error, true);
    return;
  }
  rater.answers[feature] = document;
  $("words").blur(); // so that the next key rates the next feature
  const open = firstOpen(place);
  if (open < 0) {
    progress();
    say(`All ${rater.order.length} features are answered. Thank you!`);
  } else {
    go(open);
  }
}

function shortcut(event) {
  if ($("card").hidden || $("enlarged").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === $("words");
  if (typing) {
    if (event.key === "Escape") $("words").blur();
    return;
  }
  const radio = event.target.type === "radio";
  const named = study.choices.find(({ key }) => key === event.key);
  if (/^[0-9]$/.test(event.key) || event.key === "y") choose("rating", event.key === "y" ? "10" : event.key);
  else if (named) nameIt(named.name);
  else if (event.key === "/") $("words").focus();
  else if (event.key === "o") $("overlay").click();
  else if (event.key === "h") help($("guide").hidden);
  else if (event.key === "ArrowLeft" && !radio && place > 0) go(place - 1);
  else if (event.key === "ArrowRight" && !radio && place < rater.order.length - 1) go(place + 1);
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") $("answer").requestSubmit();
  else return;
  event.preventDefault();
}

function nameIt(name) {
  choose("shows", name);
  $("words").value = "";
}

// What the game's table says of the game, for raters who have never seen it.
function explain() {
  $("game").textContent = study.game;
  for (const [word, sentence] of study.guide) {
    const line = element("li", "", $("things"));
    element("b", word, line);
    line.append(`: ${sentence}`);
  }
}

async function start() {
  study = (await ask("/study")).document;
  for (let value = 0; value <= study.highest; value += 1) choice("rating", String(value), String(value), "", $("ratings"));
  for (const { name, words, key } of study.choices) choice("shows", name, words, key, $("choices"));
  explain();
  $("words").maxLength = study.longest;
  $("words").addEventListener("input", () => { if ($("words").value.trim()) choose("shows", null); });
  $("choices").addEventListener("change", () => { $("words").value = ""; });
  $("answer").addEventListener("submit", save);
  $("overlay").addEventListener("change", frames);
  $("previous").addEventListener("click", () => go(place - 1));
  $("next").addEventListener("click", () => go(place + 1));
  $("help").addEventListener("click", () => help($("guide").hidden));
  document.addEventListener("keydown", shortcut);
  window.addEventListener("hashchange", follow);
  await follow();
}

start();
