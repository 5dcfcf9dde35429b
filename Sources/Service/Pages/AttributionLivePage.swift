/// `/attribution`: which channel gets the credit, and what an order costs.
enum AttributionLivePage {
    static let html = PageStyle.page(
        title: "Attribution", path: "/attribution", script: "attribution.js",
        body: """
            <h1>Attribution</h1>
            <p class="lead" id="lead">Which channel gets the credit, and what an order costs.</p>
            <div id="notices"></div>
            <dl class="tiles" id="tiles" aria-label="In all"></dl>
            <div class="grid" id="found" hidden>
            <section class="card s6"><header><h2>Credit by channel</h2><span class="muted">conversions</span></header>
            <div id="credit"></div></section>
            <section class="card s6"><header><h2>Revenue and cost</h2><span class="muted" id="money-note"></span></header>
            <ul class="legend" id="money-legend"></ul><div id="money"></div></section>
            <section class="card"><header><h2>Day by day</h2><span class="muted" id="days-note"></span></header>
            <ul class="legend" id="days-legend"></ul><div id="days"></div></section>
            <section class="card"><header><h2>Channels</h2><span class="muted">CPO: cost per conversion; ROAS: revenue per unit \
            of cost; incremental: conversions that the channel's scored sessions caused</span></header><div class="scroll" tabindex="0" role="region" aria-label="Channels">\
            <table id="channels"></table></div></section>
            </div>
            """)

    static let script = #"""
        "use strict";
        let chart, told = "[]";
        const amount = value => value === null || !Number.isFinite(value) ? "–" : format.count(Math.abs(value) >= 100 ? Math.round(value) : value);
        const credit = value => value >= 10000 ? format.count(value) : value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
        const ratio = value => value === null || !Number.isFinite(value) ? "–" : value.toFixed(2);

        /** Bars from zero, a row a channel: numbers = [[color, value]] share a scale. */
        function bars(lines, numbers, words) {
          const most = Math.max(...lines.flatMap(line => numbers.map(([, read]) => read(line))), 1e-9);
          return lines.map(line => el("div", { class: "segrow", title: line.channel_name }, el("span", { class: "clip" }, line.channel_name),
            svg("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, ...numbers.map(([color, read], i) =>
              svg("rect", { class: "bar c-" + color, x: 0, y: 14 / numbers.length * i + 1, height: 14 / numbers.length - 1.5, width: Math.max(read(line) > 0 ? 0.4 : 0, read(line) / most * 100) }))),
            el("span", {}, words(line))));
        }

        /** Revenue and cost by day. */
        class Days extends Chart {
          set(days) { this.data = days; this.draw(); }
          xAt(index) { return Date.parse(this.data[index].date); }
          describe(index) {
            const day = this.data[index];
            return [el("div", { class: "muted" }, day.date), tipRow("accent", "revenue", amount(day.ihc_revenue)), tipRow("warn", "cost", amount(day.cost)), el("div", {}, "credit", el("b", {}, amount(day.ihc))),
              el("div", {}, "CPO", el("b", {}, ratio(day.cpo))), el("div", {}, "ROAS", el("b", {}, ratio(day.roas)))];
          }
          draw() {
            const days = this.data;
            if (!days) return;
            if (days.length < 2) { this.empty(days.length ? `All of it is of ${days[0].date}: a curve needs a second day.` : "No day yet."); return; }
            this.count = days.length;
            const first = this.xAt(0), last = this.xAt(days.length - 1), steps = Math.min(days.length, this.host.clientWidth > 460 ? 6 : 3);
            const xTicks = Array.from({ length: steps }, (_, i) => { const at = first + (last - first) * i / (steps - 1); return { at, label: new Date(at).toLocaleDateString([], { month: "short", day: "numeric", timeZone: "UTC" }) }; });
            const plot = this.frame(first, last, 0, Math.max(...days.flatMap(day => [day.ihc_revenue, day.cost]), 1) * 1.06, xTicks, value => format.count(value));
            for (const [color, read] of [["accent", day => day.ihc_revenue], ["warn", day => day.cost]]) {
              plot.root.append(svg("path", { class: "line c-" + color, d: line(days.map((day, i) => [plot.x(this.xAt(i)), plot.y(read(day))])) }));
            }
            this.finish(`Revenue and cost of ${days.length} days, ${days[0].date} to ${days[days.length - 1].date}`);
          }
        }

        function draw(answer) {
          const { total, channels, days } = answer, paid = answer.with_spend || { cpo: null, roas: null };
          $("#found").hidden = !channels.length;
          if (!channels.length) { fill($("#tiles")); $("#lead").textContent = "No conversion is attributed yet."; return; }
          const best = channels.filter(line => line.roas !== null).sort((a, b) => b.roas - a.roas)[0];
          $("#lead").textContent = `${channels[0].channel_name} gets ${Math.round(channels[0].ihc / (total.ihc || 1) * 100)} % of the credit`
            + (best ? `; ${best.channel_name} brings most for its cost, ${ratio(best.roas)} for 1.` : ". No cost is known, so nothing says what an order costs.");
          const tile = (name, value, note) => el("div", { class: "tile" }, el("dt", {}, name), el("dd", {}, value), el("dd", {}, note || "\u00a0"));
          fill($("#tiles"), tile("Conversions", amount(total.ihc), "with a journey"), tile("Revenue", amount(total.ihc_revenue), "of these"), tile("Cost", amount(total.cost), "of all channels"),
            tile("CPO", ratio(paid.cpo), answer.with_spend ? "channels with spend; " + ratio(total.cpo) + " over all" : "no spend is known"),
            tile("ROAS", ratio(paid.roas), answer.with_spend ? "channels with spend; " + ratio(total.roas) + " over all" : "no spend is known"),
            tile("Model", answer.model || "–", answer.latest_conversion ? "up to " + format.time(answer.latest_conversion) : ""));
          const shown = channels.slice(0, 12);
          fill($("#credit"), bars(shown, [["accent", line => line.ihc]], line => credit(line.ihc)));
          fill($("#money"), bars(shown, [["accent", line => line.ihc_revenue], ["warn", line => line.cost]], line => amount(line.ihc_revenue)));
          $("#money-note").textContent = channels.length > 12 ? "the 12 with most credit" : "";
          $("#days-note").textContent = days.length ? `${days[0].date} to ${days[days.length - 1].date}, by the day of the session` : "";
          chart.set(days);
          const isScored = total.scored_sessions > 0;
          const effect = line => !(line.scored_sessions > 0) ? "–" : `${credit(line.incremental)} (${credit(line.incremental - 1.96 * line.incremental_std_error)} to ${credit(line.incremental + 1.96 * line.incremental_std_error)})`;
          fill($("#channels"), el("thead", {}, el("tr", {}, ["Channel", "Credit", "Share", "Revenue", "Cost", "CPO", "ROAS", ...(isScored ? ["Incremental (95 %)"] : [])].map((name, i) => el("th", { scope: "col", class: i ? "n" : null }, name)))),
            el("tbody", {}, channels.map(line => el("tr", {}, el("th", { scope: "row", class: "clip" }, line.channel_name), [credit(line.ihc), (line.ihc / (total.ihc || 1) * 100).toFixed(1) + " %", amount(line.ihc_revenue), amount(line.cost), ratio(line.cpo), ratio(line.roas), ...(isScored ? [effect(line)] : [])].map(text => el("td", { class: "n" }, text))))));
        }

        /** What was counted on the way to the numbers. */
        function say(notes) {
          const said = JSON.stringify(notes);
          if (said === told) return;
          told = said;
          fill($("#notices"), notes.length ? [el("details", { class: "notice" }, el("summary", {}, `Before you believe a number: ${notes.length} ${notes.length === 1 ? "note" : "notes"}`), el("ul", {}, notes.map(note => el("li", {}, note))))] : []);
        }

        async function load() {
          try {
            const answer = await ask("/v1/attribution");
            draw(answer);
            say(answer.notes || []);
            state("good live", "live");
          } catch (error) {
            told = "";
            if (error.status === 404) {
              fill($("#notices"), el("p", { class: "notice" }, "This process knows no attribution. Let ", el("code", {}, "impactiq attribute follow --out sqlite:attribution.db"), " read the events, and start this one with ", el("code", {}, "attribution.store=sqlite:attribution.db"), " (serve: ", el("code", {}, "--attribution"), ")."));
              state("warn", "not set");
              return;
            }
            fill($("#notices"), el("p", { class: "notice bad" }, error.message));
            state("bad", error.status ? "no answer" : "disconnected");
          }
          setTimeout(load, 5000);
        }

        document.addEventListener("DOMContentLoaded", () => {
          chart = new Days($("#days"), { height: 210 });
          const legend = [["accent", "revenue"], ["warn", "cost"]].map(([color, name]) => () => el("li", {}, el("span", { class: "key c-" + color }), name));
          fill($("#money-legend"), legend.map(make => make()));
          fill($("#days-legend"), legend.map(make => make()));
          load();
        });
        """#
}
