/*
 * script: shows the data of a run (tools/report*.c write it) in page.html.
 *
 * Text from the run becomes text nodes alone, never HTML. What several sections show of one recorded step
 * goes through showStep.
 */
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/* ---- elements and numbers ---------------------------------------------------------------------- */

function fill(element, attributes, children) {
	for (const [key, value] of Object.entries(attributes || {}))
		if (value !== null && value !== undefined && value !== false)
			element.setAttribute(key, value === true ? "" : value);
	element.append(...children.flat().filter(child => child !== null && child !== undefined));
	return element;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/* Four digits at most; tiny and huge numbers as 2.6e-8. */
function number(x, digits = 4) {
	if (x === null || x === undefined || Number.isNaN(x))
		return "–";
	if (!Number.isFinite(x))
		return x > 0 ? "∞" : "−∞";
	if (Number.isInteger(x) && Math.abs(x) < 1e7)
		return whole(x);
	const size = Math.abs(x);
	if (size >= 1e-3 && size < 1e6)
		return String(Number(x.toPrecision(digits)));
	return Number(x).toExponential(Math.max(0, digits - 2)).replace("e+", "e");
}

const whole = x => Math.round(x).toLocaleString("en-US");
const percent = x => x === null || Number.isNaN(x) ? "–" : (100 * x).toFixed(1) + " %";
const good = x => x !== null && x !== undefined && Number.isFinite(x);
const clamp = (x, least, most) => Math.min(most, Math.max(least, x));

function duration(seconds) {
	if (seconds < 60)
		return number(seconds, 3) + " s";
	const minutes = Math.floor(seconds / 60);
	return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s`
	                    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/* A table whose rows are made when it is first opened. */
function tableLater(title, head, rows) {
	const box = el("div", { class: "table", tabindex: 0, role: "region", "aria-label": title });
	const details = el("details", {}, el("summary", {}, title), box);

	details.addEventListener("toggle", () => {
		if (details.open)
			box.replaceChildren(tableOf(title, head, rows()));
	});
	return details;
}

function tableOf(title, head, rows) {
	const cells = row => row.map((cell, k) => el(k ? "td" : "th", k ? {} : { scope: "row" }, cell));

	return el("table", {}, el("caption", { class: "hidden" }, title),
	          el("thead", {}, el("tr", {}, head.map(name => el("th", { scope: "col" }, name)))),
	          el("tbody", {}, rows.map(row => el("tr", {}, cells(row)))));
}

function show(id, title) {
	byId(id).hidden = false;
	byId("sections").append(el("li", {}, el("a", { href: "#" + id }, title)));
}

/* ---- the head ------------------------------------------------------------------------------------ */

const states = { done: "good", diverged: "bad", interrupted: "warn", terminated: "warn", running: "plain" };

function showHead() {
	const state = data.live ? "running" : data.result?.status || "unfinished";
	const written = new Date(data.written);

	byId("name").textContent = data.name;
	byId("about").append(el("span", { class: "badge " + (states[state] || "warn") }, state), " ",
	                     `run ${data.folder} · written ${written.toLocaleString()}`);
	byId("footer").textContent = `Written by autograd ${data.version} on ${written.toISOString()}. ` +
		"The page is complete in itself: it loads nothing.";
}

function tile(name, value, small) {
	return el("div", {}, el("dt", {}, name), el("dd", {}, value, small ? el("small", {}, " " + small) : null));
}

const lastOf = list => list ? list.findLast(good) : undefined;

function showTiles() {
	const result = data.result || {}, tiles = [], log = data.log || {};

	for (const part of ["test", "valid", "train"])
		for (const [key, value] of Object.entries(result[part] || {}))
			if (key !== "samples" && (part !== "train" || !(key in (result.test || {}))))
				tiles.push(tile(`${key}, ${part}`, number(value)));
	if (tiles.length === 0 && good(lastOf(log.loss)))
		tiles.push(tile("loss so far", number(lastOf(log.loss))));
	const steps = result.steps ?? lastOf(log.step);
	if (steps !== undefined)
		tiles.push(tile("steps", whole(steps)));
	const epochs = result.epochs ?? lastOf(log.epoch);
	if (epochs !== undefined)
		tiles.push(tile("epochs", whole(epochs)));
	const parameters = result.parameters ??
		data.weights?.filter(w => w.kind === "param").reduce((sum, w) => sum + w.n, 0);
	if (parameters !== undefined)
		tiles.push(tile("parameters", whole(parameters)));
	if (result.best_step)
		tiles.push(tile("best", number(result.best), `step ${whole(result.best_step)}`));
	if (result.seconds !== undefined)
		tiles.push(tile("time", duration(result.seconds)));
	byId("tiles").append(...tiles);
}

const severities = { error: "bad", warning: "warn", hint: "plain" };

function findingCard(f) {
	const card = el("div", { class: "finding " + f.severity },
	                el("p", {}, el("span", { class: "badge " + severities[f.severity] }, f.severity), " ",
	                   f.sentence));

	if (f.subject || f.place)
		card.append(el("p", { class: "subject" }, [f.subject, f.place].filter(Boolean).join(" · ")));
	if (f.remedy)
		card.append(el("p", {}, el("b", {}, "Try: "), f.remedy));
	if (f.set?.length)
		card.append(el("p", {}, el("code", {}, f.set.map(s => "--set " + s).join(" "))));
	if (f.tried)
		card.append(el("p", { class: "subject" }, "Tried: " + f.tried));
	return card;
}

function showFindings() {
	if (!data.findings)
		return;
	byId("findings").append(el("h2", { id: "diagnosis" }, "Diagnosis"));
	if (data.findings.length === 0)
		byId("findings").append(el("p", { class: "lead" }, "Nothing stands out. Looked at: " + (data.looked_at || "")));
	else
		byId("findings").append(...data.findings.map(findingCard),
		                        el("p", { class: "lead looked" }, "Looked at: " + (data.looked_at || "")));
	byId("sections").append(el("li", {}, el("a", { href: "#diagnosis" }, "Diagnosis")));
}

/* ---- one step for all sections ------------------------------------------------------------------- */

const steps = data.gradients?.step || [];
const listeners = []; /* called with the number of the recorded step to show */
let shown = steps.length - 1;

function showStep(k) {
	shown = clamp(k, 0, steps.length - 1);
	for (const listener of listeners)
		listener(shown);
}

/* ---- curves -------------------------------------------------------------------------------------- */

function niceStep(range, most) {
	const rough = range / most, power = 10 ** Math.floor(Math.log10(rough));

	return [1, 2, 5, 10].find(f => f * power >= 0.75 * rough) * power;
}

function ticks(least, most, count) {
	const step = niceStep(most - least || 1, count), list = [];

	for (let k = Math.ceil(least / step - 1e-9); k * step <= most + 1e-9 * step; k++)
		list.push(Number((k * step).toPrecision(12)));
	return list;
}

function logTicks(least, most) {
	const list = [], first = Math.floor(Math.log10(least)), last = Math.ceil(Math.log10(most));
	const every = Math.ceil((last - first) / 5);

	for (let e = first; e <= last; e += every)
		list.push(10 ** e);
	if (list.filter(t => t >= least && t <= most).length < 2)
		return ticks(least, most, 4).filter(t => t > 0);
	return list.filter(t => t >= least * 0.999 && t <= most * 1.001);
}

const plot = { width: 420, height: 200, left: 52, right: 12, top: 10, bottom: 22 };

function scale(least, most, from, to, log) {
	const f = log ? Math.log10 : x => x, a = f(least), b = f(most);

	return x => from + (b > a ? (f(x) - a) / (b - a) : 0.5) * (to - from);
}

/* Pieces of a line: a gap where there is no number. */
function linePath(xs, values, x, y, log) {
	let path = "", pen = "M";

	values.forEach((value, k) => {
		if (good(value) && (!log || value > 0)) {
			path += pen + x(xs[k]).toFixed(1) + "," + y(value).toFixed(1);
			pen = "L";
		}
	});
	return path.replace(/M([^ML]+)(?=M|$)/g, "M$1h0.1");
}

function bounds(lists, log) {
	const all = lists.flat().filter(v => good(v) && (!log || v > 0));
	let least = Infinity, most = -Infinity;

	for (const v of all) {
		least = Math.min(least, v);
		most = Math.max(most, v);
	}
	if (!(least < most)) {
		const room = Math.abs(least) / 2 || 1;
		return log ? [least / 2, least * 2] : [least - room, least + room];
	}
	return log ? [least / 1.1, most * 1.1] : [least - 0.04 * (most - least), most + 0.04 * (most - least)];
}

function wantsLog(lists) {
	const all = lists.flat().filter(good);

	return all.length > 0 && all.every(v => v > 0) && Math.max(...all) / Math.min(...all) > 100;
}

function axes(area, x, y, [x0, x1], yTicks) {
	const bottom = plot.height - plot.bottom, right = plot.width - plot.right;

	for (const t of yTicks)
		area.append(svg("line", { class: "grid", x1: plot.left, x2: right, y1: y(t), y2: y(t) }),
		            svg("text", { x: plot.left - 6, y: y(t) + 4, "text-anchor": "end" }, number(t, 3)));
	area.append(svg("line", { class: "grid", x1: plot.left, x2: right, y1: bottom, y2: bottom }));
	for (const t of ticks(x0, x1, 5))
		area.append(svg("line", { class: "grid", x1: x(t), x2: x(t), y1: bottom, y2: bottom + 4 }),
		            svg("text", { x: x(t), y: bottom + 16, "text-anchor": "middle" }, whole(t)));
}

/* A chart of series [{ name, kind, values }] over the numbers xs; the title is that of its table, too. */
function lineChart(title, xs, series) {
	const lists = series.map(s => s.values), log = wantsLog(lists);
	const [least, most] = bounds(lists, log), ends = [xs[0], xs[xs.length - 1]];
	const x = scale(...ends, plot.left, plot.width - plot.right, false);
	const y = scale(least, most, plot.height - plot.bottom, plot.top, log);
	const cursor = svg("line", { class: "cursor", y1: plot.top, y2: plot.height - plot.bottom, visibility: "hidden" });
	const mark = svg("line", { class: "shown", y1: plot.top, y2: plot.height - plot.bottom, visibility: "hidden" });
	const dots = series.map(s => svg("circle", { class: s.kind, r: 3, visibility: "hidden" }));
	const last = series.map(s => `${s.name} ends at ${number(lastOf(s.values))}`).join(", ");
	const area = svg("svg", { class: "chart", viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img", tabindex: 0,
	                          "aria-label": `${title} over steps ${whole(ends[0])} to ${whole(ends[1])}; ${last}` });
	const value = el("span", { class: "value", "aria-live": "polite" });
	const keys = series.length > 1 ? series.map(s => el("span", { class: "key " + s.kind }, el("i"), s.name)) : [];

	axes(area, x, y, ends, log ? logTicks(least, most) : ticks(least, most, 4));
	const few = xs.length <= 12 ? series.flatMap(s => s.values.map((v, k) => good(v) && (!log || v > 0)
		? svg("circle", { class: s.kind, r: 2.2, cx: x(xs[k]), cy: y(v) }) : null)) : [];

	area.append(mark, ...few.filter(Boolean), ...series.map(s => svg("path", { class: "curve " + s.kind, d: linePath(xs, s.values, x, y, log) })),
	            cursor, ...dots);
	readable(area, xs, series, x, y, cursor, dots, value);
	listeners.push(k => {
		const at = x(clamp(steps[k], ...ends));
		fill(mark, { x1: at, x2: at, visibility: "visible" }, []);
	});
	return el("figure", {}, el("figcaption", {}, el("b", {}, title), keys,
	                           log ? el("span", { class: "key" }, "logarithmic") : null, value), area);
}

/* Pointer and arrow keys read a chart's numbers. */
function readable(area, xs, series, x, y, cursor, dots, value) {
	let at = xs.length - 1;

	function read(k) {
		at = clamp(k, 0, xs.length - 1);
		fill(cursor, { x1: x(xs[at]), x2: x(xs[at]), visibility: "visible" }, []);
		series.forEach((s, i) => {
			const v = s.values[at], on = good(v) && Number.isFinite(y(v));
			fill(dots[i], { cx: x(xs[at]), cy: on ? y(v) : 0, visibility: on ? "visible" : "hidden" }, []);
		});
		value.textContent = `step ${whole(xs[at])}: ` +
			series.map(s => `${series.length > 1 ? s.name + " " : ""}${number(s.values[at])}`).join(", ");
	}
	function leave() {
		for (const item of [cursor, ...dots])
			item.setAttribute("visibility", "hidden");
		value.textContent = "";
	}
	area.addEventListener("pointermove", event => {
		const box = area.getBoundingClientRect();
		const wanted = (event.clientX - box.left) / box.width * plot.width;
		read(xs.reduce((best, v, k) => Math.abs(x(v) - wanted) < Math.abs(x(xs[best]) - wanted) ? k : best, 0));
	});
	area.addEventListener("pointerleave", leave);
	area.addEventListener("blur", leave);
	area.addEventListener("keydown", event => {
		const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: xs.length - 1 }[event.key];
		if (to !== undefined) {
			event.preventDefault();
			read(to);
		}
	});
}

const titles = { loss: "Loss", lr: "Learning rate", grad_norm: "Norm of the gradient", ms: "Milliseconds a step" };

function showCurves() {
	const log = data.log;

	if (!log?.step?.length)
		return;
	const plain = Object.keys(log).filter(key => !key.startsWith("valid_") && !["step", "epoch"].includes(key));
	const late = ["lr", "grad_norm", "ms"], order = [...plain.filter(k => !late.includes(k)), ...late];
	for (const key of order.filter(k => plain.includes(k) && log[k].some(good))) {
		const series = [{ name: "train", kind: "train", values: log[key] }];
		if (log["valid_" + key]?.some(good))
			series.push({ name: "valid", kind: "valid", values: log["valid_" + key] });
		byId("charts").append(lineChart(titles[key] || key[0].toUpperCase() + key.slice(1), log.step, series));
	}
	const columns = Object.keys(log);
	byId("log").append(tableLater("The log as a table", columns,
	                              () => log.step.map((_, k) => columns.map(c => number(log[c][k], 5)))));
	show("curves", "Curves");
}

/* ---- the diagram --------------------------------------------------------------------------------- */

const classes = ["exploding", "strong", "normal", "weak", "vanishing", "lost", "zero", "none", "nan"];
const graph = data.graph;
const nodeOf = new Map((graph?.nodes?.nodes || []).map(n => [n.svg, n]));
let main = null, size = 1;

/* dot's SVG as an element: nothing of it runs or links to anywhere; its own title and legend, which are those
 * of one step, are left out. */
function parseSvg(text) {
	const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;

	if (root.nodeName !== "svg")
		return null;
	root.querySelectorAll("script, foreignObject, image").forEach(e => e.remove());
	root.querySelectorAll("a").forEach(a => {
		const words = a.getAttributeNS("http://www.w3.org/1999/xlink", "title");
		const title = a.closest(".node, .edge, .cluster")?.querySelector("title");
		if (words && title)
			title.textContent = words;
		a.replaceWith(...a.childNodes);
	});
	root.querySelectorAll("g.graph > title, g.graph > text, g.graph > polygon, g.legend").forEach(e => e.remove());
	root.querySelectorAll("g.node > title").forEach(title => {
		if (title.textContent === "legend")
			title.parentNode.remove();
	});
	return document.importNode(root, true);
}

/* Cuts the margins off a drawing in the page. */
function crop(drawing) {
	const g = drawing.querySelector("g.graph"), box = g.getBBox(), m = g.transform.baseVal.consolidate()?.matrix;

	drawing.setAttribute("viewBox", [box.x + (m?.e || 0) - 4, box.y + (m?.f || 0) - 4, box.width + 8, box.height + 8].join(" "));
}

/* The drawing's size in CSS pixels at 100 %. */
function naturalWidth(drawing) {
	return drawing.viewBox.baseVal.width * 1.15;
}

function zoom(drawing, factor) {
	const box = drawing.viewBox.baseVal, width = naturalWidth(drawing) * factor;

	drawing.setAttribute("width", width);
	drawing.setAttribute("height", width * box.height / box.width);
}

const fitting = (drawing, box) => Math.min(1.25, (box.clientWidth - 24) / naturalWidth(drawing));

/* What flows from where to where, by the ids of the SVG. */
function neighbours() {
	const svgOf = new Map((graph.nodes?.nodes || []).map(n => [n.id, n.svg])), next = new Map();

	for (const e of graph.nodes?.edges || []) {
		const from = svgOf.get(e.from);
		next.set(from, [...(next.get(from) || []), { edge: e.svg, to: svgOf.get(e.to) }]);
	}
	return next;
}

/* Marks the way from a node to the loss: all that it has an influence on. */
function trace(drawing, next, start) {
	const marked = new Set([start]), queue = [start];

	while (queue.length > 0)
		for (const { edge, to } of next.get(queue.pop()) || []) {
			marked.add(edge);
			if (!marked.has(to)) {
				marked.add(to);
				queue.push(to);
			}
		}
	drawing.classList.add("tracing");
	drawing.querySelectorAll(".node, .edge").forEach(g => g.classList.toggle("traced", marked.has(g.id)));
}

function traceNo(drawing) {
	drawing.classList.remove("tracing");
}

/* One item of a recorded step put on its element: class, width, number. */
function dress(group, kind, width, text) {
	const title = group.querySelector("title"), path = group.querySelector("path"), head = group.querySelector("polygon");
	const words = group.querySelectorAll("text"), last = words[words.length - 1];

	group.classList.remove(...classes);
	group.classList.add(kind);
	if (good(width) && path) {
		path.style.strokeWidth = width;
		if (head)
			head.style.strokeWidth = width;
		path.style.strokeDasharray = { zero: "5 2", lost: "1 3", none: "1 5" }[kind] || "none";
	}
	if (text && last)
		last.textContent = text;
	if (text && title)
		title.textContent = title.textContent.replace(/(gradient \S+) .*$/, `$1 ${text} (${kind})`);
}

const worstFirst = ["nan", "exploding", "zero", "vanishing", "lost", "strong", "weak", "normal", "none"];
const worst = kinds => worstFirst.find(kind => kinds.includes(kind)) || "none";
const paintOf = kind => `var(--${kind === "lost" ? "vanishing" : kind})`;

/* Step k of the record on a drawing, wherever it has what was recorded. */
function dressAll(drawing, k) {
	const record = graph?.steps?.[k], within = new Map();

	if (!record)
		return;
	graph.edges.forEach((id, i) => {
		const group = id && drawing.querySelector("#" + CSS.escape(id));
		if (group)
			dress(group, classes[record.edge_class[i]], record.edge_width[i], record.edge_text[i]);
	});
	graph.items.forEach((id, i) => {
		const group = id && drawing.querySelector("#" + CSS.escape(id)), kind = classes[record.item_class[i]];
		const path = nodeOf.get(id)?.module;
		within.set(path, [...(within.get(path) || []), kind]);
		if (group?.classList.contains("param") && record.item_text[i])
			dressParam(group, kind, record.item_text[i]);
		else if (group?.classList.contains("closed"))
			dressClosed(group, kind, (record.copies[id] || []).map(c => classes[c]), nodeOf.get(id),
			            (record.weight_text[id] || []).map((text, w) => [classes[record.weight_class[id][w]], text]));
	});
	if (good(record.loss))
		drawing.querySelectorAll(".node.loss").forEach(g => { lastText(g).textContent = number(record.loss); });
	drawing.querySelectorAll(".cluster").forEach(g => dressFrame(g, within));
}

const lastText = group => [...group.querySelectorAll("text")].at(-1);

/* A frame has the colour of the worst class inside. */
function dressFrame(group, within) {
	const path = frameOf.get(group.id), line = group.querySelector("path, polygon");
	const kinds = [...within].filter(([module]) => module === path || module?.startsWith(path + ".")).flatMap(([, list]) => list);
	const kind = worst(kinds);

	if (path && line && kind !== "none") {
		line.style.stroke = paintOf(kind);
		line.style.strokeWidth = kind === "normal" ? 1 : 2;
	}
}

/* A box for a whole module, or for several of equal structure with a cell for each. */
function dressClosed(group, kind, copies, node, weights) {
	const cells = [...group.querySelectorAll("polygon")].filter(p => p.getAttribute("stroke") === "transparent");
	const words = group.querySelectorAll("text"), names = (node?.copies || []).map(c => c.name);
	const bad = worst(copies), named = names.filter((_, i) => copies[i] === bad), rest = named.length - 3;

	for (const line of group.querySelectorAll("path, polygon"))
		if (!cells.includes(line))
			line.style.stroke = kind === "normal" ? "" : paintOf(kind);
	if (copies.length === 0) {
		const numbers = [...words].filter(text => text.hasAttribute("fill"));
		if (numbers.length === weights.length)
			weights.forEach(([inner, text], w) => dressNumber(numbers[w], inner, text));
		return;
	}
	if (cells.length === copies.length)
		cells.forEach((cell, i) => { cell.style.fill = paintOf(copies[i]); });
	if (words.length > 2) {
		words[words.length - 1].textContent = bad === "normal" ? "" : `${bad}: ${named.slice(0, 3).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
		words[words.length - 1].style.fill = paintOf(bad);
	}
}

function dressParam(group, kind, text) {
	if (group.querySelectorAll("text").length > 1)
		dressNumber(lastText(group), kind, text);
}

function dressNumber(element, kind, text) {
	element.textContent = /^\s*/.exec(element.textContent)[0] + text;
	element.style.fill = kind === "normal" ? "" : paintOf(kind);
}

/* The module that has a picture for a node or a frame: its own, or the nearest around it. */
function moduleOf(id) {
	let path = nodeOf.get(id)?.module ?? frameOf.get(id);

	while (path && !(path in (graph.modules || {})))
		path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "";
	return path || nodeOf.get(id)?.module || "";
}

const frameOf = new Map();

/* Frames say their module in their titles: "block[0].attn: 12 ops, ..." */
function findFrames(drawing) {
	drawing.querySelectorAll(".cluster").forEach(g => {
		const words = describe(g), end = words.indexOf(": ");
		if (end > 0)
			frameOf.set(g.id, words.slice(0, end));
	});
}

const describe = g => g.querySelector("title")?.textContent || "";

/* Pointer, focus and keys on the parts of a drawing. Arrow keys go along the nodes; one is in the tab order. */
function interactive(drawing, box, open) {
	const next = neighbours(), nodes = [...drawing.querySelectorAll(".node")].filter(g => nodeOf.has(g.id));
	const order = new Map([...nodeOf.keys()].map((id, k) => [id, k]));

	nodes.sort((a, b) => order.get(a.id) - order.get(b.id));
	nodes.forEach((g, k) => fill(g, { tabindex: k ? -1 : 0, role: "button", "aria-label": describe(g) }, []));
	const part = event => event.target.closest?.(".node, .edge, .cluster");
	const point = g => {
		byId("flow-readout").textContent = g ? describe(g) : "";
		if (g?.classList.contains("node") && nodeOf.has(g.id))
			trace(drawing, next, g.id);
		else
			traceNo(drawing);
	};
	drawing.addEventListener("pointerover", event => point(part(event)));
	drawing.addEventListener("pointerleave", () => point(null));
	drawing.addEventListener("focusin", event => point(part(event)));
	drawing.addEventListener("focusout", () => point(null));
	drawing.addEventListener("click", event => {
		const g = part(event);
		if (g && !g.classList.contains("edge") && !box.dragged && moduleOf(g.id))
			open(moduleOf(g.id));
	});
	drawing.addEventListener("keydown", event => {
		const at = nodes.indexOf(part(event));
		const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: nodes.length - 1 }[event.key];
		if (at >= 0 && to !== undefined) {
			event.preventDefault();
			nodes[at].setAttribute("tabindex", -1);
			const g = nodes[clamp(to, 0, nodes.length - 1)];
			g.setAttribute("tabindex", 0);
			g.focus();
			g.scrollIntoView({ block: "nearest", inline: "center" });
		} else if (at >= 0 && (event.key === "Enter" || event.key === " ")) {
			event.preventDefault();
			if (moduleOf(nodes[at].id))
				open(moduleOf(nodes[at].id));
		}
	});
}

/* The mouse drags what a box shows. */
function draggable(box) {
	let from = null;

	box.addEventListener("pointerdown", event => {
		from = event.pointerType === "mouse" && event.button === 0
			? { x: event.clientX + box.scrollLeft, y: event.clientY + box.scrollTop, at: [event.clientX, event.clientY] } : null;
		box.dragged = false;
	});
	box.addEventListener("pointermove", event => {
		if (!from || event.buttons !== 1)
			return;
		box.dragged = box.dragged || Math.hypot(event.clientX - from.at[0], event.clientY - from.at[1]) > 4;
		if (box.dragged) {
			box.scrollLeft = from.x - event.clientX;
			box.scrollTop = from.y - event.clientY;
		}
	});
}

const meanings = [["exploding", "over 100×"], ["strong", "10 to 100×"], ["normal", "1/30 to 10×"], ["weak", "1/1000 to 1/30"],
	["vanishing", "under 1/1000"], ["lost", "too small to change a weight"], ["zero", "exactly 0"], ["none", "no gradient wanted"], ["nan", "NaN or infinite"]];

function legend() {
	return el("ul", { class: "legend", "aria-label": "Classes of gradients" }, meanings.map(([kind, words]) =>
		el("li", {}, el("i", { class: kind }), el("b", {}, kind === "nan" ? "NaN" : kind), " " + words)));
}

function stepTable() {
	const g = data.gradients;

	if (!g)
		return null;
	return tableLater("Weights in this step as a table", ["weight", "rms of the gradient", "update over weight"],
	                  () => g.weights.map((path, w) => [path, number(g.gradient[shown][w]), number(g.update[shown][w])]));
}

function showFlow() {
	if (!graph)
		return;
	const box = byId("diagram");
	main = graph.svg ? parseSvg(graph.svg) : null;
	if (!main) {
		box.append(el("pre", { tabindex: 0 }, graph.tree || ""));
		byId("zoom").hidden = true;
		byId("flow-lead").textContent = "The graph as a tree, with the gradients of the last weights.";
	} else {
		byId("flow").hidden = false;
		box.append(main);
		crop(main);
		findFrames(main);
		byId("flow-readout").after(legend());
		fill(main, { role: "group", "aria-label": "The graph of the model with its gradients" }, []);
		interactive(main, box, openModule);
		draggable(box);
		byId("flow-lead").textContent = (!graph.gradients ? "" : `Arrows point the way the gradient flows${graph.steps ? " in the chosen step" : ", here for the last weights"}; width and number are its rms, colours compare it with that at the output. `) +
			"Point at a box to see its way to the loss; a click or Enter opens its module; arrow keys go from box to box.";
	}
	show("flow", "Gradient flow");
	if (main)
		showZoom(box);
	if (graph.steps)
		showSlider();
	byId("flow-table").append(...[stepTable(),
		main ? tableLater("The graph as text", ["module, op, shape, value, gradient"], () => (graph.tree || "").split("\n").map(l => [l])) : null].filter(Boolean));
}

function showZoom(box) {
	const all = fitting(main, box);

	zoom(main, size = all > 0.75 ? all : 0.9);
	byId("zoom-fit").addEventListener("click", () => zoom(main, size = fitting(main, box)));
	byId("zoom-in").addEventListener("click", () => zoom(main, size = Math.min(4, size * 1.25)));
	byId("zoom-out").addEventListener("click", () => zoom(main, size = Math.max(0.1, size / 1.25)));
}

function showSlider() {
	const input = byId("step");

	byId("step-slider").hidden = false;
	fill(input, { max: steps.length - 1 }, []);
	input.addEventListener("input", () => showStep(Number(input.value)));
	listeners.push(k => {
		const loss = graph.steps?.[k]?.loss;
		input.value = k;
		input.setAttribute("aria-valuetext", `step ${whole(steps[k])}`);
		byId("step-number").textContent = whole(steps[k]) + (good(loss) ? `, loss ${number(loss)}` : "");
		if (main)
			dressAll(main, k);
	});
}

/* ---- a module ------------------------------------------------------------------------------------ */

function openModule(path) {
	const drawing = graph.modules?.[path] ? parseSvg(graph.modules[path]) : null, box = byId("module-diagram");
	const within = (data.weights || []).filter(w => w.path.startsWith(path + "."));
	const count = within.filter(w => w.kind === "param").reduce((sum, w) => sum + w.n, 0);

	byId("module-name").textContent = path;
	byId("module-about").textContent = `${whole(count)} parameters in ${within.length} weights` +
		(graph.steps ? `; gradients of step ${whole(steps[shown])}` : "");
	box.replaceChildren(drawing || el("p", {}, data.live ? "Its diagram comes when the training has ended." : "There is no diagram of this module in the page."));
	byId("module-weights").replaceChildren(...within.slice(0, 24).map(histogram));
	byId("module").showModal();
	if (drawing) {
		crop(drawing);
		fill(drawing, { role: "img", "aria-label": `Diagram of ${path}` }, []);
		dressAll(drawing, shown);
		zoom(drawing, clamp(fitting(drawing, box), 0.6, 1.25));
	}
}

function closable() {
	const dialog = byId("module");

	byId("module-close").addEventListener("click", () => dialog.close());
	dialog.addEventListener("click", event => {
		if (event.target === dialog)
			dialog.close();
	});
}

/* ---- layer by step --------------------------------------------------------------------------------- */

const viridis = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const diverging = ["#08306b", "#2171b5", "#6baed6", "#c6dbef", "#f2f2f2", "#fcbf94", "#f4793b", "#c6380f", "#7a1505"];
const NAN = [196, 0, 196], NOUGHT = [138, 138, 138];

function rgb(hex) {
	return [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16));
}

function colour(ramp, t) {
	const at = clamp(t, 0, 1) * (ramp.length - 1), k = Math.min(ramp.length - 2, Math.floor(at));
	const a = rgb(ramp[k]), b = rgb(ramp[k + 1]);

	return a.map((c, i) => Math.round(c + (at - k) * (b[i] - c)));
}

/* How numbers become colours: gradients from the smallest to the largest, updates around 1e-3. */
function measureOf(name) {
	const all = data.gradients[name].flat().filter(v => good(v) && v > 0).map(Math.log10);
	const least = all.reduce((a, b) => Math.min(a, b), Infinity), most = all.reduce((a, b) => Math.max(a, b), -Infinity);

	if (name === "update")
		return { ramp: diverging, least: -6, most: 0, marks: ["1e-6, too small", "1e-3", "1, too large"] };
	const from = Number.isFinite(least) ? Math.max(least, most - 9) : -1, to = Number.isFinite(most) ? most : 0;
	const end = to > from ? to : from + 1;
	return { ramp: viridis, least: from, most: end, marks: [from, (from + end) / 2, end].map(e => number(10 ** e, 2)) };
}

function cellColour(m, value) {
	if (!good(value))
		return NAN;
	return value > 0 ? colour(m.ramp, (Math.log10(value) - m.least) / (m.most - m.least)) : NOUGHT;
}

function paint(canvas, m, name) {
	const g = data.gradients, context = canvas.getContext("2d");
	const image = context.createImageData(steps.length, g.weights.length);

	g[name].forEach((row, s) => row.forEach((value, w) => {
		image.data.set([...cellColour(m, value), 255], 4 * (w * steps.length + s));
	}));
	context.putImageData(image, 0, 0);
}

function rampOf(m) {
	const canvas = el("canvas", { width: 128, height: 1, "aria-hidden": true }), context = canvas.getContext("2d");

	for (let k = 0; k < 128; k++) {
		context.fillStyle = `rgb(${colour(m.ramp, k / 127).join()})`;
		context.fillRect(k, 0, 1, 1);
	}
	return el("div", { class: "ramp" }, canvas, el("div", { class: "scale" }, m.marks.map(mark => el("span", {}, mark))));
}

const heat = { name: "gradient", row: 0 };

function showHeat() {
	const g = data.gradients;

	if (!g?.weights.length)
		return;
	const height = clamp(Math.round(420 / g.weights.length), 14, 30);
	const canvas = el("canvas", { width: steps.length, height: g.weights.length, style: `height: ${height * g.weights.length}px` });
	const column = el("div", { class: "column" });
	const cells = el("div", { class: "cells", tabindex: 0, role: "img" }, canvas, column);
	const names = g.weights.map(path => el("li", { title: path }, el("bdi", {}, path)));
	const readout = el("p", { class: "readout", "aria-live": "polite" }), ramp = el("div");
	const box = el("div", { class: "scroll" }, el("div", { class: "heat", style: `--row: ${height}px` },
		el("ol", {}, names), cells,
		el("div", { class: "scale" }, el("span", {}, "step " + whole(steps[0])), steps.length > 1 ? el("span", {}, whole(steps[steps.length - 1])) : null)));

	function read(row, k) {
		names[heat.row].classList.remove("here");
		heat.row = clamp(row, 0, names.length - 1);
		names[heat.row].classList.add("here");
		readout.textContent = `${g.weights[heat.row]}, step ${whole(steps[k])}: gradient ${number(g.gradient[k][heat.row])}, ` +
			`update over weight ${number(g.update[k][heat.row])}`;
	}
	function draw() {
		const m = measureOf(heat.name);
		paint(canvas, m, heat.name);
		ramp.replaceChildren(rampOf(m));
		cells.setAttribute("aria-label", `${heat.name === "update" ? "Update over weight" : "Rms of the gradient"} of ${names.length} weights in ${steps.length} steps; the table below has the numbers`);
	}
	const cellAt = event => {
		const area = canvas.getBoundingClientRect();
		return [Math.floor((event.clientY - area.top) / height), clamp(Math.floor((event.clientX - area.left) / area.width * steps.length), 0, steps.length - 1)];
	};
	cells.addEventListener("pointermove", event => read(...cellAt(event)));
	cells.addEventListener("click", event => {
		const [row, k] = cellAt(event);
		showStep(k);
		read(row, k);
	});
	cells.addEventListener("keydown", event => {
		const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
		if (move) {
			event.preventDefault();
			showStep(shown + move[1]);
			read(heat.row + move[0], shown);
		}
	});
	listeners.push(k => fill(column, { style: `left: ${100 * k / steps.length}%; width: max(4px, ${100 / steps.length}%)` }, []));
	document.querySelectorAll("input[name=measure]").forEach(input => input.addEventListener("change", () => {
		heat.name = input.value;
		draw();
	}));
	byId("heat").append(box, ramp, el("p", { class: "scale" }, "Grey: exactly 0. Magenta: NaN, infinite, or not recorded."), readout,
		tableLater("First, shown and last step as a table", ["weight", "gradient, first", "shown", "last", "update, first", "shown", "last"],
			() => g.weights.map((path, w) => [path, ...["gradient", "update"].flatMap(name => [0, shown, steps.length - 1].map(k => number(g[name][k][w])))])));
	draw();
	show("layers", "Layer by step");
}

/* ---- weights ----------------------------------------------------------------------------------------- */

const histogramSize = { width: 200, height: 74 };

/* Counts as steps; those over `most` are cut off. */
function outline(bins, most) {
	const { width, height } = histogramSize, step = width / bins.length;
	let path = `M0,${height}`;

	bins.forEach((count, k) => {
		const y = (height - Math.min(1.04, count / most) * height).toFixed(1);
		path += `L${(k * step).toFixed(1)},${y}L${((k + 1) * step).toFixed(1)},${y}`;
	});
	return path + `L${width},${height}`;
}

/* A path that may go on in a new line after a dot or an underscore. */
const breakable = path => path.split(/(?<=[._])/).flatMap(part => [part, el("wbr")]);

function histogram(w) {
	const { width, height } = histogramSize, most = Math.max(1, ...w.bins);
	const [least, largest] = w.range, nought = (0 - least) / (largest - least) * width;
	const label = `${w.path}: ${whole(w.n)} values from ${number(least)} to ${number(largest)}, mean ${number(w.mean)}, rms ${number(w.rms)}`;
	const spoilt = w.bad ? `, ${whole(w.bad)} not finite` : "", zeros = w.zeros ? `, ${percent(w.zeros / w.n)} zeros` : "";

	return el("figure", {},
		el("figcaption", {}, el("b", {}, breakable(w.path)), el("span", { class: "key" }, w.shape + (w.kind === "param" ? "" : ", " + w.kind))),
		svg("svg", { class: "chart", viewBox: `0 -4 ${width} ${height + 22}`, role: "img", "aria-label": label },
			svg("title", {}, label + zeros + spoilt),
			svg("path", { class: "bars", d: outline(w.bins, most) + "Z" }),
			w.first ? svg("path", { class: "before", d: outline(w.first, most) }) : null,
			nought > 0 && nought < width ? svg("line", { class: "nought", x1: nought, x2: nought, y1: 0, y2: height }) : null,
			svg("line", { class: "grid", x1: 0, x2: width, y1: height, y2: height }),
			svg("text", { x: 0, y: height + 14 }, number(least, 3)),
			svg("text", { x: width, y: height + 14, "text-anchor": "end" }, number(largest, 3))),
		el("p", {}, `rms ${number(w.rms, 3)}, mean ${number(w.mean, 2)}${zeros}${spoilt}`));
}

function showWeights() {
	const list = data.weights || [], first = 36;

	if (list.length === 0)
		return;
	byId("weights-lead").textContent = !data.trained ? "How the initial values lie: the run has saved no weights yet."
		: "How the values of each weight lie after the training" + (list.some(w => w.first) ? "; the line shows them before it." : ".");
	byId("histograms").append(...list.slice(0, first).map(histogram));
	if (list.length > first) {
		const more = el("button", { type: "button" }, `Show ${list.length - first} more`);
		more.addEventListener("click", () => {
			more.remove();
			byId("histograms").append(...list.slice(first).map(histogram));
		});
		byId("histograms").after(more);
	}
	byId("weights").append(tableLater("Weights as a table", ["weight", "shape", "values", "least", "largest", "mean", "rms", "zeros"],
		() => list.map(w => [w.path, w.shape, whole(w.n), number(w.range[0]), number(w.range[1]), number(w.mean), number(w.rms), percent(w.zeros / w.n)])));
	show("weights", "Weights");
}

/* ---- classes ------------------------------------------------------------------------------------------- */

const visible = text => text === " " ? "␣" : text === "\n" ? "↵" : text === "\t" ? "⇥" : text;
const sum = list => list.reduce((a, b) => a + b, 0);

function matrixCell(names, row, total, r, c, small) {
	const count = row[c], share = total ? count / total : 0;
	const paint = r === c ? "var(--right)" : "var(--wrong)";
	const strength = count ? 15 + 85 * (r === c ? share : Math.sqrt(share)) : 0;
	const text = `${names[r]} taken for ${names[c]}: ${whole(count)} of ${whole(total)}`;

	return el("td", { title: text, style: `background: color-mix(in srgb, ${paint} ${strength.toFixed(0)}%, var(--soft))` },
	          small ? el("span", { class: "hidden" }, whole(count)) : count ? whole(count) : el("span", { class: "hidden" }, "0"));
}

function matrixTable(names, matrix) {
	const small = names.length > 24;

	return el("div", { class: "matrix" + (small ? " small" : ""), tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
		el("table", {}, el("caption", { class: "hidden" }, "Confusion matrix: a row for each label, a column for each decision"),
			el("thead", {}, el("tr", {}, el("th", { scope: "col" }, small ? "" : "label ↓ decided →"), names.map(n => el("th", { scope: "col" }, n)))),
			el("tbody", {}, matrix.map((row, r) => el("tr", {}, el("th", { scope: "row" }, names[r]),
				row.map((_, c) => matrixCell(names, row, sum(row), r, c, small)))))));
}

function classRows(names, matrix) {
	return names.map((name, k) => {
		const right = matrix[k][k], labels = sum(matrix[k]), decided = sum(matrix.map(row => row[k]));
		const recall = labels ? right / labels : NaN, precision = decided ? right / decided : NaN;
		return [name, whole(labels), percent(recall), percent(precision), percent(2 * precision * recall / (precision + recall || 1))];
	});
}

function picture(image) {
	const bytes = Uint8Array.from(atob(image.pixels), c => c.charCodeAt(0)), n = image.width * image.height;
	const canvas = el("canvas", { width: image.width, height: image.height, role: "img", "aria-label": `input, ${image.width} by ${image.height} pixels` });
	const context = canvas.getContext("2d"), pixels = context.createImageData(image.width, image.height);

	for (let k = 0; k < n; k++)
		for (let c = 0; c < 4; c++)
			pixels.data[4 * k + c] = c === 3 ? 255 : bytes[k * image.channels + (image.channels === 3 ? c : 0)];
	context.putImageData(pixels, 0, 0);
	return canvas;
}

function tokens(sample) {
	const most = Math.max(...sample.losses.filter(good), 1e-9);

	return el("p", { class: "tokens" }, sample.text.map((token, k) =>
		el("span", { style: `--heat: ${(75 * clamp((sample.losses[k] || 0) / most, 0, 1)).toFixed(0)}`, title: `loss ${number(sample.losses[k], 3)}` }, token)));
}

function values(sample) {
	return el("p", { class: "quiet" }, Object.entries(sample.values || {}).map(([name, v]) =>
		`${name}: ${v.first.map(x => number(x, 3)).join(", ")}${v.of > v.first.length ? `, … (${whole(v.of)})` : ""}`).join("; "));
}

function sampleCard(sample, names) {
	const verdict = sample.label === undefined ? null
		: el("p", {}, el("b", {}, names[sample.label] ?? ""), sample.label === sample.decided ? " rightly decided" : " taken for ",
		     sample.label === sample.decided ? "" : el("b", {}, names[sample.decided] ?? ""));
	const odds = good(sample.right) ? `p(label) ${number(sample.right, 2)}` +
		(sample.label === sample.decided ? "" : `, p(decided) ${number(sample.sure, 2)}`) : "";

	return el("div", { class: "sample" },
		sample.image ? picture(sample.image) : sample.text ? tokens(sample) : null, verdict,
		odds ? el("p", { class: "quiet" }, odds) : null,
		sample.values ? values(sample) : null,
		el("p", { class: "quiet" }, `${sample.place} · loss ${number(sample.loss, 3)}`));
}

function showClasses() {
	const judged = data.judged;

	if (!judged)
		return;
	const names = judged.classes.map(visible);
	byId("classes-lead").textContent = `${whole(judged.samples)} samples of the part '${judged.part}', by the last weights` +
		(judged.labels > 1 ? `, each with ${whole(judged.labels)} labels.` : ".");
	if (judged.matrix) {
		const right = sum(judged.matrix.map((row, k) => row[k])), all = sum(judged.matrix.map(sum));
		byId("classes-lead").textContent += ` ${percent(right / all)} are decided rightly.`;
		byId("confusion").append(matrixTable(names, judged.matrix),
			el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Class by class" },
			   tableOf("Class by class", ["class", "labels", "recall", "precision", "F1"], classRows(names, judged.matrix))));
	}
	if (judged.worst.length) {
		const wide = judged.worst.some(s => s.text || s.values);
		byId("worst-title").hidden = false;
		byId("worst").className = "samples" + (wide ? " wide" : "");
		byId("worst").append(...judged.worst.slice(0, judged.worst.some(s => s.text) ? 8 : 24).map(s => sampleCard(s, names)));
	}
	show("classes", "Classes");
}

/* ---- texts ------------------------------------------------------------------------------------------------ */

function scalar(text) {
	const kind = /^\s*(["'].*["']|\S*\.(csv|gz|txt))\s*$/.test(text) ? "s"
		: /^\s*[-+]?(\d[\d_.]*(e[-+]?\d+)?(\/\d+)?|true|false|null|\.inf|\.nan)\s*$/i.test(text) ? "n" : "";

	return kind ? el("span", { class: kind }, text) : text;
}

function yamlLine(line) {
	const comment = line.match(/^(\s*)(#.*)$/), pair = line.match(/^(\s*(?:- )*)((?:"[^"]*"|[^:#"]+?):)(\s.*)?$/), item = line.match(/^(\s*- )(.*)$/);

	if (comment)
		return [comment[1], el("span", { class: "c" }, comment[2]), "\n"];
	if (pair)
		return [pair[1], el("span", { class: "k" }, pair[2]), pair[3] ? scalar(pair[3]) : "", "\n"];
	return item ? [item[1], scalar(item[2]), "\n"] : [line, "\n"];
}

function showTexts() {
	if (data.config) {
		byId("yaml").append(...data.config.replace(/\n$/, "").split("\n").flatMap(yamlLine));
		show("declaration", "Declaration");
	}
	const result = Object.entries(data.result || {}).filter(([, value]) => typeof value !== "object");
	const lines = (data.environment || "").split("\n").filter(Boolean).map(line => line.split(/: (.*)/s));
	const facts = [...result.map(([key, value]) => [key, typeof value === "number" ? number(value) : String(value)]),
	               ...lines.filter(([key]) => key !== "autograd" && !(key in (data.result || {}))).map(([key, value]) => [key, value || ""])];
	if (facts.length) {
		byId("facts").append(el("div", { class: "table" }, tableOf("What the training was and what it ran on", ["fact", "value"], facts)));
		show("environment", "Environment");
	}
	if (data.notes.length) {
		byId("notes").append(...data.notes.map(note => el("li", {}, note)));
		show("remarks", "Left out");
	}
}

/* ---- colours, reloading ------------------------------------------------------------------------------------- */

/* Storage may be forbidden for files. */
function stored(key, value) {
	try {
		if (value !== undefined)
			sessionStorage.setItem(key, value);
		return sessionStorage.getItem(key);
	} catch {
		return null;
	}
}

function useTheme(theme) {
	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
	else
		delete document.documentElement.dataset.theme;
}

function showTheme() {
	const before = stored("theme");

	useTheme(before);
	document.querySelectorAll("input[name=theme]").forEach(input => {
		input.checked = input.value === (before || "auto");
		input.addEventListener("change", () => useTheme(stored("theme", input.value) || input.value));
	});
}

const RELOAD = 5000, STALE = 10 * 60 * 1000; /* milliseconds; of a page older than this the training is gone */

/* A page of a training that runs comes again, where it was scrolled to. */
function reloading() {
	const pause = byId("pause");

	window.scrollTo(0, Number(stored("scroll")) || 0);
	stored("scroll", 0);
	if (!data.live || Date.now() - new Date(data.written) > STALE)
		return;
	pause.hidden = false;
	pause.addEventListener("click", () => pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") !== "true"));
	setInterval(() => {
		if (pause.getAttribute("aria-pressed") === "true" || byId("module").open)
			return;
		stored("scroll", window.scrollY);
		location.reload();
	}, RELOAD);
}

showTheme();
showHead();
showTiles();
showFindings();
showCurves();
showFlow();
showHeat();
showWeights();
showClasses();
showTexts();
closable();
if (steps.length)
	showStep(steps.length - 1);
reloading();
