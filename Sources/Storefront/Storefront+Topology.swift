import Contracts
import Kernel
import Wire

/// The shop's processes as staff see them: drawn, and in tables.
extension Storefront {
    var topologyRoutes: [PageRoute] {
        [personal(.get, "/topology", priority: .reports, role: .staff, topologyPage)]
    }

    private func topologyPage(_ visit: Visit) async throws -> PageResponse {
        let topology = try await services.topology.topology(
            try checked(Nothing(), as: TopologyAPI.topology, visit.context), visit.context)
        let drawing = TopologyDrawing(topology)
        let processes = topology.processes.compactMap(\.process)
        let calls = processes.flatMap { process in process.peers.map { Self.row($0, of: process) } }
        return await staffPage(
            "staff_topology", "Topology", tab: "Topology",
            [
                "summary": drawing.summary, "isWell": drawing.isWell, "drawing": drawing.view,
                "processes": topology.processes.map(Self.row), "backEnds": Self.backEnds(processes), "calls": calls,
                "hasCalls": !calls.isEmpty,
            ], visit: visit)
    }

    private static func row(_ entry: Topology.Entry) -> View {
        [
            "roles": names(entry.roles), "name": (entry.process?.name ?? entry.url).orFalse,
            "place": entry.process == nil ? false : entry.url ?? "this page comes from it",
            "error": entry.error.orFalse,
            "status": entry.answers ? "Answers" : "Away", "tone": entry.answers ? "good" : "bad",
            "version": entry.process?.version ?? "unknown",
            "since": entry.process.map { Texts.time($0.started_at) } ?? "unknown",
        ]
    }

    /// What several processes share is one row.
    private static func backEnds(_ processes: [ShopProcess]) -> [View] {
        var rows: [(backEnd: ShopProcess.BackEnd, roles: [String])] = []
        for process in processes {
            for backEnd in process.back_ends {
                let same = rows.firstIndex { row in
                    row.backEnd.setting == backEnd.setting && row.backEnd.address == backEnd.address
                        && row.backEnd.answers == backEnd.answers
                }
                if let same { rows[same].roles += process.roles } else { rows.append((backEnd, process.roles)) }
            }
        }
        return rows.sorted { $0.backEnd.setting < $1.backEnd.setting }.map { backEnd, roles in
            let (status, tone) =
                switch backEnd.answers {
                case true?: ("Answers", "good")
                case false?: ("Away", "bad")
                case nil: ("Not asked", "")
                }
            return [
                "of": names(roles), "setting": backEnd.setting, "address": backEnd.address, "status": status,
                "tone": tone, "error": backEnd.error.orFalse,
            ]
        }
    }

    private static func row(_ peer: ShopProcess.Peer, of process: ShopProcess) -> View {
        [
            "from": TopologyDrawing.name(process.roles), "to": Texts.words(peer.role), "address": peer.url,
            "status": peer.answers ? "Answers" : "Away", "tone": peer.answers ? "good" : "bad",
            "breaker": peer.breaker == .closed ? "Closed" : "Open: calls fail at once", "error": peer.error.orFalse,
            "breakerTone": peer.breaker == .closed ? "" : "bad",
        ]
    }

    private static func names(_ roles: [String]) -> String { roles.map { Texts.words($0) }.joined(separator: ", ") }
}

/// Processes as boxes, calls as lines between them: SVG in the page, no script.
///
/// A role has its place, so that the picture is the same from one look to the next; a process that plays several stands
/// in the place of the first.
struct TopologyDrawing {
    private struct Box {
        let roles: [String]
        let column: Int
        /// The middle, in pixels.
        let y: Int
        let height: Int
        let isAway: Bool
        let note: String

        var x: Int { TopologyDrawing.left + column * TopologyDrawing.columnStep }
        var right: Int { x + TopologyDrawing.boxWidth }
    }

    private static let left = 20
    private static let columnStep = 350
    private static let boxWidth = 200
    private static let rowStep = 124
    private static let firstRow = 74
    private static let width = left * 2 + columnStep * 2 + boxWidth + 60
    /// Columns from who is called by nobody to who calls nobody; rows in halves.
    private static let places: [(role: String, column: Int, halfRow: Int)] = [
        ("storefront", 0, 3), ("orders", 1, 0), ("notifications", 1, 6), ("payments", 2, 0), ("products", 2, 2),
        ("auth", 2, 4), ("users", 2, 6),
    ]

    private let boxes: [Box]
    private let lines: [View]
    private let troubles: [String]

    init(_ topology: Topology) {
        var boxes = topology.processes.map(Self.box)
        // A role that somebody calls and nobody here could ask.
        for peer in topology.processes.flatMap({ $0.process?.peers ?? [] })
        where !boxes.contains(where: { $0.roles.contains(peer.role) }) {
            boxes.append(Self.box([peer.role], isAway: !peer.answers, note: ""))
        }
        var lines: [View] = []
        var troubles = boxes.filter(\.isAway).map { Self.name($0.roles) + " does not answer" }
        for process in topology.processes.compactMap(\.process) {
            guard let from = boxes.first(where: { $0.roles == process.roles }) else { continue }
            for (_, peers) in Self.byBox(process.peers, boxes) {
                guard let to = boxes.first(where: { $0.roles.contains(peers[0].role) }) else { continue }
                let isAway = peers.contains { !$0.answers || $0.breaker == .open }
                let names = peers.map { Texts.words($0.role) }.joined(separator: ", ")
                let text = "\(Self.name(from.roles)) calls \(names): \(isAway ? "no answer" : "answers")"
                if isAway, !to.isAway { troubles.append(text) }
                lines.append([
                    "path": Self.path(from, to), "tone": isAway ? " away" : "", "text": text,
                    "end": isAway ? "end-away" : "end",
                ])
            }
        }
        let lost = topology.processes.flatMap { $0.process?.back_ends ?? [] }.filter { $0.answers == false }
        for setting in Set(lost.map(\.setting)).sorted() { troubles.append("\(setting) does not answer") }
        // What is wrong lies on top.
        self.lines = lines.filter { $0["tone"] as? String == "" } + lines.filter { $0["tone"] as? String != "" }
        self.boxes = boxes
        self.troubles = troubles
    }

    var isWell: Bool { troubles.isEmpty }

    /// One sentence for whoever does not see the picture.
    var summary: String {
        let processes = Texts.count(Int64(boxes.count), "process", "processes")
        return isWell ? "\(processes), everything answers." : "\(processes). " + troubles.joined(separator: "; ") + "."
    }

    var view: View {
        let top = (boxes.map { $0.y - $0.height / 2 }.min() ?? 0) - 12
        let bottom = (boxes.map { $0.y + $0.height / 2 }.max() ?? 0) + 12
        return [
            "top": String(top), "width": String(Self.width), "height": String(bottom - top), "label": summary,
            "lines": lines,
            "boxes": boxes.map { box -> View in
                let top = box.y - box.height / 2
                return [
                    "x": String(box.x), "y": String(top), "boxWidth": String(Self.boxWidth),
                    "boxHeight": String(box.height), "tone": box.isAway ? " away" : "",
                    "dotX": String(box.right - 18), "dotY": String(top + 22),
                    "texts": box.roles.enumerated().map { index, role -> View in
                        ["x": String(box.x + 16), "y": String(top + 28 + index * 20), "text": Texts.words(role)]
                    },
                    "note": box.isAway ? "does not answer" : box.note, "noteX": String(box.x + 16),
                    "noteY": String(top + box.height - 14),
                ]
            },
        ]
    }

    // MARK: Where things stand

    private static func box(_ entry: Topology.Entry) -> Box {
        let note =
            entry.process.map { process in
                var kinds: [String] = []
                for kind in process.back_ends.map(\.kind) where !kinds.contains(kind) { kinds.append(kind) }
                return kinds.prefix(4).joined(separator: " · ")
            } ?? ""
        return box(entry.roles, isAway: !entry.answers, note: note)
    }

    private static func box(_ roles: [String], isAway: Bool, note: String) -> Box {
        let place = places.first { roles.contains($0.role) } ?? (roles.first ?? "", 1, 3)
        let height = 52 + 20 * max(1, roles.count)
        return Box(
            roles: roles, column: place.column, y: max(firstRow + place.halfRow * rowStep / 2, height / 2 + 12),
            height: height, isAway: isAway, note: note)
    }

    /// Several roles of one process are one line.
    private static func byBox(
        _ peers: [ShopProcess.Peer], _ boxes: [Box]
    ) -> [(index: Int, peers: [ShopProcess.Peer])] {
        var groups: [(index: Int, peers: [ShopProcess.Peer])] = []
        for peer in peers {
            guard let index = boxes.firstIndex(where: { $0.roles.contains(peer.role) }) else { continue }
            if let group = groups.firstIndex(where: { $0.index == index }) {
                groups[group].peers.append(peer)
            } else {
                groups.append((index, [peer]))
            }
        }
        return groups
    }

    /// Where a line is short: `Storefront and 5 more`.
    static func name(_ roles: [String]) -> String {
        roles.count > 2
            ? "\(Texts.words(roles[0])) and \(roles.count - 1) more"
            : roles.map { Texts.words($0) }.joined(separator: ", ")
    }

    /// From side to side between columns; in one column down or up to the neighbour, or around the right side to
    /// others. Those that go back end a little lower than those that go on begin, so that a pair is two lines.
    private static func path(_ from: Box, _ to: Box) -> String {
        if from.column != to.column {
            let goesOn = from.column < to.column
            let (x1, x2) = goesOn ? (from.right, to.x) : (from.x, to.right)
            // Each comes in at its own height.
            let slope = max(-20, min(20, (from.y - to.y) / 12))
            let (y1, y2) = (from.y + (goesOn ? 0 : 14), to.y + slope + (goesOn ? 0 : 14))
            let bend = (goesOn ? 1 : -1) * max(40, abs(x2 - x1) / 2)
            return "M\(x1) \(y1)C\(x1 + bend) \(y1) \(x2 - bend) \(y2) \(x2) \(y2)"
        }
        let goesDown = from.y < to.y
        let (y1, y2) =
            goesDown
            ? (from.y + from.height / 2, to.y - to.height / 2) : (from.y - from.height / 2, to.y + to.height / 2)
        if abs(y2 - y1) < rowStep {
            let x = from.x + boxWidth / 2 + (goesDown ? -16 : 16)
            return "M\(x) \(y1)L\(x) \(y2)"
        }
        let side = from.right + 50
        let y = to.y + (goesDown ? -12 : 12)
        return "M\(from.right) \(from.y)C\(side) \(from.y) \(side) \(y) \(to.right) \(y)"
    }
}
