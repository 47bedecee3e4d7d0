extension Score {
    /// One thing that each workload of the chart should have.
    private struct Rule: Sendable {
        var name: String
        var title: String
        var weight: Double
        var expected: String
        var remedy: String
        var holds: @Sendable (Workload) -> Bool
    }

    private static let rules = [
        Rule(
            name: "readiness", title: "Requests go only to who is ready", weight: 3, expected: "a readinessProbe",
            remedy: "Add a readinessProbe that asks /ready: without it a pod gets requests before it can answer."
        ) { $0.probe("readinessProbe") },
        Rule(
            name: "replicas", title: "One may go away", weight: 3, expected: "2 replicas or more at any time",
            remedy: "Raise replicas, or the autoscaler's minReplicas: a single pod's end is an outage."
        ) { $0.replicas >= 2 },
        Rule(
            name: "resources", title: "Room is reserved and bounded", weight: 2,
            expected: "requests of cpu and memory, and a limit of memory",
            remedy: "Set resources: without them a neighbour takes the node's memory, and the shop is killed for it."
        ) { $0.hasResources },
        Rule(
            name: "security", title: "A break-in stays where it is", weight: 2,
            expected: "Pod Security's restricted securityContext",
            remedy: "Set runAsNonRoot, allowPrivilegeEscalation: false, drop ALL capabilities, seccomp RuntimeDefault."
        ) { $0.isRestricted },
        Rule(
            name: "liveness", title: "What hangs is started again", weight: 1, expected: "a livenessProbe",
            remedy: "Add a livenessProbe that asks /health, which looks at no back end."
        ) { $0.probe("livenessProbe") },
        Rule(
            name: "startup", title: "A slow start is not killed", weight: 1, expected: "a startupProbe",
            remedy: "Add a startupProbe: it holds the liveness probe back until the first answer."
        ) { $0.probe("startupProbe") },
        Rule(
            name: "budget", title: "Maintenance takes one at a time", weight: 1, expected: "a PodDisruptionBudget",
            remedy: "Add a PodDisruptionBudget with maxUnavailable: 1: draining nodes then waits for replacements."
        ) { $0.hasBudget },
        Rule(
            name: "spread", title: "A zone or a node may go away", weight: 1,
            expected: "topologySpreadConstraints or podAntiAffinity",
            remedy: "Add topologySpreadConstraints over topology.kubernetes.io/zone."
        ) { $0.isSpread },
        Rule(
            name: "network", title: "Only who must reaches it", weight: 1, expected: "a NetworkPolicy",
            remedy: "Add a NetworkPolicy that selects its pods."
        ) { $0.hasNetworkPolicy },
        Rule(
            name: "read-only", title: "Nobody changes what runs", weight: 1, expected: "readOnlyRootFilesystem",
            remedy: "Set readOnlyRootFilesystem: true, and mount what has to be written."
        ) { $0.hasReadOnlyRoot },
        Rule(
            name: "graceful", title: "Requests in flight are answered", weight: 1, expected: "a preStop hook",
            remedy: "Add a preStop sleep: requests still come while the load balancer learns that the pod leaves."
        ) { $0.leavesGracefully },
        Rule(
            name: "image", title: "Everybody runs the same", weight: 1, expected: "an image by digest, or by a tag",
            remedy: "Name the image by its digest, or by a tag other than latest."
        ) { $0.hasPinnedImage },
    ]

    static func posture(_ chart: ChartFacts?, _ fleet: FleetFacts?) -> [Grade] {
        let workloads = chart.map { Workload.all(in: $0.objects) }
        let run =
            "Render the chart (`helm template souk deploy/helm/souk -f values-prod.yaml > chart.yaml`), and give "
            + "--chart chart.yaml."
        return rules.map { rule in
            let result: (share: Double, found: String)? = workloads.map { workloads in
                guard !workloads.isEmpty else { return (0, "the chart runs nothing") }
                let without = workloads.filter { !rule.holds($0) }.map(\.name)
                let share = 1 - Double(without.count) / Double(workloads.count)
                return (share, without.isEmpty ? "all \(workloads.count) have it" : "\(named(without)) without")
            }
            return Grade(
                "chart.\(rule.name)", rule.title, rule.weight, expected: rule.expected,
                remedy: chart == nil ? run : rule.remedy, result, chart?.source)
        } + running(fleet)
    }

    /// How the fleet ran while it was measured. A cluster says that in its chart.
    private static func running(_ fleet: FleetFacts?) -> [Grade] {
        guard let fleet else { return [] }
        let single = alone(in: fleet)
        return [
            Grade(
                "fleet.replicas", "One of the fleet may go away", 3, expected: "2 replicas or more of each role",
                remedy: "Start the fleet with --replicas 2: a single process's end is an outage.",
                (
                    1 - Double(single.count) / Double(max(1, fleet.replicas.count)),
                    single.isEmpty ? "2 or more of each" : "one alone of \(named(single))"
                ), fleet.source),
            Grade(
                "fleet.readiness", "The balancer knows who is ready", 3, expected: "the balancer asks /ready",
                remedy: "Have HAProxy check its servers: without it requests go to who is down or drains.",
                (fleet.asksReadiness ? 1 : 0, fleet.asksReadiness ? "it does" : "it asks nobody"), fleet.source),
            Grade(
                "fleet.retries", "What never left is sent again", 2, expected: "a retry when a connection fails",
                remedy: "Have HAProxy try another server when a connection fails (retries, option redispatch).",
                (fleet.retries > 0 ? 1 : 0, fleet.retries > 0 ? "\(fleet.retries) times" : "no retries"), fleet.source),
        ]
    }

    static func alone(in fleet: FleetFacts) -> [String] {
        fleet.replicas.filter { $0.value < 2 }.map(\.key).sorted()
    }
}
