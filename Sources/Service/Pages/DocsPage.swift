/// `/docs`: every route, with a form to try it. Made in the browser from `/openapi.json`.
enum DocsPage {
    static let html = PageStyle.page(
        title: "API", path: "/docs", script: "docs.js",
        body: """
            <h1>API</h1>
            <p class="lead">Each route can be tried here. Machines read <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). \
            Errors are problem documents (RFC 9457) that name the field.</p>
            <div id="notices"></div><div class="ops" id="ops"></div>
            """)

    static let script = #"""
        "use strict";
        function operation(path, method, op) {
          const parameters = op.parameters || [], content = op.requestBody?.content || {}, types = Object.keys(content);
          const inputs = parameters.map(parameter => ({ parameter, input: el("input", { type: "text", id: `${method}${path}-${parameter.name}`, value: parameter.example ?? "", placeholder: parameter.required ? "needed" : "optional" }) }));
          const type = el("select", { "aria-label": "Content type" }, types.map(name => el("option", { value: name }, name)));
          const example = name => { const value = content[name]?.example; return typeof value === "string" ? value : JSON.stringify(value, null, 2); };
          const names = Object.entries(content["application/json"]?.examples || {});
          const body = types.length ? el("textarea", { "aria-label": "Body", spellcheck: "false", rows: 8 }) : null;
          if (body) body.value = names.length ? JSON.stringify(names[0][1].value, null, 2) : example(types[0]);
          const variants = names.length > 1 ? el("span", { class: "row" }, names.map(([name, one]) => el("button", { type: "button", onclick: () => { body.value = JSON.stringify(one.value, null, 2); } }, one.summary || name))) : null;
          type.addEventListener("change", () => { const text = example(type.value); if (text) body.value = text; });
          const out = el("div", { "aria-live": "polite" });
          const target = () => {
            let url = path; const query = new URLSearchParams();
            for (const { parameter, input } of inputs) {
              if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
              else if (input.value !== "") query.set(parameter.name, input.value);
            }
            return url + (query.size ? "?" + query : "");
          };
          const curl = () => `curl ${location.origin}${target()}` + (token.get() ? ` -H "Authorization: Bearer $TOKEN"` : "") +
            (body ? ` \\\n  -H 'Content-Type: ${type.value}' -d '${body.value.replace(/'/g, "'\\''")}'` : "");
          const form = el("form", { onsubmit: async event => {
            event.preventDefault();
            const started = performance.now();
            try {
              const response = await request(target(), body ? { method: "POST", headers: { "Content-Type": type.value }, body: body.value } : {});
              const kind = response.headers.get("Content-Type") || "";
              let text;
              if (kind.startsWith("text/event-stream")) {
                const reader = response.body.getReader(); text = new TextDecoder().decode((await reader.read()).value); reader.cancel();
              } else { text = await response.text(); }
              if (kind.includes("json") && !kind.includes("ndjson")) try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* as it came */ }
              fill(out, el("p", { class: "row" }, el("span", { class: "tag " + (response.ok ? "treat" : "suppress") }, String(response.status)), el("span", { class: "muted small" }, `${trim(performance.now() - started, 1)} ms · ${kind.split(";")[0]}`)),
                el("pre", { tabindex: "0" }, text.length > 60000 ? text.slice(0, 60000) + "\n…" : text), el("details", {}, el("summary", {}, "as a command"), el("pre", {}, curl())));
            } catch (error) { fill(out, el("p", { class: "notice bad" }, error.message)); }
          } },
            inputs.map(({ parameter, input }) => el("div", { class: "param" }, el("label", { for: input.id }, el("code", {}, parameter.name), " ", el("span", { class: "muted" }, parameter.description || "")), input)),
            body ? [el("p", { class: "row" }, types.length > 1 ? type : el("span", { class: "muted small" }, types[0]), variants), body] : null,
            el("p", { class: "row" }, el("button", { class: "primary" }, "Send")), out);
          return el("details", { class: "card op" }, el("summary", {}, el("span", { class: "verb " + method }, method.toUpperCase()), el("span", { class: "path" }, path), el("span", { class: "muted" }, op.summary)),
            el("div", { class: "in" }, op.description ? el("p", { class: "muted" }, op.description) : null,
              el("p", { class: "muted small" }, "Answers: " + Object.entries(op.responses).map(([status, one]) => `${status} ${one.description || ""}`.trim()).join(" · ")), form));
        }

        document.addEventListener("DOMContentLoaded", async () => {
          ask("/ready").then(() => state("good", "ready"), error => state("warn", error.status === 503 ? "not ready" : "disconnected"));
          try {
            const document = await ask("/openapi.json"), groups = new Map();
            for (const [path, methods] of Object.entries(document.paths)) for (const [method, op] of Object.entries(methods)) {
              const tag = op.tags?.[0] || "Other";
              if (!groups.has(tag)) groups.set(tag, []);
              groups.get(tag).push(operation(path, method, op));
            }
            fill($("#ops"), [...groups].flatMap(([tag, ops]) => [el("h2", {}, tag), ...ops]));
          } catch (error) { fill($("#notices"), el("p", { class: "notice bad" }, error.message)); }
        });
        """#
}
