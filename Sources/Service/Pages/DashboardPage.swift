/// `/`: what an operator and a marketer look at first.
enum DashboardPage {
    static let html = PageStyle.page(
        title: "Dashboard", path: "/", script: "dashboard.js",
        body: """
            <h1 id="title">Dashboard</h1>
            <p class="lead" id="verdict">Asking the server how it goes…</p>
            <div id="notices"></div>
            <dl class="tiles" id="tiles" aria-label="Now"></dl>
            <div class="grid" id="live" hidden>
            <section class="card s8"><header><h2>Decisions</h2><span class="muted">scores per second, the last hour</span></header>
            <ul class="legend" id="decision-legend"></ul><div id="decisions"></div></section>
            <section class="card s4"><header><h2>Effects</h2><span class="muted" id="effects-note"></span></header>
            <div id="effects"></div></section>
            <section class="card s4"><header><h2>Throughput</h2><span class="muted">events per second</span></header>
            <div id="throughput"></div></section>
            <section class="card s4"><header><h2>Latency</h2><span class="muted">from the event's record to its score</span></header>
            <ul class="legend" id="latency-legend"></ul><div id="latency"></div></section>
            <section class="card s4"><header><h2>Lag</h2><span class="muted">records that wait</span></header>
            <div id="lag"></div></section>
            <section class="card s6"><header><h2>Effect by segment</h2><span class="muted" id="segments-note"></span></header>
            <div id="segments"></div></section>
            <section class="card s6"><header><h2>Newest scores</h2><span class="muted">an even sample, newest first</span></header>
            <div class="scroll" tabindex="0" role="region" aria-label="Newest scores"><table id="newest"></table></div></section>
            <section class="card s8"><header><h2>Dead letters</h2><span class="muted" id="letters-note"></span></header>
            <div id="letters"></div></section>
            <section class="card s4"><header><h2>Partitions</h2><span class="muted" id="partitions-note"></span></header>
            <ul class="cells" id="partitions"></ul><div id="restores"></div><dl class="facts" id="group"></dl></section>
            </div>
            <section class="card below" id="model" hidden><header><h2>Model</h2><span class="muted" id="model-note"></span></header>
            <div class="grid"><dl class="facts s6" id="facts"></dl><div class="s6" id="importance"></div></div></section>
            """)

    static let script = #"""
        "use strict";
        const decisions = [["treat", "treat", "treat"], ["uncertain", "uncertain", "uncertain"], ["suppress", "suppress", "suppress"]];
        const live = { fields: [], rows: [], step: 5, last: null, open: [], connected: false, detail: null };
        let charts;

        const column = name => { const at = live.fields.indexOf(name); return live.rows.map(row => row[at] ?? NaN); };
        const now = name => live.last ? live.last[live.fields.indexOf(name)] ?? NaN : NaN;

        function tile(name, value, note, alert) {
          return el("div", { class: "tile" + (alert ? " alert" : "") }, el("dt", {}, name), el("dd", {}, value), el("dd", {}, note || "\u00a0"));
        }

        function drawTiles() {
          const detail = live.detail;
          if (!detail) return;
          if (!detail.has_pipeline) {
            fill($("#tiles"), tile("Requests", format.count(now("requests")), "per second"));
            return;
          }
          const scores = now("treat") + now("suppress") + now("uncertain");
          fill($("#tiles"),
            tile("Events", format.count(now("messages")), "per second; " + format.count(detail.totals.messages) + " since the start"),
            tile("Scores", format.count(scores), "per second"),
            tile("Latency", format.milliseconds(now("p50_ms")), Number.isFinite(now("p50_ms")) ? "half of them; 99 % within " + format.milliseconds(now("p99_ms")) : "no score in the last second"),
            tile("Lag", format.count(now("lag")), Number.isFinite(now("lag")) ? "records wait" : "not known yet"),
            tile("People", format.count(now("users")), "in memory"),
            tile("Dead letters", format.count(now("dead_letters")), "per second", now("dead_letters") > now("messages") * 0.05 && now("dead_letters") > 1),
            detail.has_log_store ? tile("Log store", format.count(now("store_lag")), Number.isFinite(now("store_lag")) ? "scores behind" : "not known yet", now("store_lag") > 100000) : null,
            tile("Requests", format.count(now("requests")), "per second"));
        }

        function drawVerdict() {
          const detail = live.detail;
          if (!detail) return;
          const notices = [];
          if (!live.connected) notices.push(el("p", { class: "notice bad" }, "The connection to the server is lost. What you see is the last that it said; this page tries again by itself."));
          if (detail.not_ready) notices.push(el("p", { class: "notice" }, "Not ready: " + detail.not_ready + "."));
          fill($("#notices"), notices);
          state(!live.connected ? "bad" : detail.ready ? "good live" : "warn", !live.connected ? "disconnected" : detail.ready ? "live" : "not ready");
          const { treat, suppress, uncertain } = detail.totals, all = treat + suppress + uncertain;
          if (!detail.has_pipeline) {
            fill($("#verdict"), "This process serves a model without a pipeline. ", el("a", { href: "/simulate" }, "Try the model on a person"), " or ", el("a", { href: "/docs" }, "call the API"), ".");
          } else if (!all) {
            $("#verdict").textContent = "The pipeline has made no score yet.";
          } else {
            const part = count => Math.round(count / all * 100) + " %";
            $("#verdict").textContent = live.card && isResponse(live.card) ? `Of ${format.count(all)} scores so far, ${part(treat)} are treat (above the threshold: an ad is shown), ${part(suppress)} suppress (not above it).` : `Of ${format.count(all)} scores so far, ${part(treat)} are treat (the ad pays), ${part(suppress)} suppress (better without it); ${part(uncertain)} uncertain (the data cannot tell).`;
          }
        }

        function drawCharts() {
          if (!live.detail?.has_pipeline) return;
          const times = column("time");
          const count = value => format.count(value), wait = "The first points come within ten seconds.";
          charts.decisions.set(times, decisions.map(([key, color, name]) => ({ name, color, values: column(key) })),
            { stacked: true, format: count, label: "Decisions per second", empty: wait });
          charts.throughput.set(times, [{ name: "events", color: "accent", values: column("messages") }], { format: count, label: "Events per second", empty: wait });
          charts.latency.set(times, [{ name: "99 %", color: "warn", values: column("p99_ms"), dash: true }, { name: "half", color: "accent", values: column("p50_ms") }],
            { format: format.milliseconds, label: "Latency", empty: "No score yet." });
          charts.lag.set(times, [{ name: "lag", color: "accent", values: column("lag") }], { format: count, label: "Lag in records", empty: "The lag is not known yet." });
        }

        /** Sampled effects: bars by decision. */
        class Effects extends Chart {
          set(effects) { this.data = effects; this.draw(); }
          xAt(index) { return this.data.low + (index + 0.5) * this.data.width; }
          describe(index) {
            const { low, width } = this.data;
            return [el("div", { class: "muted" }, `${format.effect(low + index * width)} to ${format.effect(low + (index + 1) * width)}`),
              decisions.map(([key, color, name]) => tipRow(color, name, this.data[key][index]))];
          }
          draw() {
            const data = this.data;
            if (!data) { this.empty("Effects show when the first scores are sampled."); return; }
            this.count = data.treat.length;
            const sums = data.treat.map((_, i) => data.treat[i] + data.uncertain[i] + data.suppress[i]);
            const low = data.low, high = data.low + data.width * this.count;
            const xTicks = ticks(low, high, this.host.clientWidth > 360 ? 5 : 4).map(at => ({ at, label: format.effect(at) }));
            const plot = this.frame(low, high, 0, Math.max(...sums) * 1.05, xTicks, value => format.count(value));
            for (let i = 0; i < this.count; i++) {
              let base = 0;
              for (const [key, color] of [["suppress", "suppress"], ["uncertain", "uncertain"], ["treat", "treat"]]) {
                const count = data[key][i];
                if (!count) continue;
                const left = plot.x(low + i * data.width) + 0.5, right = plot.x(low + (i + 1) * data.width) - 0.5;
                plot.root.append(svg("rect", { class: "bar c-" + color, x: left, width: Math.max(1, right - left),
                  y: plot.y(base + count), height: Math.max(0.5, plot.y(base) - plot.y(base + count)) }));
                base += count;
              }
            }
            if (low < 0 && high > 0) plot.root.append(svg("line", { class: "rule", x1: plot.x(0), x2: plot.x(0), y1: plot.top, y2: plot.height - plot.bottom }));
            this.finish(`Distribution of ${format.count(sums.reduce((a, b) => a + b, 0))} effects, mean ${format.effect(data.mean)}`);
          }
        }

        function drawSegments(segments) {
          $("#segments-note").textContent = segments.length ? "mean of people sampled of late" : "";
          if (!segments.length) { fill($("#segments"), el("div", { class: "empty" }, "Segments show when 20 people are sampled.")); return; }
          const most = Math.max(...segments.flatMap(segment => segment.groups.map(group => Math.abs(group.uplift))), 1e-9);
          fill($("#segments"), segments.map(segment => el("div", { class: "segment" }, el("h3", {}, plain(segment.feature)),
            segment.groups.map(group => {
              const share = group.uplift / most * 50, good = group.uplift >= 0;
              return el("div", { class: "segrow" }, el("span", { class: "muted" }, group.label + " ", el("span", { class: "small" }, "(" + group.people + ")")),
                svg("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
                  svg("line", { class: "zero", x1: 50, x2: 50, y1: 0, y2: 14, "vector-effect": "non-scaling-stroke" }),
                  svg("rect", { class: "bar c-" + (good ? "treat" : "suppress"), x: good ? 50 : 50 + share, width: Math.max(0.4, Math.abs(share)), y: 2, height: 10 })),
                el("span", {}, format.effect(group.uplift)));
            }))));
        }

        function drawNewest(scores) {
          if (!scores.length) { fill($("#newest"), el("caption", { class: "empty" }, "No score sampled yet.")); return; }
          const low = Math.min(0, ...scores.map(score => score.ci_lower ?? score.uplift)), high = Math.max(0, ...scores.map(score => score.ci_upper ?? score.uplift));
          const x = value => (value - low) / ((high - low) || 1) * 100;
          fill($("#newest"), el("thead", {}, el("tr", {}, ["Person", "Effect", "Interval", "Decision"].map((name, i) => el("th", { scope: "col", class: i === 1 ? "n" : null }, name)))),
            el("tbody", {}, scores.slice(0, 9).map(score => el("tr", {},
              el("th", { scope: "row", class: "clip" }, el("a", { href: "/user?id=" + encodeURIComponent(score.user_id) }, score.user_id)),
              el("td", { class: "n" }, live.card ? amountOf(live.card, score.uplift) : format.effect(score.uplift)),
              el("td", {}, svg("svg", { viewBox: "0 0 100 12", width: 110, height: 12, role: "img", "aria-label": `${format.effect(score.ci_lower)} to ${format.effect(score.ci_upper)}` },
                svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 12 }),
                svg("line", { class: "whisker", x1: x(score.ci_lower ?? score.uplift), x2: x(score.ci_upper ?? score.uplift), y1: 6, y2: 6 }),
                svg("circle", { class: "bar c-" + score.decision, cx: x(score.uplift), cy: 6, r: 3.4 }))),
              el("td", {}, live.card ? adTag(live.card, score.decision) : tag(score.decision))))));
        }

        function drawLetters(letters) {
          const codes = Object.entries(letters.by_code), all = codes.reduce((sum, [, count]) => sum + count, 0);
          $("#letters-note").textContent = all ? format.count(all) + " rejected since the start" : "";
          if (!codes.length) { fill($("#letters"), el("div", { class: "empty" }, "Every message could be read.")); return; }
          const open = new Set([...document.querySelectorAll("#letters details[open]")].map(node => node.dataset.key));
          fill($("#letters"),
            el("p", { class: "row" }, codes.map(([code, count]) => el("span", { class: "tag" }, plain(code) + " " + format.count(count)))),
            letters.last.map(letter => {
              const key = `${letter.topic}/${letter.partition}/${letter.offset}`;
              return el("details", { "data-key": key, open: open.has(key) }, el("summary", {}, `${new Date(letter.time).toLocaleTimeString([], { hour12: false })} · ${letter.reason} · ${letter.topic} [${letter.partition}] offset ${letter.offset}`),
                el("pre", {}, letter.value || "(no value)"));
            }));
        }

        function drawPartitions(detail) {
          const own = Object.entries(detail.partitions), restoring = own.filter(([, phase]) => phase === "restoring").length;
          $("#partitions-note").textContent = `${own.length} of ${detail.partition_count} are this process's` + (restoring ? `, ${restoring} being restored` : "");
          fill($("#partitions"), own.map(([number, phase]) => el("li", { class: phase, title: `partition ${number}: ${phase}` }, number)));
          if (!own.length) fill($("#partitions"), el("li", {}, "none yet"));
          fill($("#restores"), detail.restores.slice(0, 12).map(one => {
            const done = one.records > 0 ? 1 - one.left / one.records : 0;
            return el("div", { class: "restore" }, el("span", {}, "partition " + one.partition),
              svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": Math.round(done * 100) + " % restored" },
                svg("rect", { class: "gridline", x: 0, y: 0, width: 100, height: 10, "fill-opacity": 0.12 }), svg("rect", { class: "bar c-warn", x: 0, y: 0, width: done * 100, height: 10 })),
              el("span", { class: "muted" }, one.left > 0 ? format.count(one.left) + " records left" : format.count(one.loaded) + " users loaded"));
          }));
          const { count, last } = detail.rebalances;
          fill($("#group"), el("dt", {}, "Rebalances"), el("dd", {}, count ? `${format.count(count)}, the last at ${new Date(last).toLocaleTimeString([], { hour12: false })}` : "none"));
        }

        function drawDetail() {
          const detail = live.detail;
          $("#live").hidden = !detail.has_pipeline;
          if (detail.has_pipeline) {
            $("#effects-note").textContent = detail.effects ? `of the last ${format.count(detail.sampled_of)} scores` + (detail.sampled < detail.sampled_of ? `, by ${format.count(detail.sampled)} sampled evenly` : "") : "";
            charts.effects.set(detail.effects);
            drawSegments(detail.segments); drawNewest(detail.newest); drawLetters(detail.dead_letters); drawPartitions(detail);
          }
          drawVerdict(); drawTiles();
        }

        async function drawModel() {
          const model = await ask("/v1/model");
          $("#title").textContent = model.name;
          live.card = model;
          document.title = model.name + " · ImpactIQ";
          $("#model").hidden = false;
          $("#model-note").textContent = `version ${model.version}; ${unitOf(model)}`;
          const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
          const source = model.provenance || {};
          fill($("#facts"), isResponse(model) ? fact(nounOf(model) + " of", model.outcomes.join(", ")) : [fact("Effect of", model.treatments.join(", ")), fact("On", model.outcomes.join(", "))],
            model.forests.length ? fact("Forest", model.forests.map(forest => `${forest.trees.toLocaleString("en")} ${forest.trees === 1 ? "tree" : "trees"}, ${forest.leaves.toLocaleString("en")} ${forest.leaves === 1 ? "leaf" : "leaves"} (${forest.kind})`).join("; ")) : null,
            isResponse(model) ? null : fact("Interval", model.intervals ? Math.round(model.ci_level * 1000) / 10 + " %" : "none"),
            model.ads ? fact("An ad is shown", "above " + model.outcomes.map((outcome, i) => (model.ads.length > 1 ? outcome + " " : "") + amountOf(model, model.ads[i])).join(", ")) : fact("Worth an ad", "above " + format.value(model.threshold)),
            fact("Missing values", model.missing_values === "route" ? "the trees say where they go" : "not accepted"),
            fact("File", el("code", {}, model.sha256.slice(0, 16) + "…")),
            Object.entries(source).filter(([, value]) => ["string", "number"].includes(typeof value)).slice(0, 6).map(([name, value]) => fact(plain(name), String(value).slice(0, 120))));
          const top = [...model.features].sort((a, b) => b.importance - a.importance).slice(0, 8), most = top[0]?.importance || 1;
          const hasTrees = top.some(feature => feature.importance > 0);
          fill($("#importance"), el("p", { class: "muted small" }, hasTrees ? "How much the trees split on each feature" : "The model has no trees, whose splits would say how much each feature counts; what moves a person's number is in the simulator."),
            !hasTrees ? [] : top.map(feature => el("div", { class: "segrow", title: feature.meaning || "" }, el("span", {}, plain(feature.name)),
              svg("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "bar c-accent", x: 0, y: 2, height: 10, width: Math.max(0.4, feature.importance / most * 100) })),
              el("span", {}, Math.round(feature.importance * 100) + " %"))));
        }

        function keep(row) {
          live.last = row;
          live.open.push(row);
          if (live.open.length < live.step) return;
          const fields = live.fields, rates = ["messages", "treat", "suppress", "uncertain", "dead_letters", "requests"], worst = ["p50_ms", "p99_ms", "lag"];
          live.rows.push(row.map((value, at) => {
            const all = live.open.map(one => one[at]).filter(one => one !== null);
            if (rates.includes(fields[at])) return all.reduce((sum, one) => sum + one, 0) / all.length;
            return worst.includes(fields[at]) && all.length ? Math.max(...all) : value;
          }));
          if (live.rows.length > 720) live.rows.shift();
          live.open = [];
          drawCharts();
        }

        async function load() {
          const answer = await ask("/v1/live");
          live.fields = answer.fields; live.rows = answer.history; live.step = answer.step_seconds; live.detail = answer.detail;
          live.last = answer.history[answer.history.length - 1] || null;
          live.open = [];
          drawDetail(); drawCharts();
        }

        document.addEventListener("DOMContentLoaded", async () => {
          charts = {
            decisions: new TimeChart($("#decisions"), { height: 220 }), effects: new Effects($("#effects"), { height: 245 }),
            throughput: new TimeChart($("#throughput"), { height: 170 }), latency: new TimeChart($("#latency"), { height: 150 }), lag: new TimeChart($("#lag"), { height: 170 }),
          };
          fill($("#decision-legend"), decisions.map(([, color, name]) => el("li", {}, el("span", { class: "key c-" + color }), `${name}: ${meaning[name]}`)));
          fill($("#latency-legend"), [["accent", "half"], ["warn", "99 %"]].map(([color, name]) => el("li", {}, el("span", { class: "key line c-" + color }), name)));
          drawModel().catch(error => fill($("#notices"), el("p", { class: "notice bad" }, error.message)));
          await load().catch(() => {});
          listen("/v1/stream", (name, data) => {
            if (name === "tick") { keep(data); drawTiles(); }
            if (name === "detail") { live.detail = data; drawDetail(); }
          }, connected => {
            // After a break the server knows the minutes that were missed.
            if (connected && live.connected === false && live.detail) load().catch(() => {});
            live.connected = connected; drawVerdict();
            if (!live.detail) state("bad", "disconnected");
          });
        });
        """#
}
