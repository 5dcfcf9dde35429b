import Report

extension AttributionPage {
    // MARK: Paths

    func sankey(_ flows: PathFlows) -> String {
        let links = flows.links(keeping: 7)
        let total = Double(max(flows.journeys, 1))
        let height = 360.0
        let gap = 8.0
        var inflow: [PathFlows.Node: Int] = [:]
        var outflow: [PathFlows.Node: Int] = [:]
        for link in links {
            outflow[link.from, default: 0] += link.count
            inflow[link.to, default: 0] += link.count
        }
        let nodes = Set(inflow.keys).union(outflow.keys)
        func size(_ node: PathFlows.Node) -> Double { Double(max(inflow[node] ?? 0, outflow[node] ?? 0)) }
        let columns = (0...PathFlows.steps).map { step in
            nodes.filter { $0.step == step }.sorted { (size($1), $0.channel) < (size($0), $1.channel) }
        }
        let most = columns.map(\.count).max() ?? 1
        let scale = (height - gap * Double(most)) / total
        var place: [PathFlows.Node: Double] = [:]
        let width = 900.0
        // Steps that no journey reaches take no room.
        let used = columns.indices.filter { !columns[$0].isEmpty }
        func x(_ step: Int) -> Double {
            Double(used.firstIndex(of: step) ?? 0) / Double(max(used.count - 1, 1)) * (width - 190) + 4
        }
        for column in columns {
            var y = 4.0
            for node in column {
                place[node] = y
                y += size(node) * scale + gap
            }
        }
        let names = Dictionary(
            uniqueKeysWithValues: nodes.map { node in
                (node, node.channel == -1 ? "Conversion" : node.channel == -2 ? "Others" : channels[node.channel])
            })
        var drawing = Drawing(
            id: "paths", title: "Paths to conversion",
            description: links.prefix(12).map { "\(names[$0.from] ?? "") to \(names[$0.to] ?? ""): \($0.count)" }
                .joined(separator: ", "), width: width, height: height + 8)
        var leaving = place
        var arriving = place
        for link in links {
            guard let from = leaving[link.from], let to = arriving[link.to] else { continue }
            let thickness = Double(link.count) * scale
            leaving[link.from] = from + thickness
            arriving[link.to] = to + thickness
            drawing.flow(
                x(link.from.step) + 10, from + thickness / 2, x(link.to.step), to + thickness / 2, thickness: thickness,
                colour: Drawing.colour(Int(link.from.channel)),
                tip: "\(names[link.from] ?? "") → \(names[link.to] ?? ""): \(link.count) journeys")
        }
        for node in nodes.sorted(by: { ($0.step, $0.channel) < ($1.step, $1.channel) }) {
            let y = place[node] ?? 0
            let name = names[node] ?? ""
            let thickness = size(node) * scale
            drawing.rectangle(
                x(node.step), y, 10, thickness,
                colour: node.channel == -1 ? "var(--goodfill)" : Drawing.colour(Int(node.channel)),
                tip: "\(name): \(Int(size(node))) journeys")
            if thickness > 7 {
                drawing.text(
                    x(node.step) + 15, y + thickness / 2 + 4, "\(name) \(Figure.share(size(node) / total))", limit: 26)
            }
        }
        return ReportPage.figure(
            "Paths to conversion", "", drawing.scrolled,
            "Converting journeys from their first channel on, neighbours of one channel taken together; what comes after the "
                + "fourth step flows to the conversion. A band's width is its number of journeys.")
    }
}
