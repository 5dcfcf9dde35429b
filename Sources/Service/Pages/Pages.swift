/// The pages and what they load: part of the program, so that they need no internet and no build step.
package enum Pages {
    static var routes: [Route] {
        [
            page("/", Asset(.html, DashboardPage.html)),
            page("/simulate", Asset(.html, SimulatorPage.html)),
            page("/user", Asset(.html, UserPage.html)),
            page("/attribution", Asset(.html, AttributionLivePage.html)),
            page("/docs", Asset(.html, DocsPage.html)),
            page("/assets/app.css", Asset(.css, PageStyle.css)),
            page("/assets/app.js", Asset(.javaScript, PageScript.common + PageScript.charts)),
            page("/assets/dashboard.js", Asset(.javaScript, DashboardPage.script)),
            page("/assets/simulate.js", Asset(.javaScript, SimulatorPage.script)),
            page("/assets/user.js", Asset(.javaScript, UserPage.script)),
            page("/assets/attribution.js", Asset(.javaScript, AttributionLivePage.script)),
            page("/assets/docs.js", Asset(.javaScript, DocsPage.script)),
            page("/assets/icon.svg", Asset(.svg, PageStyle.icon)),
            page("/favicon.ico", Asset(.svg, PageStyle.icon)),
        ]
    }

    private static func page(_ path: String, _ asset: Asset) -> Route {
        Route(.get, path, isOpen: true, query: nil) { exchange throws(Problem) in exchange.asset = asset }
    }
}
