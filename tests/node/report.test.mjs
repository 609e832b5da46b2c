/*
 * report.test: the page of `autograd report` in headless Chromium, opened from the file system.
 *
 * $AUTOGRAD_BIN is the command, else build/autograd in the project's top folder; $CHROMIUM the browser,
 * else /usr/bin/chromium; $SCREENSHOTS a folder for pictures of the page, else none are made.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const command = path.resolve(top, process.env.AUTOGRAD_BIN || "build/autograd");
const work = mkdtempSync(path.join(tmpdir(), "autograd-browser-"));
const STRANGE = `"><img src=x onerror=alert(1)><script>alert(2)<-script><!-- 'é' & 日本`;
let browser;

function autograd(words, environment) {
	return execFileSync(command, words, { cwd: top, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"],
	                                      env: { ...process.env, ...environment } });
}

/* Trains a file with recorded gradients and returns the path of its report. */
function report(file, name, settings, environment) {
	const run = path.join(work, name), page = path.join(work, name + ".html");

	autograd(["train", file, "--quiet", "--run", run, ...settings.flatMap(s => ["--set", s])], environment);
	autograd(["report", run, "-o", page], environment);
	return page;
}

/* A page in a context of its own that fails the test for whatever it says or asks for. */
async function open(file, options = {}) {
	const context = await browser.newContext({ viewport: { width: 1300, height: 900 }, ...options });
	const page = await context.newPage(), complaints = [], address = pathToFileURL(file).href;

	page.on("console", message => complaints.push(message.text()));
	page.on("pageerror", error => complaints.push(String(error)));
	page.on("dialog", dialog => { complaints.push("dialog: " + dialog.message()); dialog.dismiss(); });
	page.on("request", request => {
		if (request.url() !== address && !request.url().startsWith("data:"))
			complaints.push("request: " + request.url());
	});
	await page.goto(address);
	page.finish = async () => {
		assert.deepEqual(complaints, []);
		await context.close();
	};
	return page;
}

async function picture(page, name) {
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: path.join(process.env.SCREENSHOTS, name + ".png"), fullPage: true });
}

let digits, chain;

before(async () => {
	browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
	                                  args: ["--no-sandbox", "--disable-gpu"] });
	digits = report("configs/digits.yaml", "digits", ["train.epochs=6", "train.gradients={every: 1 epoch}"]);
	chain = report("configs/vanishing.yaml", "chain", ["train.epochs=3", "train.gradients={every: 1 epoch}"]);
});

after(async () => {
	await browser?.close();
	rmSync(work, { recursive: true });
});

const edges = page => page.$$eval("#diagram .edge", list => list.map(g =>
	[g.id, g.getAttribute("class"), g.querySelector("path")?.style.strokeWidth, g.textContent].join(" ")));

test("all sections are there, and nothing is asked for", async () => {
	const page = await open(digits);

	assert.equal(await page.title(), "digits – report");
	for (const id of ["curves", "flow", "layers", "weights", "classes", "declaration", "environment"])
		assert.equal(await page.locator("#" + id).isVisible(), true, id);
	assert.ok(await page.locator("#charts figure").count() >= 4);
	assert.equal(await page.locator("#tiles dt", { hasText: "accuracy, test" }).count(), 1);
	assert.equal(await page.locator("#histograms figure").count(), 4);
	assert.equal(await page.locator(".matrix tbody td").count(), 100);
	assert.equal(await page.locator("#worst canvas").count(), 24);
	assert.match(await page.locator("#yaml").innerText(), /hidden: 256/);
	assert.match(await page.locator("#facts").innerText(), /instructions/);
	await picture(page, "digits-light");
	await page.finish();
});

test("the slider changes colours, widths and numbers of the diagram", async () => {
	const page = await open(chain), slider = page.locator("#step");

	assert.equal(await slider.getAttribute("max"), "2");
	const last = await edges(page), shown = await page.locator("#step-number").innerText();
	await slider.focus();
	await page.keyboard.press("Home");
	const first = await edges(page);
	assert.notDeepEqual(first, last);
	assert.notEqual(await page.locator("#step-number").innerText(), shown);
	await page.keyboard.press("ArrowRight");
	assert.notDeepEqual(await edges(page), first);
	await page.keyboard.press("End");
	assert.deepEqual(await edges(page), last);
	assert.ok(await page.locator("#diagram .edge.vanishing").count() > 0);
	const numbers = () => page.$$eval("#diagram .edge text, #diagram .param text, #diagram .closed text", list => list.map(t => t.textContent));
	const before = await numbers();
	await page.keyboard.press("Home");
	const after = await numbers(), changed = after.filter((text, k) => text !== before[k]).length;
	assert.ok(after.every(text => text !== "") && changed > 10, `${changed} of ${after.length} numbers change`);
	await page.finish();
});

test("the heat map and the slider show the same step", async () => {
	const page = await open(chain), cells = page.locator(".cells");

	await cells.focus();
	await page.keyboard.press("ArrowLeft");
	assert.equal(await page.locator("#step").inputValue(), "1");
	await page.keyboard.press("ArrowDown");
	assert.match(await page.locator("#heat .readout").innerText(), /^chain\[0\]\.linear\.bias, step \d+: gradient \S+/);
	await cells.click({ position: { x: 2, y: 5 } });
	assert.equal(await page.locator("#step").inputValue(), "0");
	await page.locator("input[name=measure][value=update]").check();
	assert.match(await page.locator(".ramp").innerText(), /1e-3/);
	await page.finish();
});

test("a click opens a module's diagram, Escape closes it", async () => {
	const page = await open(chain), dialog = page.locator("#module");

	await page.locator("#diagram .node.op").first().click();
	assert.equal(await dialog.isVisible(), true);
	assert.match(await page.locator("#module-name").innerText(), /^chain\[\d\]/);
	assert.ok(await page.locator("#module-diagram svg .node").count() > 0);
	assert.ok(await page.locator("#module-weights figure").count() > 0);
	await picture(page, "module");
	await page.keyboard.press("Escape");
	assert.equal(await dialog.isVisible(), false);
	await page.finish();
});

test("the keyboard goes along the nodes and opens a module", async () => {
	const page = await open(chain), focused = () => page.evaluate(() => document.activeElement.id);
	const stop = page.locator("#diagram [tabindex='0']");

	assert.equal(await stop.count(), 1);
	await page.locator("#zoom-in").focus();
	await page.keyboard.press("Tab");
	for (let k = 0; k < 3 && !/^[nf]\d/.test(await focused()); k++)
		await page.keyboard.press("Tab");
	const first = await focused();
	assert.match(first, /^[nf]\d+$/);
	await page.keyboard.press("ArrowRight");
	assert.notEqual(await focused(), first);
	assert.notEqual(await page.locator("#flow-readout").innerText(), "");
	await page.keyboard.press("Enter");
	assert.equal(await page.locator("#module").isVisible(), true);
	await page.keyboard.press("Escape");
	await page.keyboard.press("ArrowLeft");
	assert.equal(await focused(), first);
	await page.finish();
});

test("pointing at a node marks its way to the loss", async () => {
	const page = await open(chain), nodes = page.locator("#diagram .node.op");

	await nodes.first().hover();
	const traced = await page.locator("#diagram .traced").count(), all = await page.locator("#diagram .node, #diagram .edge").count();
	assert.ok(traced > 3 && traced < all, `${traced} of ${all}`);
	assert.equal(await page.locator("#diagram .node.loss.traced").count(), 1);
	assert.equal(await page.locator("#diagram .node.input.traced").count(), 0);
	await page.mouse.move(5, 5);
	assert.equal(await page.locator("#diagram svg.tracing").count(), 0);
	await page.finish();
});

const colours = page => page.evaluate(() => {
	const style = getComputedStyle(document.body);
	return [style.backgroundColor, style.color];
});

test("dark and light, by the system and by the switch", async () => {
	const light = await open(digits, { colorScheme: "light" }), dark = await open(digits, { colorScheme: "dark" });
	const bright = await colours(light), dim = await colours(dark);

	assert.notDeepEqual(bright, dim);
	await picture(dark, "digits-dark");
	await dark.locator("#theme label", { hasText: "Light" }).click();
	assert.deepEqual(await colours(dark), bright);
	await light.locator("input[value=dark]").focus();
	await light.keyboard.press("Space");
	assert.deepEqual(await colours(light), dim);
	await light.finish();
	await dark.finish();
});

test("on paper there are no switches, and the colours are the light ones", async () => {
	const page = await open(chain, { colorScheme: "dark" });

	await page.emulateMedia({ media: "print" });
	assert.equal(await page.locator("nav").isVisible(), false);
	assert.equal(await page.locator("#theme").isVisible(), false);
	assert.equal(await page.locator("#charts").isVisible(), true);
	assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
	assert.ok((await page.pdf({ printBackground: true })).length > 10000);
	await picture(page, "print");
	await page.finish();
});

test("a narrow window scrolls in one direction only", async () => {
	const page = await open(chain, { viewport: { width: 400, height: 800 } });

	assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
	await picture(page, "narrow");
	await page.finish();
});

test("pictures have words: labels, titles, tables", async () => {
	const page = await open(digits);
	const nameless = await page.$$eval("main [role=img], main [role=button], main [role=region], canvas:not([aria-hidden])",
		list => list.filter(e => e.tagName !== "CANVAS" || !e.closest("[role=img]")).filter(e => !e.getAttribute("aria-label")).map(e => e.outerHTML.slice(0, 80)));

	assert.deepEqual(nameless, []);
	const chart = page.locator("#charts svg").first();
	await chart.focus();
	await page.keyboard.press("ArrowLeft");
	assert.match(await page.locator("#charts .value").first().innerText(), /^step \d+: \S+/);
	for (const summary of await page.locator("summary").all())
		await summary.click();
	assert.equal(await page.locator("#log tbody tr").count(), 6);
	assert.ok(await page.locator("#heat tbody tr").count() === 4);
	await page.finish();
});

/* A language model whose settings, run and tokens are hostile; names are not, as the language refuses such. */
function strange() {
	const text = path.join(work, "text.txt"), file = path.join(work, "strange.yaml");

	writeFileSync(text, `<b>"it's"</b> </script><script>alert(3)</script> & é 日本 &lt; \\ {{data}} \n`.repeat(40));
	writeFileSync(file, `version: 1
name: strange
params: {note: ${JSON.stringify(`</script>${STRANGE}`)}}
inputs:
  ids: {shape: [B, 8], dtype: i32}
  next: {shape: [B, 8], dtype: i32, role: target}
model:
  - embed: {vocab: 64, dim: 8}
    from: ids
  - linear: 64
    as: logits
loss: cross_entropy(logits, next)
data:
  train: {format: text, file: ${JSON.stringify(text)}, window: 8, x: ids, y: next}
  batch: 16
train: {epochs: 2, seed: 1, optimizer: {adam: {lr: 1e-2}}, gradients: {every: 1 epoch}}
`);
	return report(file, STRANGE, []);
}

test("names and texts of a run stay text", async () => {
	const page = await open(strange());

	assert.ok((await page.locator("#about").innerText()).includes(STRANGE));
	assert.ok((await page.locator("#yaml").innerText()).includes("</script>"));
	assert.equal(await page.locator("img, b b, iframe").count(), 0);
	assert.equal(await page.locator("script").count(), 2);
	assert.match(await page.locator(".matrix thead").innerText(), /"\s*&\s*'/);
	assert.ok(await page.locator("#worst .tokens").count() > 0);
	await picture(page, "strange");
	await page.finish();
});

test("without dot the graph is a tree of text", async () => {
	const page = await open(report("configs/vanishing.yaml", "plain", ["train.epochs=2", "train.gradients={every: 1 epoch}"],
	                               { AUTOGRAD_DOT: "/nonexistent/dot" }));

	assert.match(await page.locator("#diagram pre").innerText(), /chain\[0\]/);
	assert.match(await page.locator("#notes").innerText(), /tree of text/);
	await page.finish();
});

test("a report of a training that runs loads itself anew, unless it is told not to", async () => {
	const run = path.join(work, "chain"), live = path.join(work, "live.html");
	autograd(["report", run, "--live", "-o", live]);
	const page = await open(live);

	assert.equal(await page.locator(".badge").first().innerText(), "running");
	await page.evaluate(() => window.scrollTo(0, 500));
	await page.waitForEvent("load", { timeout: 15000 });
	await page.waitForFunction(() => window.scrollY > 400);
	await page.locator("#pause").click();
	assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
	await page.finish();
	const done = await open(chain);
	assert.equal(await done.locator("#pause").isVisible(), false);
	await done.finish();
});

test("train --live leaves the report of the training that has ended", () => {
	const run = path.join(work, "lived");
	const out = autograd(["train", "configs/vanishing.yaml", "--quiet", "--live", "--run", run, "--set", "train.epochs=2"]);
	const page = readFileSync(path.join(run, "report.html"), "utf8");

	assert.match(out, /report: .*report\.html/);
	assert.match(page, /data-state="done"/);
	assert.ok(statSync(path.join(run, "report.html")).size < 5e6);
});
