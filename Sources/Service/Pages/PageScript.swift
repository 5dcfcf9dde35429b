/// What the scripts of all pages share. Text of users and events only ever becomes text nodes, never markup.
enum PageScript {
    static let common = #"""
        "use strict";
        const $ = (selector, root = document) => root.querySelector(selector);
        const SVG = "http://www.w3.org/2000/svg";

        /** An element: attributes by name, `on…` as listeners, children as nodes or text. */
        function el(tag, attributes = {}, ...children) {
          const node = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes)) {
            if (value === null || value === undefined || value === false) continue;
            if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
            else if (name === "value") node.value = value;
            else node.setAttribute(name, value === true ? "" : value);
          }
          node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
          return node;
        }

        function svg(tag, attributes = {}, ...children) {
          const node = document.createElementNS(SVG, tag);
          for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
          node.append(...children);
          return node;
        }

        function fill(host, ...children) { host.replaceChildren(...children.flat(Infinity).filter(child => child !== null && child !== undefined)); return host; }

        const format = {
          count(value) {
            if (!Number.isFinite(value)) return "–";
            const size = Math.abs(value);
            if (size >= 1e9) return trim(value / 1e9, 2) + " B";
            if (size >= 1e6) return trim(value / 1e6, 2) + " M";
            if (size >= 1e4) return trim(value / 1e3, 1) + " k";
            return size >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : trim(value, size >= 10 ? 1 : 2);
          },
          milliseconds(value) {
            if (!Number.isFinite(value)) return "–";
            if (value >= 1000) return trim(value / 1000, 1) + " s";
            return trim(value, value >= 100 ? 0 : value >= 10 ? 1 : 2) + " ms";
          },
          effect(value) {
            if (value === null || !Number.isFinite(value)) return "–";
            if (value === 0) return "0";
            const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
            return (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);
          },
          value(value) {
            if (value === null || value === undefined || !Number.isFinite(value)) return "not known";
            if (Number.isInteger(value)) return value.toLocaleString("en");
            const size = Math.abs(value);
            return trim(value, size >= 1000 ? 0 : size >= 1 ? 2 : 4);
          },
          clock(time) { return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }); },
          time(time) { return new Date(time).toISOString().replace("T", " ").slice(0, 19) + " UTC"; },
        };
        function trim(value, digits) {
          return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
        }
        const plain = name => name.replace(/_/g, " ");
        /* A feature's value in words: what never happened, no and yes, or the number. */
        function valueOf(feature, value) {
          if (feature?.never !== undefined && feature.never !== null && value === feature.never) return `never (${format.value(value)})`;
          return feature?.choices && feature.choices.includes(value) ? choiceName(feature.choices, value) : format.value(value);
        }
        /* The text of a category, also for its place among them. */
        const choiceName = (choices, choice) => typeof choices[0] === "string" ? (typeof choice === "string" ? choice : choices[choice] ?? "unknown") : choices.length === 2 && choices[0] === 0 && choices[1] === 1 ? ["no", "yes"][choice] ?? format.value(choice) : format.value(choice);

        /* Decisions by the API's words on every page; what they mean stands beside them. */
        const meaning = { treat: "the ad pays", uncertain: "the data cannot tell", suppress: "better without the ad" };
        const tag = decision => el("span", { class: "tag " + decision, title: meaning[decision] }, decision);

        /* What an effect of 0.01 is. */
        const isChance = outcome => ["conversion", "visit", "purchase", "click", "converted"].includes(outcome);
        /* A model of the outcome itself says how likely it is, and nothing of what an ad changes. */
        const isResponse = model => model.predicts !== "effect", isLikely = model => model.predicts === "probability";
        const nounOf = model => isLikely(model) ? "Probability" : isResponse(model) ? "Prediction" : "Effect";
        const amountOf = (model, value) => isLikely(model) ? (Number.isFinite(value) ? trim(value * 100, 2) + " %" : "–") : isResponse(model) ? format.value(value) : format.effect(value);
        const limitOf = (model, outcome) => model.ads?.[model.outcomes.indexOf(outcome)] ?? model.threshold;
        const adTag = (model, decision) => isResponse(model) ? el("span", { class: "tag " + decision, title: "by the model's threshold" }, { treat: "ad", suppress: "no ad", uncertain: "not known" }[decision]) : tag(decision);
        const responseSentence = (model, score) => (score.effects || [score]).map(one => `${plain(one.outcome)}: ${amountOf(model, one.uplift)}, ${one.uplift > limitOf(model, one.outcome) ? "above" : "not above"} ${amountOf(model, limitOf(model, one.outcome))}, so ${one.uplift > limitOf(model, one.outcome) ? "an ad is shown" : "no ad"}`).join("; ") + ".";
        const unitOf = model => isLikely(model) ? `numbers are probabilities of ${model.outcomes.map(plain).join(", ")}; they say nothing of what an ad changes` : isResponse(model) ? `numbers are predictions of ${model.outcomes.map(plain).join(", ")}; they say nothing of what an ad changes` : model.outcomes.every(isChance) ? `effects are changes of the probability of a ${model.outcomes.map(plain).join(", ")}: +0.01 is one percentage point` : `effects are changes of ${model.outcomes.map(plain).join(", ")}`;

        /* Colours: as the system, light, dark; kept in this browser. */
        const theme = {
          read() { try { return localStorage.getItem("theme") || ""; } catch { return ""; } },
          apply(value) {
            if (value) document.documentElement.dataset.theme = value; else delete document.documentElement.dataset.theme;
            const button = $("#theme");
            if (!button) return;
            button.textContent = value === "light" ? "☀" : value === "dark" ? "☾" : "◐";
            button.setAttribute("aria-label", "Colours: " + (value || "as the system"));
          },
          next() {
            const order = ["", "light", "dark"];
            const value = order[(order.indexOf(theme.read()) + 1) % 3];
            try { localStorage.setItem("theme", value); } catch { /* a private window keeps nothing */ }
            theme.apply(value);
          },
        };
        theme.apply(theme.read());
        document.addEventListener("DOMContentLoaded", () => {
          theme.apply(theme.read());
          $("#theme").addEventListener("click", theme.next);
        });

        function state(kind, words) {
          const pill = $("#state");
          pill.className = "pill " + kind;
          if (pill.textContent !== words) pill.textContent = words;
        }

        /* The server's answers. A problem document becomes an error with its detail. */
        const token = {
          get() { try { return sessionStorage.getItem("token") || ""; } catch { return ""; } },
          set(value) { try { sessionStorage.setItem("token", value); } catch { /* asked again on the next page */ } },
          headers() { return token.get() ? { Authorization: "Bearer " + token.get() } : {}; },
          asking: null,
          ask(reason) {
            token.asking ??= new Promise(resolve => {
              const input = el("input", { type: "password", "aria-label": "Token", autocomplete: "off", required: true });
              const dialog = el("dialog", {}, el("form", { method: "dialog" },
                el("h2", {}, "This server asks for a token"), el("p", { class: "muted small" }, reason), input,
                el("button", { class: "primary" }, "Go on")));
              dialog.addEventListener("close", () => {
                token.set(input.value.trim()); dialog.remove(); token.asking = null; resolve();
              });
              document.body.append(dialog); dialog.showModal();
            });
            return token.asking;
          },
        };

        async function request(path, options = {}) {
          while (true) {
            const sent = token.get();
            const response = await fetch(path, { ...options, headers: { ...token.headers(), ...(options.headers || {}) } });
            if (response.status !== 401) return response;
            // Another request may have asked meanwhile: then its token is tried first.
            if (sent !== token.get()) continue;
            await token.ask((sent ? "The token is wrong: this server does not know it. " : "") + "It stands in the server's token file; this browser keeps it until the tab is closed.");
          }
        }

        async function ask(path, options) {
          const response = await request(path, options);
          const body = await response.json().catch(() => ({}));
          if (response.ok) return body;
          const error = new Error(body.detail || "The server answered " + response.status);
          error.status = response.status; error.problem = body;
          throw error;
        }

        const send = (path, value) =>
          ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

        /* What each feature adds to the effect (Shapley values); null of a server that does not explain. */
        async function contributions(features) {
          if (contributions.missing) return null;
          try { return await send("/v1/explain", { features }); } catch (error) {
            if (error.status === 404 || error.status === 422) { contributions.missing = error.status === 404; return null; }
            throw error;
          }
        }

        /* Rows of bars to either side of zero: moves = [{feature, by}], feature as the model's card has it; {words, by} is a sum
           of others, and {words, at} a number that is no move. */
        function pushRows(moves, features) {
          const most = Math.max(...moves.map(move => Math.abs(move.by ?? 0)), 1e-12);
          return moves.map(({ feature, words, by, at }) => at !== undefined ? el("div", { class: "pushrow" }, el("b", {}, words), el("span"), el("span", {}, el("b", {}, format.effect(at)))) :
            el("div", { class: "pushrow", title: feature?.meaning || "" },
            el("span", {}, words ?? plain(feature.name), " ", words ? null : el("span", { class: "muted" }, valueOf(feature, features[feature.name]))),
            svg("svg", { viewBox: "0 0 100 16", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("line", { class: "zero", x1: 50, x2: 50, y1: 0, y2: 16, "vector-effect": "non-scaling-stroke" }),
              svg("rect", { class: "bar c-" + (by > 0 ? "treat" : "suppress"), x: by > 0 ? 50 : 50 + by / most * 50, width: Math.max(0.4, Math.abs(by) / most * 50), y: 3, height: 10 })),
            el("span", {}, format.effect(by))));
        }

        /* The moves of a person: contributions, or else what each feature alone does against another value. */
        async function movesOf(model, features, other) {
          const largest = moves => moves.filter(move => move.by !== 0).sort((a, b) => Math.abs(b.by) - Math.abs(a.by)).slice(0, 9);
          if (!other) {
            const answer = await contributions(features);
            if (answer) {
              const cards = Object.fromEntries(model.features.map(feature => [feature.name, feature]));
              // What is shown adds up: the base, the largest, all others in one row, the sum.
              const all = answer.contributions.map(one => ({ feature: cards[one.feature], by: one.contribution }));
              const shown = largest(all), others = all.filter(one => !shown.includes(one));
              const rest = others.length ? [{ words: others.length === 1 ? "1 other" : `${others.length} others`, by: others.reduce((sum, one) => sum + one.by, 0) }] : [];
              const total = answer.uplift ?? answer.log_odds ?? answer.probability ?? answer.prediction;
              return { moves: [{ words: "base", at: answer.base }, ...shown, ...rest, { words: answer.log_odds === undefined ? "this person" : "log odds of this person", at: total }], note: answer.method };
            }
            other = Object.fromEntries(model.features.map(feature => [feature.name, feature.typical]));
          }
          const moved = model.features.filter(feature => features[feature.name] !== other[feature.name]);
          const { scores } = await send("/v1/score/batch", { rows: [{ features }, ...moved.map(feature => ({ features: { ...features, [feature.name]: other[feature.name] } }))] });
          return { moves: largest(moved.map((feature, i) => ({ feature, by: scores[0].uplift - scores[i + 1].uplift }))), note: "each alone, against a typical value" };
        }

        /* Server-sent events by fetch, which can bear a token; comes back by itself. */
        async function listen(path, heard, changed) {
          let wait = 500;
          while (true) {
            try {
              const response = await request(path, { headers: { Accept: "text/event-stream" } });
              if (!response.ok) throw new Error("status " + response.status);
              const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
              let buffer = "";
              changed(true); wait = 500;
              while (true) {
                const { value, done } = await reader.read();
                if (done) break;
                buffer += value;
                let end;
                while ((end = buffer.indexOf("\n\n")) >= 0) {
                  let name = "message", data = "";
                  for (const line of buffer.slice(0, end).split("\n")) {
                    if (line.startsWith("event: ")) name = line.slice(7);
                    else if (line.startsWith("data: ")) data += line.slice(6);
                  }
                  buffer = buffer.slice(end + 2);
                  if (data) heard(name, JSON.parse(data));
                }
              }
            } catch (error) { /* told by changed(false) */ }
            changed(false);
            await new Promise(resolve => setTimeout(resolve, wait));
            wait = Math.min(wait * 2, 8000);
          }
        }

        """#

    static let charts = #"""
        /* Charts: SVG of ours. Each is drawn anew when its width changes; arrow keys walk along it. */
        function ticks(low, high, count) {
          const span = high - low;
          if (!(span > 0)) return [low];
          const raw = span / count, power = 10 ** Math.floor(Math.log10(raw));
          const step = [1, 2, 2.5, 5, 10].map(unit => unit * power).find(unit => unit >= raw * 0.999);
          const found = [];
          for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
            found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
          }
          return found;
        }

        class Chart {
          constructor(host, options = {}) {
            this.host = host; this.options = options; this.at = null;
            host.classList.add("chart"); host.tabIndex = 0; host.setAttribute("role", "img");
            new ResizeObserver(() => { if (this.width !== host.clientWidth) this.draw(); }).observe(host);
            host.addEventListener("pointermove", event => {
              if (!this.plot) return;
              this.point(this.nearest(event.clientX - host.getBoundingClientRect().left));
            });
            host.addEventListener("pointerleave", () => this.point(null));
            host.addEventListener("blur", () => this.point(null));
            host.addEventListener("keydown", event => {
              const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
              if (!step || !this.count) return;
              event.preventDefault();
              this.point(Math.min(Math.max((this.at ?? this.count - 1) + step, 0), this.count - 1));
            });
          }

          empty(words) {
            this.plot = null;
            fill(this.host, el("div", { class: "empty" }, words));
            this.host.setAttribute("aria-label", words);
          }

          /* Begins a drawing: the frame with its axes. */
          frame(xLow, xHigh, yLow, yHigh, xTicks, yFormat) {
            const height = this.options.height || 190, width = this.width = this.host.clientWidth || 320;
            const yTicks = ticks(yLow, yHigh, height > 150 ? 4 : 3);
            const left = Math.max(34, ...yTicks.map(tick => yFormat(tick).length * 6.6 + 10)), right = 10, top = 10, bottom = 24;
            const x = value => left + (value - xLow) / ((xHigh - xLow) || 1) * (width - left - right);
            const y = value => height - bottom - (value - yLow) / ((yHigh - yLow) || 1) * (height - top - bottom);
            const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height });
            for (const tick of yTicks) {
              root.append(svg("line", { class: tick === 0 ? "zero" : "gridline", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
                svg("text", { x: left - 7, y: y(tick) + 4, "text-anchor": "end" }, yFormat(tick)));
            }
            for (const { at, label } of xTicks) {
              root.append(svg("text", { x: Math.min(Math.max(x(at), left + 8), width - right - 8), y: height - 6, "text-anchor": "middle" }, label));
            }
            this.plot = { root, x, y, left, right, top, bottom, width, height };
            this.overlay = svg("g");
            this.tip = el("div", { class: "tip", hidden: true });
            return this.plot;
          }

          finish(label) {
            this.plot.root.append(this.overlay);
            fill(this.host, this.plot.root, this.tip);
            this.host.setAttribute("aria-label", label);
            if (this.at !== null && this.at < this.count) this.point(this.at);
          }

          nearest(px) {
            let best = null, distance = Infinity;
            for (let i = 0; i < this.count; i++) {
              const away = Math.abs(this.plot.x(this.xAt(i)) - px);
              if (away < distance) { best = i; distance = away; }
            }
            return best;
          }

          point(index) {
            this.at = index;
            if (!this.plot) return;
            this.overlay.replaceChildren();
            if (index === null || index === undefined) { this.tip.hidden = true; return; }
            const px = this.plot.x(this.xAt(index));
            this.overlay.append(svg("line", { class: "rule", x1: px, x2: px, y1: this.plot.top, y2: this.plot.height - this.plot.bottom }));
            fill(this.tip, this.describe(index));
            this.tip.hidden = false;
            const flip = px > this.plot.width * 0.6;
            this.tip.style.left = flip ? "auto" : px + 12 + "px";
            this.tip.style.right = flip ? this.plot.width - px + 12 + "px" : "auto";
            this.tip.style.top = "8px";
          }
        }

        const line = points => points.length ? "M" + points.map(([x, y]) => x.toFixed(1) + " " + y.toFixed(1)).join("L") : "";
        const tipRow = (color, name, value) => el("div", {}, el("span", {}, el("span", { class: "c-" + color }, "■ "), name), el("b", {}, value));

        /** Curves over time: series = [{name, color, values, dash}], times in milliseconds. */
        class TimeChart extends Chart {
          set(times, series, options = {}) { this.data = { times, series, options }; this.draw(); }
          xAt(index) { return this.data.times[index]; }
          describe(index) {
            const { times, series, options } = this.data;
            return [el("div", { class: "muted" }, new Date(times[index]).toLocaleTimeString([], { hour12: false })),
              series.map(one => tipRow(one.color, one.name, options.format(one.values[index])))];
          }
          draw() {
            if (!this.data) return;
            const { times, series, options } = this.data;
            this.count = times.length;
            const all = series.flatMap(one => one.values).filter(Number.isFinite);
            if (times.length < 2 || !all.length) { this.empty(options.empty || "Nothing yet."); return; }
            const stacked = options.stacked;
            const sums = times.map((_, i) => series.reduce((sum, one) => sum + (Number.isFinite(one.values[i]) ? one.values[i] : 0), 0));
            let high = stacked ? Math.max(...sums) : Math.max(...all);
            if (options.high) high = options.high;
            if (!(high > 0)) high = 1;
            const first = times[0], last = times[times.length - 1];
            const minutes = (last - first) / 60000;
            const step = [0.25, 0.5, 1, 2, 5, 10, 15].find(step => minutes / step <= (this.host.clientWidth > 460 ? 7 : 4)) || 20;
            const xTicks = [];
            for (let at = Math.ceil(first / (step * 60000)) * step * 60000; at <= last; at += step * 60000) {
              xTicks.push({ at, label: step < 1 ? new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }) : format.clock(at) });
            }
            const plot = this.frame(first, last, 0, options.high ? high : high * 1.08, xTicks, options.format);
            let below = times.map(() => 0);
            for (const one of series) {
              if (stacked) {
                const above = below.map((base, i) => base + (one.values[i] || 0));
                const up = times.map((time, i) => [plot.x(time), plot.y(above[i])]);
                const down = times.map((time, i) => [plot.x(time), plot.y(below[i])]).reverse();
                plot.root.append(svg("path", { class: "area c-" + one.color, d: line(up.concat(down)) + "Z" }));
                below = above;
                continue;
              }
              let run = [];
              const flush = () => { if (run.length) plot.root.append(svg("path", { class: "line c-" + one.color + (one.dash ? " dash" : ""), d: line(run) })); run = []; };
              times.forEach((time, i) => {
                if (Number.isFinite(one.values[i])) run.push([plot.x(time), plot.y(one.values[i])]); else flush();
              });
              flush();
            }
            this.finish(`${options.label}: ` + series.map(one => {
              const known = one.values.filter(Number.isFinite);
              return known.length ? `${one.name} now ${options.format(known[known.length - 1])}, highest ${options.format(Math.max(...known))}` : one.name + " not known";
            }).join("; "));
          }
        }

        """#
}
