import Kernel

@testable import Drills

/// Evidence of a shop without a flaw, as the drills write it, to be spoilt by tests.
struct Recorded {
    static let now = Timestamp(year: 2026, month: 11, day: 21, hour: 12)
    static let roles = ["storefront", "orders", "products", "payments", "users", "auth", "notifications"]

    var files: [String: JSON]
    var chart: [JSON] = Recorded.roles.flatMap(workload) + [Recorded.network]

    init(at time: Timestamp = now) {
        let at = JSON.string(time.rfc3339)
        files = [
            "load.json": Self.load(at),
            "flood.json": [
                "at": at, "capacity": Self.load(at, goodput: 1_000), "goodput_ratio": 0.94, "orders_ratio": 0.93,
                "back_after_seconds": 2,
                "flood": Self.load(at, refused: 4_000, p99: 210),
                "memory": ["processes": 1, "before": 300_000_000, "peak": 400_000_000],
            ],
            "region.json": [
                "drill": "region", "at": at, "lost": 0, "rpo_seconds": 0.4, "rto_seconds": 9, "passed": true,
            ],
            "audit.json": Self.audit(at),
            "fleet.json": [
                "at": at, "readiness_checks": true, "retries": 3,
                "replicas": .object(JSONObject(Self.roles.map { ($0, 2) })),
            ],
        ]
        for (name, tag) in [
            ("fleet-kill-half", "process"), ("fleet-drop-redis", "back end"), ("fleet-slow-payments", "network"),
            ("fleet-zone-away", "zone"),
        ] { files["chaos-\(name).json"] = Self.chaos(at, tag) }
        for engine in ["sqlite", "postgres"] {
            files["recover-\(engine).json"] = [
                "drill": "recover", "engine": .string(engine), "at": at, "orders": 100_000, "acknowledged": 100_000,
                "lost": 0, "lost_before_last_cut": 0, "rpo_seconds": 0.8, "rto_seconds": 21, "audit": Self.audit(at),
                "passed": true, "targets": ["rpo_seconds": 5, "rto_seconds": 60],
            ]
        }
    }

    private static func audit(_ at: JSON) -> JSON {
        .array(
            ["stock.never-below-zero", "orders.paid-once", "commits.reach-the-disk", "orders.acknowledged"].map {
                [
                    "name": .string($0), "promise": "it holds", "checked": 1_000, "violations": [],
                    "violationCount": 0, "at": at,
                ]
            })
    }

    private static func chaos(_ at: JSON, _ tag: String) -> JSON {
        [
            "journal": ["experiment": ["title": "t", "tags": ["fleet", .string(tag)]], "deviated": false],
            "at": at, "recovered_after_seconds": 1.4, "error_rate": 0.0003, "error_rate_meanwhile": 0.0008,
            "error_rate_otherwise": 0, "bit": true, "verdict": "held", "audit": audit(at),
        ]
    }

    static func load(_ at: JSON, goodput: Double = 100, refused: Int64 = 0, p99: Double = 80) -> JSON {
        let steps = ["browse", "search", "product", "cart", "checkout", "account"].map { step -> JSON in
            ["step": .string(step), "measures": ["latency": ["p99": .number(p99)]]]
        }
        return [
            "arrivals": "open", "began_at": at, "steps": .array(steps), "visits": ["dropped": 0],
            "total": [
                "requests": 20_000, "error_rate": 0, "goodput": .number(goodput), "refused": .integer(refused),
                "refused_without_retry_after": 0, "statuses": ["200": 20_000], "failures": [:],
            ],
        ]
    }

    // MARK: The chart

    private static func workload(_ role: String) -> [JSON] {
        let labels: JSON = ["component": .string(role)]
        let meta: JSON = ["name": .string("souk-\(role)"), "namespace": "souk"]
        let probe: JSON = ["httpGet": ["path": "/ready", "port": "http"]]
        let container: JSON = [
            "image": "registry.example/souk:1.2.3", "readinessProbe": probe, "livenessProbe": probe,
            "startupProbe": probe, "lifecycle": ["preStop": ["sleep": ["seconds": 15]]],
            "resources": ["requests": ["cpu": "200m", "memory": "256Mi"], "limits": ["memory": "512Mi"]],
            "securityContext": [
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": ["drop": ["ALL"]],
            ],
        ]
        let pod: JSON = [
            "containers": [container], "topologySpreadConstraints": [["maxSkew": 1]],
            "securityContext": ["runAsNonRoot": true, "seccompProfile": ["type": "RuntimeDefault"]],
        ]
        return [
            [
                "kind": "Deployment", "metadata": meta,
                "spec": ["replicas": 3, "template": ["metadata": ["labels": labels], "spec": pod]],
            ],
            ["kind": "PodDisruptionBudget", "metadata": meta, "spec": ["selector": ["matchLabels": labels]]],
        ]
    }

    private static let network: JSON = [
        "kind": "NetworkPolicy", "metadata": ["name": "souk", "namespace": "souk"], "spec": ["podSelector": [:]],
    ]

    // MARK: Spoiling

    /// - Parameter path: `total.requests`, from the file's top; indices are numbers.
    mutating func set(_ file: String, _ path: String, _ value: JSON?) {
        files[file] = Self.changed(files[file] ?? .null, path.split(separator: ".").map(String.init)[...], value)
    }

    /// In every deployment of the chart.
    mutating func setInChart(_ path: String, _ value: JSON?) {
        let steps = path.split(separator: ".").map(String.init)
        chart = chart.map { $0["kind"] == "Deployment" ? Self.changed($0, steps[...], value) : $0 }
    }

    private static func changed(_ json: JSON, _ path: ArraySlice<String>, _ value: JSON?) -> JSON {
        guard let step = path.first else { return value ?? .null }
        if case .array(var elements) = json, let index = Int(step) {
            elements[index] = changed(elements[index], path.dropFirst(), value)
            return .array(elements)
        }
        var object = json.objectValue ?? JSONObject()
        object[step] =
            path.count == 1 ? value : changed(object[step] ?? .object(JSONObject()), path.dropFirst(), value)
        return .object(object)
    }

    func evidence() throws -> Evidence {
        var evidence = Evidence()
        for (name, json) in files.sorted(by: { $0.key < $1.key }) {
            _ = try evidence.read(name, json, now: Self.now)
        }
        if !chart.isEmpty { evidence.chart = ChartFacts(file: "chart.yaml", objects: chart) }
        return evidence
    }

    func score(_ metrics: [String] = []) throws -> ScoreReport {
        Score.report(try evidence(), metrics: try metrics.map(CustomMetric.init), now: Self.now)
    }
}
