/// The style sheet of all pages, and the icon.
///
/// The colours are those of the reports. Light and dark follow the reader's preference, or the choice that the page keeps.
enum PageStyle {
    static let css = #"""
        :root{--bg:#f4f6f8;--card:#fff;--ink:#17212c;--muted:#566373;--line:#dfe4ea;--soft:#edf1f5;--accent:#1d5bd0;
        --accent-ink:#fff;--band:#1d5bd022;--treat:#1f9d74;--treat-ink:#0a7350;--uncertain:#93a1b0;--uncertain-ink:#566373;
        --suppress:#d1604f;--suppress-ink:#b0301f;--warn:#8a5b00;--warn-bg:#fff4d9;--bad-bg:#fde8e4;--good-bg:#dff5ec;
        --shadow:0 1px 2px #17212c0d,0 2px 8px #17212c0a;color-scheme:light}
        @media (prefers-color-scheme:dark){:root:not([data-theme=light]){--bg:#0e1319;--card:#161d25;--ink:#e7edf3;
        --muted:#9fadbc;--line:#2b3642;--soft:#1e2731;--accent:#7cabff;--accent-ink:#0b1220;--band:#7cabff33;--treat:#2f9e78;
        --treat-ink:#52cca0;--uncertain:#6d7c8c;--uncertain-ink:#9fadbc;--suppress:#cf6353;--suppress-ink:#ff9384;
        --warn:#e3b55f;--warn-bg:#33270d;--bad-bg:#3a1a16;--good-bg:#0f2d23;--shadow:none;color-scheme:dark}}
        :root[data-theme=dark]{--bg:#0e1319;--card:#161d25;--ink:#e7edf3;--muted:#9fadbc;--line:#2b3642;--soft:#1e2731;
        --accent:#7cabff;--accent-ink:#0b1220;--band:#7cabff33;--treat:#2f9e78;--treat-ink:#52cca0;--uncertain:#6d7c8c;
        --uncertain-ink:#9fadbc;--suppress:#cf6353;--suppress-ink:#ff9384;--warn:#e3b55f;--warn-bg:#33270d;--bad-bg:#3a1a16;
        --good-bg:#0f2d23;--shadow:none;color-scheme:dark}
        *{box-sizing:border-box}
        [hidden]{display:none!important}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--bg);color:var(--ink);
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
        a{color:var(--accent)}
        .skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px;z-index:9;background:var(--card);padding:6px 10px}
        header.top{position:sticky;top:0;z-index:5;background:var(--card);border-bottom:1px solid var(--line)}
        header.top>div{max-width:1240px;margin:0 auto;padding:0 20px;display:flex;align-items:center;gap:4px 20px;
        min-height:54px;flex-wrap:wrap}
        .brand{display:flex;align-items:center;gap:9px;font-weight:680;letter-spacing:-.01em;color:var(--ink);text-decoration:none}
        .brand svg{width:22px;height:22px;flex:none}
        nav{display:flex;gap:2px;overflow-x:auto}
        nav a{color:var(--muted);text-decoration:none;padding:6px 11px;border-radius:8px;font-size:.93rem;white-space:nowrap}
        nav a:hover{background:var(--soft);color:var(--ink)}
        nav a[aria-current]{color:var(--ink);background:var(--soft);font-weight:560}
        .push{margin-left:auto;display:flex;align-items:center;gap:10px}
        .pill{display:inline-flex;align-items:center;gap:7px;font-size:.84rem;padding:3px 11px;border-radius:99px;
        background:var(--soft);color:var(--muted);white-space:nowrap}
        .pill::before{content:"";width:8px;height:8px;border-radius:50%;background:currentColor}
        .pill.good{background:var(--good-bg);color:var(--treat-ink)}
        .pill.bad{background:var(--bad-bg);color:var(--suppress-ink)}
        .pill.warn{background:var(--warn-bg);color:var(--warn)}
        main{max-width:1240px;margin:0 auto;padding:26px 20px 64px}
        h1{font-size:1.6rem;line-height:1.2;margin:0 0 6px;letter-spacing:-.015em;overflow-wrap:anywhere}
        h2{font-size:1.02rem;line-height:1.3;margin:0;letter-spacing:-.005em}
        p{margin:0 0 10px;max-width:76ch}.lead{font-size:1.03rem;color:var(--muted);text-wrap:pretty;margin:0 0 18px}
        .muted{color:var(--muted)}.small{font-size:.86rem}.nowrap{white-space:nowrap}
        .card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow);padding:16px 18px;
        min-width:0}
        .card>header{display:flex;align-items:baseline;gap:4px 12px;flex-wrap:wrap;margin-bottom:10px}
        .card>header .muted{font-size:.84rem}
        .grid{display:grid;gap:16px;grid-template-columns:repeat(12,minmax(0,1fr))}
        .grid>*{grid-column:span 12}
        @media (min-width:860px){.s3{grid-column:span 3}.s4{grid-column:span 4}.s5{grid-column:span 5}.s6{grid-column:span 6}
        .s7{grid-column:span 7}.s8{grid-column:span 8}}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:0 0 16px;padding:0}
        .tile{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow);padding:12px 15px;min-width:0}
        .tile dt{font-size:.82rem;color:var(--muted)}
        .tile dd{margin:0;font-size:1.45rem;font-weight:650;line-height:1.3;letter-spacing:-.015em;font-variant-numeric:tabular-nums;
        white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        .tile dd+dd{white-space:normal;line-height:1.35;font-size:.8rem;font-weight:400;color:var(--muted);letter-spacing:0}
        .tile.alert{border-color:var(--suppress);background:var(--bad-bg)}
        button,.button,select,input,textarea{font:inherit;color:inherit}
        button,.button{border:1px solid var(--line);background:var(--card);border-radius:8px;padding:6px 12px;cursor:pointer;
        text-decoration:none;display:inline-flex;align-items:center;gap:6px;font-size:.92rem;line-height:1.4}
        button:hover,.button:hover{background:var(--soft)}
        button.primary{background:var(--accent);border-color:var(--accent);color:var(--accent-ink)}
        button.primary:hover{filter:brightness(1.07)}
        button[aria-pressed=true]{background:var(--soft);border-color:var(--accent);color:var(--accent);font-weight:560}
        button.icon{padding:5px 8px}
        input[type=text],input[type=number],input[type=password],select,textarea{background:var(--bg);border:1px solid var(--line);
        border-radius:8px;padding:6px 9px;min-width:0}
        textarea{width:100%;min-height:120px;font:.84rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
        resize:vertical;tab-size:2}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em}
        pre{background:var(--soft);border-radius:8px;padding:10px 12px;margin:8px 0 0;overflow:auto;max-height:340px;
        white-space:pre-wrap;overflow-wrap:anywhere}
        .scroll{overflow-x:auto;margin:0 -18px -6px;padding:0 18px 6px}
        table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
        th,td{padding:6px 10px 6px 0;text-align:left;border-top:1px solid var(--line);vertical-align:top}
        thead th{border-top:0;color:var(--muted);font-weight:500;white-space:nowrap}
        td.n,th.n{text-align:right;padding-right:14px}td:last-child,th:last-child{padding-right:0}
        tbody th{font-weight:500}.clip{max-width:34ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .tag{display:inline-block;font-size:.78rem;font-weight:560;padding:1px 8px;border-radius:99px;background:var(--soft);color:var(--muted)}
        .tag.treat{background:var(--good-bg);color:var(--treat-ink)}.tag.suppress{background:var(--bad-bg);color:var(--suppress-ink)}
        .facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:5px 18px;margin:0;font-size:.9rem}
        .facts dt{color:var(--muted)}.facts dd{margin:0;overflow-wrap:anywhere}
        .legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.82rem;color:var(--muted);margin:0 0 2px;padding:0;list-style:none}
        .legend li{display:flex;align-items:center;gap:6px}
        .key{width:11px;height:11px;border-radius:3px;background:var(--uncertain);flex:none}
        .key.line{height:3px;width:16px}
        .c-accent{color:var(--accent)}.c-treat{color:var(--treat)}.c-uncertain{color:var(--uncertain)}.c-suppress{color:var(--suppress)}
        .c-warn{color:var(--warn)}.key.c-accent,.key.c-treat,.key.c-uncertain,.key.c-suppress,.key.c-warn{background:currentColor}
        .chart{position:relative;min-height:120px;outline-offset:4px;border-radius:6px}
        .chart svg{display:block;width:100%;overflow:visible}
        .chart text{font-size:11.5px;fill:var(--muted);font-variant-numeric:tabular-nums}
        .chart text.strong{fill:var(--ink);font-weight:560}
        .gridline{stroke:var(--line)}.zero{stroke:var(--muted);stroke-width:1.2}
        .line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        .line.dash{stroke-dasharray:5 4;stroke-width:1.6}
        .area{fill:currentColor;stroke:none;fill-opacity:.86}.band{fill:var(--band);stroke:none}
        .bar{fill:currentColor}.rule{stroke:var(--ink);stroke-opacity:.45;stroke-dasharray:3 3}
        .whisker{stroke:var(--ink);stroke-opacity:.6;stroke-width:1.4}
        .dot{fill:var(--accent);stroke:var(--card);stroke-width:2}.dot.b{fill:var(--warn)}.dot.other{fill-opacity:.55}
        .tip{position:absolute;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:8px;
        box-shadow:0 4px 16px #0002;padding:6px 10px;font-size:.8rem;white-space:nowrap;z-index:3;font-variant-numeric:tabular-nums}
        .tip b{font-weight:600}.tip div{display:flex;gap:8px;align-items:center;justify-content:space-between}
        .empty{display:grid;place-items:center;text-align:center;color:var(--muted);font-size:.9rem;min-height:130px;padding:8px 14px}
        .cells{display:flex;flex-wrap:wrap;gap:5px;padding:0;margin:0;list-style:none}
        .cells li{min-width:38px;height:30px;padding:0 6px;border-radius:7px;display:grid;place-items:center;font-size:.8rem;
        background:var(--soft);color:var(--muted);font-variant-numeric:tabular-nums}
        .cells li.ready{background:var(--good-bg);color:var(--treat-ink)}.cells li.restoring{background:var(--warn-bg);color:var(--warn)}
        .restore{display:grid;grid-template-columns:auto 1fr auto;gap:2px 10px;align-items:center;font-size:.84rem;margin:10px 0 0}
        .restore svg{width:100%;height:10px;display:block}#group{margin-top:12px}
        .segment+.segment{margin-top:14px}.segment h3{font-size:.88rem;font-weight:560;margin:0 0 4px;overflow-wrap:anywhere}
        .segrow{display:grid;grid-template-columns:minmax(90px,26%) 1fr 78px;gap:10px;align-items:center;font-size:.84rem;padding:2px 0}
        .segrow svg{width:100%;height:14px;display:block}
        .segrow span:last-child{text-align:right;font-variant-numeric:tabular-nums}
        details>summary{cursor:pointer;color:var(--muted);font-size:.88rem}
        .notice{border:1px solid var(--line);border-left:4px solid var(--warn);background:var(--warn-bg);border-radius:8px;
        padding:10px 14px;margin:0 0 16px;font-size:.94rem}
        .notice.bad{border-left-color:var(--suppress);background:var(--bad-bg)}
        .row{display:flex;flex-wrap:wrap;gap:8px;align-items:center}
        dialog{border:1px solid var(--line);border-radius:14px;background:var(--card);color:var(--ink);padding:22px;max-width:420px;
        width:calc(100% - 32px)}dialog::backdrop{background:#0007}dialog input{width:100%;margin:8px 0 14px}
        /* Simulator */
        .sim{display:grid;gap:16px;grid-template-columns:minmax(0,1fr)}
        @media (min-width:960px){.sim{grid-template-columns:minmax(330px,400px) minmax(0,1fr);align-items:start}
        .sim>.controls{position:sticky;top:72px;max-height:calc(100vh - 92px);overflow:auto}}
        .field{padding:9px 10px;margin:0 -10px;border-radius:9px;border:1px solid transparent}
        .field.in-hand{background:var(--soft)}
        .field .head{display:grid;grid-template-columns:minmax(0,1fr) 112px;gap:4px 10px;align-items:center}
        .field label{font-weight:540;font-size:.93rem;overflow-wrap:anywhere}
        .field input[type=number]{width:100%;text-align:right;padding:3px 7px;font-variant-numeric:tabular-nums}
        .field input[type=number]{appearance:textfield;-moz-appearance:textfield}
        .field input[type=number]::-webkit-inner-spin-button{appearance:none;margin:0}
        .field input[type=range]{width:100%;margin:6px 0 0;accent-color:var(--accent)}
        .field .meaning{font-size:.79rem;color:var(--muted);line-height:1.35}
        .choices{display:flex;gap:6px}.head.short{grid-template-columns:minmax(0,1fr) auto}
        #presets,#pick{margin:0 0 10px}#presets button,#who button,#pick button{padding:3px 10px;font-size:.86rem}#pick input{flex:1;padding:3px 9px}
        .chart.gauge{max-width:430px;min-height:0}.below{margin-top:16px}
        .choices button{padding:3px 14px}
        .result{display:grid;gap:16px}
        @media (min-width:700px){.result.two{grid-template-columns:1fr 1fr}}
        .who{display:flex;gap:10px;align-items:center;justify-content:space-between;flex-wrap:wrap}
        .effect{font-size:2.5rem;font-weight:680;letter-spacing:-.03em;line-height:1.15;font-variant-numeric:tabular-nums;margin:2px 0}
        .effect.treat{color:var(--treat-ink)}.effect.suppress{color:var(--suppress-ink)}.effect.uncertain{color:var(--ink)}
        .sentence{font-size:1rem;text-wrap:pretty;margin:6px 0 0}
        .letter{display:inline-grid;place-items:center;width:24px;height:24px;border-radius:50%;background:var(--accent);
        color:var(--accent-ink);font-weight:650;font-size:.86rem;flex:none}.letter.b{background:var(--warn);color:var(--bg)}
        .pushrow{display:grid;grid-template-columns:minmax(110px,32%) 1fr 76px;gap:10px;align-items:center;font-size:.86rem;padding:3px 0}
        .pushrow svg{width:100%;height:16px;display:block}.pushrow>span:first-child{overflow-wrap:anywhere}
        .pushrow>span:last-child{text-align:right;font-variant-numeric:tabular-nums}
        @media (max-width:959px){.sim>.grid{display:contents}.sim>.grid>*{grid-column:1}#result{order:-1}}
        @media (max-width:640px){#result{position:sticky;top:0;z-index:4}#result .gauge,#result .small{display:none}
        #result .card{padding:9px 14px}#result .effect{font-size:1.7rem}#result .sentence{font-size:.88rem;margin:0}
        .result.two{grid-template-columns:1fr 1fr;gap:8px}.result.two .sentence{display:none}}
        #search{margin-bottom:16px}#score .button{margin-top:8px}
        /* API page */
        .op{padding:0;overflow:hidden}.op>summary{list-style:none;display:flex;gap:12px;align-items:center;padding:13px 16px;color:var(--ink);
        font-size:.95rem;flex-wrap:wrap}.op>summary::-webkit-details-marker{display:none}
        .op>summary:hover{background:var(--soft)}.op .in{padding:2px 16px 16px;border-top:1px solid var(--line)}
        .verb{font:600 .76rem/1 ui-monospace,Menlo,monospace;padding:5px 8px;border-radius:6px;background:var(--good-bg);color:var(--treat-ink);
        min-width:48px;text-align:center}.verb.post{background:var(--band);color:var(--accent)}
        .ops{display:grid;gap:10px}.ops .path{font-family:ui-monospace,Menlo,"DejaVu Sans Mono",monospace;font-size:.9rem;overflow-wrap:anywhere}
        .ops h2{margin:18px 0 2px}
        .param{display:grid;gap:3px;margin:10px 0;max-width:420px}.param label{font-size:.88rem}
        @media (max-width:640px){header.top{position:static}main{padding:18px 14px 48px}h1{font-size:1.35rem}.card{padding:14px}
        .scroll{margin:0 -14px -6px;padding:0 14px 6px}.tiles{grid-template-columns:1fr 1fr;gap:10px}.tile:last-child:nth-child(odd){grid-column:1/-1}.tile dd{font-size:1.2rem}
        header.top>div{padding:8px 14px 6px}nav{order:3;width:calc(100% + 12px);margin:0 -6px;justify-content:space-between}nav a{padding:5px 4px;font-size:.84rem}.clip{max-width:13ch}
        th,td{padding-right:7px}td.n,th.n{padding-right:8px}td>svg{width:64px}.effect{font-size:2.1rem}
        .facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:8px}.push .words{display:none}}
        @media (prefers-reduced-motion:no-preference){.pill.live::before{animation:beat 2s infinite}
        @keyframes beat{50%{opacity:.35}}}
        @media print{header.top{position:static}.push,nav{display:none}}
        """#

    static let icon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1d5bd0"/>\
        <path d="M7 22h18" stroke="#fff" stroke-opacity=".45" stroke-width="2" stroke-linecap="round"/>\
        <path d="M7 20c6 0 7-10 18-11" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/>\
        <circle cx="25" cy="9" r="3" fill="#fff"/></svg>
        """

    /// What every page begins with.
    static func page(title: String, path: String, script: String, body: String) -> String {
        func link(_ to: String, _ words: String) -> String {
            "<a href=\"\(to)\"\(to == path ? " aria-current=\"page\"" : "")>\(words)</a>"
        }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(title) · ImpactIQ</title><link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
            <link rel="stylesheet" href="/assets/app.css"><script src="/assets/app.js" defer></script>
            <script src="/assets/\(script)" defer></script></head><body>
            <a class="skip" href="#main">To the content</a>
            <header class="top"><div><a class="brand" href="/"><svg viewBox="0 0 32 32" aria-hidden="true">\
            <rect width="32" height="32" rx="8" fill="#1d5bd0"/><path d="M7 20c6 0 7-10 18-11" fill="none" stroke="#fff" \
            stroke-width="3" stroke-linecap="round"/><circle cx="25" cy="9" r="3" fill="#fff"/></svg>ImpactIQ</a>
            <nav aria-label="Pages">\(link("/", "Dashboard"))\(link("/simulate", "Simulator"))\(link("/user", "People"))\
            \(link("/attribution", "Attribution"))\(link("/docs", "API"))</nav>
            <div class="push"><span class="pill" id="state" role="status">…</span>
            <button class="icon" id="theme" type="button" aria-label="Colours: as the system">◐</button></div></div></header>
            <main id="main">
            <noscript><p class="notice">This page needs JavaScript. The API does not: see docs/api.md.</p></noscript>
            \(body)
            </main></body></html>
            """
    }
}
