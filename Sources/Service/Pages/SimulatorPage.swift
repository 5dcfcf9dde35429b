/// `/simulate`: a person in one's hands: what the ad does, and how it changes with each feature.
enum SimulatorPage {
    static let html = PageStyle.page(
        title: "Simulator", path: "/simulate", script: "simulate.js",
        body: """
            <h1>Simulator</h1>
            <p class="lead" id="lead">Change a person, and see what the ad would do to them.</p>
            <div id="linked"></div><div id="notices"></div>
            <div class="sim">
            <section class="card controls" aria-label="The person"><header><h2>The person</h2>
            <span class="row" id="who" role="group" aria-label="Whose features"></span></header>
            <div class="row" id="presets"></div>
            <form class="row" id="pick" hidden><input type="text" id="user" aria-label="user_id" placeholder="user_id" \
            autocomplete="off" autocapitalize="off" spellcheck="false"><button>Take this person</button></form>
            <div id="fields"></div></section>
            <div class="grid">
            <div class="result" id="result" aria-live="polite"></div>
            <section class="card"><header><h2 id="curve-title">Effect curve</h2><span class="muted" id="curve-note"></span></header>
            <div id="curve"></div></section>
            <section class="card s6"><header><h2 id="push-title">What moves the effect</h2><span class="muted" id="push-note"></span></header>
            <div id="push"></div></section>
            <section class="card s6"><header><h2>Two features at once</h2><span class="row"><select id="second" \
            aria-label="Second feature"></select></span></header><div id="surface"></div></section>
            </div></div>
            """)

    static let script = #"""
        "use strict";
        let model, ordered, curve;
        const scene = { a: {}, b: null, hand: "a", feature: null, second: "", names: { a: "", b: "" } };
        const person = () => scene[scene.hand];
        const score = { a: null, b: null };
        /* Why a person has no score. */
        const trouble = { a: null, b: null };

        /* The scene lives in the address, so that a link restores it whole. */
        function save() {
          const kept = { a: scene.a, f: scene.feature };
          if (scene.b) kept.b = scene.b;
          if (scene.b && scene.hand === "b") kept.h = "b";
          if (scene.second) kept.s = scene.second;
          if (scene.names.a) kept.name = scene.names.a;
          if (scene.names.b) kept.name2 = scene.names.b;
          history.replaceState(null, "", "#" + encodeURIComponent(JSON.stringify(kept)));
        }
        function restore() {
          let kept = {}, faults = [];
          try {
            kept = JSON.parse(decodeURIComponent(location.hash.slice(1) || "%7B%7D"));
            if (typeof kept !== "object" || kept === null || Array.isArray(kept)) throw new Error("no scene");
          } catch { kept = {}; faults.push("it cannot be read"); }
          const known = new Set(model.features.map(feature => feature.name));
          const clean = features => Object.fromEntries(Object.entries(features || {}).filter(([name, value]) => {
            if (!known.has(name)) faults.push(`"${name.slice(0, 60)}" is not a feature of this model`);
            else if (value !== null && !Number.isFinite(value) && typeof value !== "string") faults.push(`"${name}" has no number`);
            else return true;
            return false;
          }));
          scene.a = { ...typical(), ...clean(kept.a) };
          scene.b = kept.b ? { ...typical(), ...clean(kept.b) } : null;
          scene.hand = scene.b && kept.h === "b" ? "b" : "a";
          scene.names = { a: String(kept.name || ""), b: String(kept.name2 || "") };
          scene.feature = known.has(kept.f) ? kept.f : ordered[0].name;
          scene.second = known.has(kept.s) ? kept.s : ordered[1]?.name ?? "";
          fill($("#linked"), faults.length ? el("p", { class: "notice bad" }, "The link is damaged, or of another model: " + faults.slice(0, 4).join("; ") + ". What it does not say is as of a typical person.") : null);
        }
        const typical = () => Object.fromEntries(model.features.map(feature => [feature.name, typeof feature.choices?.[0] === "string" ? feature.choices[0] : feature.typical]));
        /* Beyond the training data a forest only goes on with its edge. */
        const isBeyond = (feature, value) => !!feature.seen && Number.isFinite(value) && (value < feature.seen[0] || value > feature.seen[1]);
        const beyond = feature => `beyond the training data (${format.value(feature.seen[0])} to ${format.value(feature.seen[1])})`;
        const given = features => Object.fromEntries(Object.entries(features).filter(([, value]) => value !== undefined));

        function sentence(score) {
          if (isResponse(model)) return responseSentence(model, score);
          const amount = Math.abs(score.uplift), outcome = plain(score.outcome), what = plain(score.treatment);
          const size = amount < 1 && isChance(score.outcome)
            ? `${trim(amount * 100, 2)} percentage points (${format.effect(score.uplift)}) ${score.uplift < 0 ? "less" : "more"} likely to end in a ${outcome}`
            : `${trim(amount, 4)} ${score.uplift < 0 ? "lower" : "higher"} in ${outcome}`;
          const level = Math.round(score.ci_level * 1000) / 10;
          const verdict = { treat: `All of the ${level} % interval is above ${format.value(model.threshold)}: it pays.`,
            suppress: `All of the ${level} % interval is below ${format.value(model.threshold)}: leave it out.`,
            uncertain: `The ${level} % interval holds ${format.value(model.threshold)}: the data cannot tell yet.` }[score.decision];
          return `With "${what}" this person is ${size} than without. ${model.intervals ? verdict : "This forest gives no interval."}`;
        }

        function gauge(one, low, high) {
          const width = 320, x = value => 8 + (value - low) / ((high - low) || 1) * (width - 16);
          const root = svg("svg", { viewBox: `0 0 ${width} 36`, role: "img", "aria-label": one.ci_lower === null ? amountOf(model, one.uplift) : `interval ${format.effect(one.ci_lower)} to ${format.effect(one.ci_upper)}` });
          const limit = limitOf(model, one.outcome);
          root.append(svg("line", { class: "gridline", x1: 8, x2: width - 8, y1: 13, y2: 13 }), svg("line", { class: "zero", x1: x(limit), x2: x(limit), y1: 2, y2: 24 }),
            svg("text", { x: x(limit), y: 34, "text-anchor": "middle" }, isLikely(model) ? amountOf(model, limit) : format.value(limit)));
          if (Number.isFinite(one.ci_lower) && one.ci_lower !== null) {
            root.append(svg("rect", { class: "bar c-" + one.decision, "fill-opacity": 0.45, x: x(one.ci_lower), width: Math.max(1, x(one.ci_upper) - x(one.ci_lower)), y: 7, height: 12, rx: 6 }));
          }
          root.append(svg("circle", { class: "bar c-" + one.decision, cx: x(one.uplift), cy: 13, r: 6.5 }));
          return el("div", { class: "chart gauge" }, root);
        }

        function drawResult() {
          const shown = scene.b ? ["a", "b"] : ["a"];
          const all = shown.flatMap(key => score[key] ? [score[key].ci_lower ?? score[key].uplift, score[key].ci_upper ?? score[key].uplift, limitOf(model, score[key].outcome)] : []);
          const low = Math.min(...all), high = Math.max(...all), room = (high - low) * 0.12 || 0.01;
          $("#result").className = "result" + (scene.b ? " two" : "");
          fill($("#result"), shown.map(key => {
            const one = score[key];
            const head = el("div", { class: "who" }, el("span", { class: "row" }, scene.b ? el("span", { class: "letter" + (key === "b" ? " b" : "") }, key.toUpperCase()) : null,
              el("b", {}, scene.names[key] || (scene.b ? "Person " + key.toUpperCase() : "This person"))), one ? adTag(model, one.decision) : null);
            if (!one) return el("section", { class: "card" }, head, el("div", { class: "empty", "data-trouble": "" }, trouble[key] || "…"));
            const far = model.features.filter(feature => isBeyond(feature, scene[key][feature.name]));
            return el("section", { class: "card" }, head, el("div", { class: "effect " + one.decision, "data-uplift": one.uplift }, amountOf(model, one.uplift), isResponse(model) && one.effects ? el("span", { class: "muted small" }, " " + plain(one.outcome)) : null),
              gauge(one, low - room, high + room),
              el("div", { class: "muted small" }, isResponse(model) ? nounOf(model).toLowerCase() + " of " + plain(one.outcome) : one.ci_lower === null ? "no interval" : `${format.effect(one.ci_lower)} to ${format.effect(one.ci_upper)}, standard error ${trim(one.std_error, 4)}`),
              el("p", { class: "sentence" }, sentence(one)),
              far.length ? el("p", { class: "notice" }, `${far.map(feature => plain(feature.name)).join(", ")}: ${far.length === 1 ? beyond(far[0]) : "beyond the training data"}. The model has seen nobody like this, so its number is that of the nearest it has seen.`) : null,
              one.effects ? el("table", {}, el("tbody", {}, one.effects.map(effect => el("tr", {}, el("th", { scope: "row" }, isResponse(model) ? plain(effect.outcome) : `${plain(effect.treatment)} on ${plain(effect.outcome)}`), el("td", { class: "n" }, amountOf(model, effect.uplift)))))) : null);
          }));
        }

        /** The effect along one feature, with its band; a dot for each person. */
        class Curve extends Chart {
          set(data) { this.data = data; this.draw(); }
          xAt(index) { return this.data.a.vary[0].values[index]; }
          describe(index) {
            const { a, b } = this.data;
            const row = (one, letter) => [tipRow(letter === "b" ? "warn" : "accent", letter ? letter.toUpperCase() : nounOf(model).toLowerCase(), amountOf(model, one.uplift[index])),
              isResponse(model) ? null : el("div", { class: "muted" }, `${format.effect(one.ci_lower[index])} to ${format.effect(one.ci_upper[index])}`)];
            return [el("div", { class: "muted" }, plain(a.vary[0].feature) + " " + format.value(this.xAt(index))), row(a, b ? "a" : ""), b ? row(b, "b") : null].flat().filter(Boolean);
          }
          draw() {
            if (!this.data) return;
            const { a, b, at } = this.data;
            this.count = a.vary[0].values.length;
            const xs = a.vary[0].values, both = b ? [a, b] : [a];
            const ys = both.flatMap(one => [...one.uplift, ...one.ci_lower, ...one.ci_upper]).filter(Number.isFinite);
            if (!ys.length) { this.empty("The model gives no effect here."); return; }
            const low = Math.min(0, ...ys), high = Math.max(0, ...ys), room = (high - low) * 0.06 || 0.01;
            const from = Math.min(...xs), to = Math.max(...xs);
            // A choice has no values between: points with their intervals, and room at the sides.
            const choices = model.features.find(one => one.name === a.vary[0].feature)?.choices, side = choices ? (to - from) * 0.25 || 1 : 0;
            const xTicks = choices ? xs.map(at => ({ at, label: choiceName(choices, at) })) : ticks(from, to, this.host.clientWidth > 460 ? 6 : 4).map(at => ({ at, label: format.value(at) }));
            const plot = this.frame(from - side, to + side, low - room, high + room, xTicks, value => amountOf(model, value));
            if (choices) both.forEach((one, i) => xs.forEach((x, k) => {
              const px = plot.x(x) + (both.length > 1 ? (i ? 7 : -7) : 0);
              if (Number.isFinite(one.ci_lower[k])) plot.root.append(svg("line", { class: "whisker", x1: px, x2: px, y1: plot.y(one.ci_lower[k]), y2: plot.y(one.ci_upper[k]) }));
              plot.root.append(svg("circle", { class: (x === at[i] ? "dot" : "dot other") + (i ? " b" : ""), cx: px, cy: plot.y(one.uplift[k]), r: x === at[i] ? 6.5 : 4.5 }));
            }));
            else both.forEach((one, i) => {
              if (one.ci_lower.every(Number.isFinite)) {
                const up = xs.map((x, k) => [plot.x(x), plot.y(one.ci_upper[k])]), down = xs.map((x, k) => [plot.x(x), plot.y(one.ci_lower[k])]).reverse();
                if (i === 0 || both.length === 1) plot.root.append(svg("path", { class: "band", d: line(up.concat(down)) + "Z" }));
              }
              plot.root.append(svg("path", { class: "line c-" + (i ? "warn" : "accent") + (i ? " dash" : ""), d: line(xs.map((x, k) => [plot.x(x), plot.y(one.uplift[k])])) }));
            });
            if (!choices) both.forEach((one, i) => {
              const value = at[i];
              if (Number.isFinite(value)) plot.root.append(svg("circle", { class: "dot" + (i ? " b" : ""), cx: plot.x(Math.min(Math.max(value, from), to)), cy: plot.y(one.base.uplift), r: 5.5 }));
            });
            this.finish(`${nounOf(model)} by ${plain(a.vary[0].feature)}: from ${amountOf(model, a.uplift[0])} at ${format.value(xs[0])} to ${amountOf(model, a.uplift[xs.length - 1])} at ${format.value(xs[xs.length - 1])}`);
          }
        }

        function grid(feature, steps) {
          if (feature.choices) return { feature: feature.name, values: feature.choices };
          if (feature.whole && feature.high - feature.low <= 120) {
            const step = Math.max(1, Math.ceil((feature.high - feature.low) / steps)), values = [];
            for (let value = feature.low; value <= feature.high; value += step) values.push(value);
            return { feature: feature.name, values };
          }
          return { feature: feature.name, from: feature.low, to: feature.high, steps };
        }

        async function drawCurve() {
          const feature = model.features.find(one => one.name === scene.feature);
          $("#curve-title").textContent = nounOf(model) + " by " + plain(feature.name);
          $("#curve-note").textContent = "the other features as they are" + (!model.intervals ? "" : feature.choices ? "; the lines are the intervals" : "; the band is the interval");
          const question = features => send("/v1/simulate", { features, vary: [grid(feature, 61)] });
          const [a, b] = await Promise.all([question(scene.a), scene.b ? question(scene.b) : null]);
          curve.set({ a, b, at: [scene.a[feature.name], scene.b ? scene.b[feature.name] : NaN] });
        }

        async function drawPush() {
          const features = person(), other = scene.b ? scene[scene.hand === "a" ? "b" : "a"] : null;
          const { moves, note } = await movesOf(model, features, other);
          $("#push-note").textContent = scene.b ? `each alone, ${scene.hand.toUpperCase()} against ${scene.hand === "a" ? "B" : "A"}` : note;
          fill($("#push"), moves.length ? pushRows(moves, features) : el("div", { class: "empty" }, scene.b ? "No difference between the two moves the effect." : "No feature moves the effect of this person."));
        }

        async function drawSurface() {
          const host = $("#surface");
          const chosen = scene.second === scene.feature ? ordered.find(one => one.name !== scene.feature)?.name ?? "" : scene.second;
          if ($("#second").value !== chosen) $("#second").value = chosen;
          if (!chosen) { fill(host, el("div", { class: "empty" }, "Choose a second feature to see the effect over both.")); return; }
          const find = name => model.features.find(one => one.name === name);
          const answer = await send("/v1/simulate", { features: person(), vary: [grid(find(chosen), 19), grid(find(scene.feature), 25)] });
          const rows = answer.vary[0].values, columns = answer.vary[1].values, most = Math.max(...answer.uplift.map(Math.abs)) || 1;
          const width = 420, left = 8, top = 6, height = 210, w = (width - left * 2) / columns.length, h = height / rows.length;
          const root = svg("svg", { viewBox: `0 0 ${width} ${height + 40}`, role: "img", "aria-label": `${nounOf(model)} over ${plain(scene.feature)} and ${plain(chosen)}: ${amountOf(model, Math.min(...answer.uplift))} to ${amountOf(model, Math.max(...answer.uplift))}` });
          rows.forEach((row, i) => columns.forEach((column, k) => {
            const value = answer.uplift[i * columns.length + k];
            const cell = svg("rect", { class: "bar c-" + (value >= 0 ? "treat" : "suppress"), "fill-opacity": (0.06 + 0.94 * Math.abs(value) / most).toFixed(3), x: (left + k * w).toFixed(2), y: (top + (rows.length - 1 - i) * h).toFixed(2), width: (w + 0.4).toFixed(2), height: (h + 0.4).toFixed(2) });
            cell.append(svg("title", {}, `${plain(scene.feature)} ${format.value(column)}, ${plain(chosen)} ${format.value(row)}: ${amountOf(model, value)}`));
            root.append(cell);
          }));
          root.append(svg("text", { x: left, y: height + 22 }, `${plain(scene.feature)} ${format.value(columns[0])}`), svg("text", { x: width - left, y: height + 22, "text-anchor": "end" }, `${format.value(columns[columns.length - 1])} →`),
            svg("text", { x: left, y: height + 37 }, `${plain(chosen)} ${format.value(rows[0])} at the bottom, ${format.value(rows[rows.length - 1])} at the top`));
          fill(host, el("div", { class: "chart" }, root), isResponse(model) ? el("ul", { class: "legend" }, el("li", {}, el("span", { class: "key c-treat" }), `the stronger the more, up to ${amountOf(model, most)}`)) : el("ul", { class: "legend" }, el("li", {}, el("span", { class: "key c-treat" }), "more with the ad"), el("li", {}, el("span", { class: "key c-suppress" }), "less"), el("li", {}, `strongest ${format.effect(most).slice(1)}`)));
        }

        /* One question at a time; the newest wish wins. */
        const asker = { busy: false, again: false };
        async function update() {
          save();
          if (asker.busy) { asker.again = true; return; }
          asker.busy = true;
          try {
            await Promise.all(["a", "b"].map(async key => {
              const asked = scene[key] && given(scene[key]);
              try { score[key] = asked ? await send("/v1/score", { features: asked }) : null; trouble[key] = null; } catch (error) {
                if (error.status !== 422) throw error;
                score[key] = null;
                trouble[key] = error.problem?.type?.endsWith(":missing_feature") ? `This model needs a number for ${plain(error.problem.field.replace("features.", ""))}: without it there is no effect.` : error.message;
              }
            }));
            drawResult();
            fill($("#notices"));
            if (trouble.a || trouble.b) {
              const words = "No effect to show: a number is needed.";
              curve.data = null; curve.empty(words); fill($("#push"), el("div", { class: "empty" }, words)); fill($("#surface"), el("div", { class: "empty" }, words));
              fill($("#push-note")); fill($("#curve-note"));
            } else await Promise.all([drawCurve(), drawPush(), drawSurface()]);
            state("good", "ready");
          } catch (error) {
            fill($("#notices"), el("p", { class: "notice bad" }, error.message));
            if (!error.status) state("bad", "disconnected");
          }
          asker.busy = false;
          if (asker.again) { asker.again = false; update(); }
        }

        function take(name) { if (scene.feature !== name) { scene.feature = name; mark(); update(); } }
        function mark() { for (const field of document.querySelectorAll(".field")) field.classList.toggle("in-hand", field.dataset.name === scene.feature); }

        function field(feature) {
          const id = "f-" + feature.name, value = person()[feature.name];
          const note = el("div", { class: "meaning" });
          const judge = value => { note.textContent = isBeyond(feature, value) ? beyond(feature) : feature.never != null && value === feature.never ? "stands for never" : ""; };
          judge(value);
          const change = value => { judge(value); person()[feature.name] = value; scene.feature = feature.name; mark(); update(); };
          let controls;
          if (feature.choices) {
            const buttons = feature.choices.map(choice => el("button", { type: "button", "aria-pressed": String(value === choice), onclick: () => {
              buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(feature.choices[i] === choice))); change(choice);
            } }, choiceName(feature.choices, choice)));
            controls = [el("div", { class: "head short" }, el("span", { id }, el("b", {}, plain(feature.name))), el("div", { class: "choices", role: "group", "aria-labelledby": id }, buttons))];
          } else {
            const step = feature.whole ? 1 : Number(((feature.high - feature.low) / 200).toPrecision(1));
            const shown = value === null || value === undefined ? "" : Number(Number(value).toPrecision(6));
            const number = el("input", { type: "number", id, step: "any", value: shown, placeholder: model.missing_values === "refuse" ? "needed" : "not known", oninput: () => {
              const typed = number.value === "" ? null : Number(number.value);
              if (typed !== null && !Number.isFinite(typed)) return;
              if (typed !== null) slider.value = typed; change(typed);
            } });
            const slider = el("input", { type: "range", min: feature.low, max: feature.high, step, value: value ?? feature.typical, "aria-label": plain(feature.name), oninput: () => {
              number.value = Number(Number(slider.value).toPrecision(6)); change(Number(slider.value));
            } });
            controls = [el("div", { class: "head" }, el("label", { for: id }, plain(feature.name)), number), slider];
          }
          return el("div", { class: "field", "data-name": feature.name, onfocusin: () => take(feature.name), onclick: () => take(feature.name) }, controls, note, feature.meaning ? el("div", { class: "meaning" }, feature.meaning) : null);
        }

        function drawControls() {
          fill($("#fields"), ordered.map(field));
          mark();
          const letters = scene.b ? ["a", "b"] : [];
          fill($("#who"), letters.map(key => el("button", { type: "button", "aria-pressed": String(scene.hand === key), onclick: () => { scene.hand = key; drawControls(); update(); } }, key.toUpperCase())),
            el("button", { type: "button", onclick: () => {
              if (scene.b) { scene.b = null; scene.hand = "a"; scene.names.b = ""; } else { scene.b = { ...scene.a }; scene.hand = "b"; }
              drawControls(); update();
            } }, scene.b ? "One person" : "Compare two"));
        }

        function set(features, name) {
          scene[scene.hand] = { ...typical(), ...features }; scene.names[scene.hand] = name;
          drawControls(); update();
        }

        async function drawPresets() {
          const buttons = [el("button", { type: "button", onclick: () => set({}, "") }, "Typical"),
            el("button", { type: "button", onclick: async () => {
              try { await navigator.clipboard.writeText(location.href); $("#lead").textContent = "The link is copied: it restores this scene."; } catch { $("#lead").textContent = "The address of this page restores this scene."; }
            } }, "Copy link")];
          fill($("#presets"), buttons);
          const answer = await ask("/v1/people").catch(() => ({ people: [] }));
          const seen = [...answer.people].sort((a, b) => b.uplift - a.uplift), picks = seen.length > 4 ? [seen[0], seen[seen.length >> 1], seen[seen.length - 1]] : seen;
          $("#pick").hidden = !seen.length;
          fill($("#presets"), buttons[0], picks.map((one, i) => el("button", { type: "button", title: "a person seen of late, effect " + format.effect(one.uplift), onclick: () => set(one.features, one.user_id) }, one.user_id)), buttons[1]);
        }

        document.addEventListener("DOMContentLoaded", async () => {
          curve = new Curve($("#curve"), { height: 240 });
          try { model = await ask("/v1/model"); } catch (error) { fill($("#notices"), el("p", { class: "notice bad" }, error.message)); state("bad", "disconnected"); return; }
          // What follows from other features moves with them.
          model.features = model.features.filter(feature => !feature.derived);
          ordered = [...model.features].sort((a, b) => b.importance - a.importance);
          if (isResponse(model)) $("#push-title").textContent = "What moves the " + nounOf(model).toLowerCase();
          $("#lead").textContent = isResponse(model) ? `Change a person, and see what the model expects of ${model.outcomes.map(plain).join(", ")}. The ${unitOf(model)}.` : `Change a person, and see what "${model.treatments.map(plain).join('", "')}" would do to ${model.outcomes.map(plain).join(", ")}. The ${unitOf(model)}.`;
          fill($("#second"), el("option", { value: "" }, "second feature…"), ordered.map(feature => el("option", { value: feature.name }, plain(feature.name))));
          restore();
          $("#second").value = scene.second;
          $("#second").addEventListener("change", event => { scene.second = event.target.value; update(); });
          $("#pick").addEventListener("submit", async event => {
            event.preventDefault();
            const id = $("#user").value.trim();
            if (!id) return;
            try { set((await ask("/v1/user?id=" + encodeURIComponent(id))).features, id); } catch (error) { fill($("#notices"), el("p", { class: "notice" }, error.message)); }
          });
          window.addEventListener("hashchange", () => { restore(); drawControls(); update(); });
          drawControls(); update(); drawPresets();
        });
        """#
}
