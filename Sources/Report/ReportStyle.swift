/// The page's style sheet: light and dark by the reader's preference, phone to desktop, and paper.
package enum ReportStyle {
    private static let light = """
        --bg:#f4f6f8;--card:#fff;--ink:#17212c;--muted:#566373;--line:#dfe4ea;--model:#1d5bd0;--band:#1d5bd024;\
        --perfect:#8a5b00;--random:#65717f;--good:#0a7350;--goodfill:#1f9d74;--bad:#b0301f;--badfill:#d1604f;color-scheme:light
        """
    private static let dark = """
        --bg:#0e1319;--card:#161d25;--ink:#e7edf3;--muted:#9fadbc;--line:#2b3642;--model:#7cabff;--band:#7cabff33;\
        --perfect:#e3b55f;--random:#93a1b0;--good:#52cca0;--goodfill:#2f9e78;--bad:#ff9384;--badfill:#cf6353;color-scheme:dark
        """

    /// `data-theme` on the root overrides the reader's preference.
    package static let sheet = """
        :root{\(light)}
        @media (prefers-color-scheme:dark){:root{\(dark)}}
        :root[data-theme=light]{\(light)}
        :root[data-theme=dark]{\(dark)}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
        main{max-width:1080px;margin:0 auto;padding:32px 20px 56px}
        h1{font-size:1.75rem;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em;overflow-wrap:anywhere}
        h2{font-size:1.2rem;line-height:1.3;margin:44px 0 4px;letter-spacing:-.005em}
        h2,.muted{text-wrap:pretty}h3{font-size:1rem;margin:0 0 6px}
        p{margin:0 0 12px;max-width:72ch}
        .verdict{font-size:1.1rem;margin:0 0 10px;max-width:none;text-wrap:pretty}
        .verdict strong{font-weight:650}.good{color:var(--good)}.bad{color:var(--bad)}
        .muted,figcaption{color:var(--muted)}
        .meta{font-size:.9rem;margin:0}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(152px,1fr));gap:12px;margin:26px 0 0;padding:0}
        .tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:13px 15px}
        dt{font-size:.84rem;color:var(--muted)}dd{margin:0}
        .tiles dd:first-of-type{font-size:1.5rem;font-weight:650;line-height:1.3;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
        .tiles dd+dd{font-size:.82rem;color:var(--muted);font-variant-numeric:tabular-nums}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px;margin-top:14px}
        figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px 12px;break-inside:avoid}
        figure p,figcaption{font-size:.9rem;margin:10px 0 0}
        svg{display:block;width:100%;height:auto;margin-top:4px;overflow:visible}
        .charts figure:only-child>svg{max-width:600px;margin-left:auto;margin-right:auto}
        .legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:.84rem;color:var(--muted);margin:0;padding:0;list-style:none}
        .legend svg{display:inline-block;width:22px;height:10px;margin:0 6px 1px 0;vertical-align:middle}
        svg text{unicode-bidi:isolate;font-size:12px;fill:var(--muted);font-family:inherit;font-variant-numeric:tabular-nums}
        svg text.axis-title{font-size:12px}svg text.mark{fill:var(--perfect)}
        svg path{fill:none;stroke-linejoin:round;stroke-linecap:round}
        .grid{stroke:var(--line);stroke-width:1}.zero{stroke:var(--muted);stroke-width:1}
        .model{stroke:var(--model);stroke-width:2.25}.perfect{stroke:var(--perfect);stroke-width:1.75;stroke-dasharray:7 4}
        .random{stroke:var(--random);stroke-width:1.75;stroke-dasharray:1 5}
        .fit{stroke:var(--model);stroke-width:1.75;stroke-dasharray:7 4}
        svg path.band{fill:var(--band);stroke:none}
        .plain{fill:var(--random)}.up{fill:var(--goodfill)}.down{fill:var(--badfill)}
        .whisker{stroke:var(--ink);stroke-width:1.25}.dot{fill:var(--model);stroke:var(--card);stroke-width:1.5}
        .table{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:14px 0 0;overflow:hidden}
        .table h3{padding:12px 16px 4px;margin:0;font-size:.92rem}.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
        .scroll:focus-visible{outline:2px solid var(--model);outline-offset:-2px}
        table{border-collapse:separate;border-spacing:0;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
        th,td{padding:6px 16px;text-align:left;white-space:nowrap;unicode-bidi:isolate;border-top:1px solid var(--line)}
        thead th{border-top:0;color:var(--muted);font-weight:500}tbody th{font-weight:500;max-width:36ch;overflow:hidden;text-overflow:ellipsis}tbody th,thead th:first-child{position:sticky;left:0;background:var(--card)}.n{text-align:right}
        ul.notes{margin:10px 0 0;padding-left:20px}ul.notes li{margin:0 0 6px;max-width:76ch}
        .facts{display:grid;grid-template-columns:max-content 1fr;gap:6px 20px;margin:12px 0 0;font-size:.9rem}
        .facts dd{overflow-wrap:anywhere}
        code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.88em;overflow-wrap:anywhere}
        @media (max-width:560px){main{padding:22px 14px 40px}h1{font-size:1.45rem}.tiles{grid-template-columns:1fr 1fr;gap:10px}\
        .tiles dd:first-of-type{font-size:1.25rem}figure{padding:14px 12px 10px}th,td{padding:6px 12px}.table h3{padding:12px 12px 4px}.facts{grid-template-columns:1fr;gap:0}\
        .facts dd{margin-bottom:10px}tbody th:not(.n){white-space:normal;min-width:128px}svg text,svg text.axis-title{font-size:13px}}
        @media print{:root,:root[data-theme]{\(light)}body{background:#fff;font-size:11pt}main{max-width:none;padding:0}\
        .charts{grid-template-columns:1fr 1fr}.tiles{grid-template-columns:repeat(3,1fr)}.tiles div,figure,.table,.facts,.notes{break-inside:avoid}\
        .scroll,.table{overflow:visible}table{font-size:8.5pt}th,td{padding:3px 6px}h2{break-after:avoid}*{print-color-adjust:exact}}
        """
}
