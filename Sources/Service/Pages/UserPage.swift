/// `/user?id=…`: one person: the features now, the score, the last scores.
enum UserPage {
    static let html = PageStyle.page(
        title: "People", path: "/user", script: "user.js",
        body: """
            <h1 id="title">People</h1>
            <p class="lead" id="lead">What the stream knows of a person, and what the ad would do.</p>
            <form class="row" id="search" role="search"><input type="text" id="id" name="id" aria-label="user_id" \
            placeholder="user_id" autocomplete="off" autocapitalize="off" spellcheck="false" required>
            <button class="primary">Look up</button></form>
            <div id="notices"></div>
            <div class="grid" id="found" hidden>
            <section class="card s5" id="score-card"><header><h2>Now</h2><span class="muted" id="score-note"></span></header>
            <div id="score"></div></section>
            <section class="card s7" id="history-card"><header><h2>Last scores</h2><span class="muted" id="history-note"></span></header>
            <div id="history"></div></section>
            <section class="card s7"><header><h2>Features</h2><span class="muted" id="features-note"></span></header>
            <div class="scroll" tabindex="0" role="region" aria-label="Features"><table id="features"></table></div></section>
            <section class="card s5"><header><h2>What moves the score</h2><span class="muted" id="push-note"></span></header>
            <div id="push"></div></section>
            <section class="card" id="table-card"><header><h2>History</h2></header><div class="scroll" tabindex="0" role="region" \
            aria-label="History"><table id="table"></table></div></section>
            </div>
            <section class="card" id="people"><header><h2>Seen of late</h2><span class="muted">a sample of the stream</span></header>
            <div class="scroll" tabindex="0" role="region" aria-label="People"><table id="list"></table></div></section>
            """)

    static let script = #"""
        "use strict";
        let model;

        /** Scores over time with their intervals. */
        class ScoreChart extends Chart {
          set(scores) { this.data = [...scores].reverse(); this.draw(); }
          xAt(index) { return this.data[index].time; }
          describe(index) {
            const score = this.data[index];
            return [el("div", { class: "muted" }, format.time(score.time)), el("div", {}, score.event_type, el("b", {}, amountOf(model, score.uplift))),
              isResponse(model) ? "" : el("div", {}, "interval", el("b", {}, `${format.effect(score.ci_lower)} to ${format.effect(score.ci_upper)}`))];
          }
          draw() {
            const data = this.data;
            if (!data || !data.length) { this.empty("No score is kept of this person."); return; }
            this.count = data.length;
            const values = data.flatMap(score => [score.uplift, score.ci_lower, score.ci_upper]).filter(Number.isFinite);
            const low = Math.min(0, ...values), high = Math.max(0, ...values), room = (high - low) * 0.06 || 0.01;
            const first = data[0].time, last = data[data.length - 1].time, span = Math.max(last - first, 60000);
            const from = last > first ? first : first - 30000, to = from + span;
            const date = at => new Date(at).toLocaleDateString([], { month: "short", day: "numeric" });
            const day = at => span > 86400000 * 5 ? date(at) : date(from) !== date(to) ? `${date(at)} ${format.clock(at)}` : format.clock(at);
            const count = this.host.clientWidth > 460 ? 4 : 3;
            const plot = this.frame(from, to, low - room, high + room, Array.from({ length: count }, (_, i) => { const at = from + span * i / (count - 1); return { at, label: day(at) }; }), format.effect);
            const known = data.filter(score => Number.isFinite(score.ci_lower));
            if (known.length > 1) {
              const up = known.map(score => [plot.x(score.time), plot.y(score.ci_upper)]);
              const down = known.map(score => [plot.x(score.time), plot.y(score.ci_lower)]).reverse();
              plot.root.append(svg("path", { class: "band", d: line(up.concat(down)) + "Z" }));
            }
            plot.root.append(svg("path", { class: "line c-accent", d: line(data.map(score => [plot.x(score.time), plot.y(score.uplift)])) }));
            if (data.length <= 60) for (const score of data) plot.root.append(svg("circle", { class: "dot", cx: plot.x(score.time), cy: plot.y(score.uplift), r: 3.6 }));
            this.finish(`${data.length} scores, the last ${format.effect(data[data.length - 1].uplift)}`);
          }
        }

        function sentence(score) {
          if (isResponse(model)) return responseSentence(model, score);
          const what = `${plain(score.treatment)}`;
          if (score.decision === "treat") return `"${what}" pays: the whole interval is above the threshold.`;
          if (score.decision === "suppress") return `Better without "${what}": the whole interval is below the threshold.`;
          return "Not sure: the interval holds the threshold.";
        }

        async function push(features) {
          const { moves, note } = await movesOf(model, features, null);
          $("#push-note").textContent = note;
          fill($("#push"), moves.length ? pushRows(moves, features) : el("div", { class: "empty" }, "No feature alone moves this score."));
        }

        async function show(id) {
          $("#id").value = id; $("#title").textContent = id; document.title = id + " · ImpactIQ";
          const notices = [];
          const [user, history] = await Promise.all([
            ask("/v1/user?id=" + encodeURIComponent(id)).catch(error => (notices.push(error), null)),
            ask("/v1/user/scores?limit=200&id=" + encodeURIComponent(id)).catch(error => {
              // A choice of the configuration, and no trouble.
              if (!error.problem?.type?.endsWith(":no_log_store")) notices.push(error);
              return null;
            }),
          ]);
          fill($("#notices"), notices.map(error => el("p", { class: "notice" }, error.message)));
          $("#found").hidden = !user && !history?.scores.length;
          $("#people").hidden = !$("#found").hidden;
          const scores = history?.scores || [];
          $("#history-card").hidden = $("#table-card").hidden = !history;
          $("#score-card").classList.toggle("s5", !!history);
          if (!history) $("#score-note").textContent = "with log.store set, the scores before it stand beside it";
          $("#history-note").textContent = scores.length ? `${scores.length} from the log store` : "";
          chart.set(scores);
          fill($("#table"), el("thead", {}, el("tr", {}, ["Time", "Event", "Effect", "Interval", "Decision", "Model", "Source"].map((name, i) => el("th", { scope: "col", class: i === 2 ? "n" : null }, name)))),
            el("tbody", {}, scores.slice(0, 50).map(score => el("tr", {}, el("th", { scope: "row", class: "nowrap" }, format.time(score.time)), el("td", {}, score.event_type),
              el("td", { class: "n" }, amountOf(model, score.uplift)), el("td", { class: "nowrap" }, isResponse(model) ? "–" : `${format.effect(score.ci_lower)} to ${format.effect(score.ci_upper)}`),
              el("td", {}, adTag(model, score.decision)), el("td", {}, `${score.model} ${score.model_version}`),
              el("td", { class: "nowrap muted" }, `${score.source.topic} [${score.source.partition}] ${score.source.offset}`)))));
          if (!scores.length) fill($("#table"), el("caption", { class: "empty" }, "No score is kept of this person."));
          if (!user) { fill($("#score"), el("div", { class: "empty" }, "The state of this person is not in this process.")); fill($("#features")); fill($("#push")); return; }
          $("#lead").textContent = `${format.count(user.events)} events seen, the last at ${format.time(user.clock)}; partition ${user.partition}.`;
          const score = user.score;
          fill($("#score"), score ? [el("div", { class: "effect " + score.decision }, amountOf(model, score.uplift)),
            el("div", { class: "muted" }, isResponse(model) ? `${nounOf(model).toLowerCase()} of ${plain(score.outcome)}` : `${Math.round(score.ci_level * 1000) / 10} % interval ${format.effect(score.ci_lower)} to ${format.effect(score.ci_upper)}`),
            el("p", { class: "sentence" }, adTag(model, score.decision), " ", sentence(score)), el("p", { class: "muted small" }, "The " + unitOf(model) + "."),
            el("a", { class: "button", href: "/simulate#" + encodeURIComponent(JSON.stringify({ a: user.features, name: id })) }, "Play with this person")]
            : el("div", { class: "empty" }, user.refuses ? "This person refuses scoring: no score is made." : "The model cannot score this person: a feature has no value."));
          $("#features-note").textContent = "as of the last event";
          const importance = Object.fromEntries(model.features.map(feature => [feature.name, feature]));
          fill($("#features"), el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Feature"), el("th", { scope: "col", class: "n" }, "Value"), el("th", { scope: "col" }, "Meaning"))),
            el("tbody", {}, Object.entries(user.features).map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, plain(name)), el("td", { class: "n" }, valueOf(importance[name], value)), el("td", { class: "muted" }, importance[name]?.meaning || "")))));
          if (score) push(user.features).catch(error => fill($("#push"), el("div", { class: "empty" }, error.message)));
        }

        async function people() {
          const { people } = await ask("/v1/people");
          if (!people.length) { fill($("#list"), el("caption", { class: "empty" }, "Nobody yet: people show when a pipeline of this process scores them.")); return; }
          fill($("#list"), el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Person"), el("th", { scope: "col", class: "n" }, "Effect"), el("th", { scope: "col" }, "Decision"))),
            el("tbody", {}, people.slice(0, 20).map(person => el("tr", {}, el("th", { scope: "row" }, el("a", { href: "/user?id=" + encodeURIComponent(person.user_id) }, person.user_id)),
              el("td", { class: "n" }, format.effect(person.uplift)), el("td", {}, tag(person.decision))))));
        }

        let chart;
        document.addEventListener("DOMContentLoaded", async () => {
          chart = new ScoreChart($("#history"), { height: 210 });
          ask("/ready").then(() => state("good", "ready"), error => state("warn", error.status === 503 ? "not ready" : "disconnected"));
          try { model = await ask("/v1/model"); } catch (error) { fill($("#notices"), el("p", { class: "notice bad" }, error.message)); return; }
          const id = new URLSearchParams(location.search).get("id");
          if (id) await show(id);
          await people().catch(() => {});
        });
        """#
}
