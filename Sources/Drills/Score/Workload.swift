import Kernel

/// What a chart runs for good, with what stands around it.
struct Workload {
    private static let kinds: Set = ["Deployment", "StatefulSet", "Rollout"]

    let name: String
    private let kind: String
    private let namespace: String
    private let spec: JSON
    private let template: JSON
    private let others: [JSON]

    /// Jobs end by themselves, and are no part of it.
    static func all(in objects: [JSON]) -> [Workload] { objects.compactMap { Workload($0, among: objects) } }

    private init?(_ object: JSON, among objects: [JSON]) {
        guard let kind = object["kind"]?.stringValue, Self.kinds.contains(kind), let spec = object["spec"],
            let template = spec["template"], template["spec"] != nil
        else { return nil }
        self.kind = kind
        self.spec = spec
        self.template = template
        name = object["metadata"]?["name"]?.stringValue ?? "unnamed"
        namespace = Self.namespace(of: object)
        others = objects
    }

    private static func namespace(of object: JSON) -> String {
        object["metadata"]?["namespace"]?.stringValue ?? "default"
    }

    private var pod: JSON { template["spec"] ?? .null }
    private var containers: [JSON] { pod["containers"]?.arrayValue ?? [] }

    private func eachContainer(_ holds: (JSON) -> Bool) -> Bool { !containers.isEmpty && containers.allSatisfy(holds) }

    // MARK: What it has

    func probe(_ name: String) -> Bool { eachContainer { $0[name]?.objectValue?.isEmpty == false } }

    /// A limit of the processor's time only slows: it is not asked for.
    var hasResources: Bool {
        eachContainer { container in
            let resources = container["resources"]
            return resources?["requests"]?["cpu"] != nil && resources?["requests"]?["memory"] != nil
                && resources?["limits"]?["memory"] != nil
        }
    }

    /// At any time; Kubernetes' own default is 1.
    var replicas: Int {
        let scaler = others.first { other in
            let target = other["spec"]?["scaleTargetRef"]
            return other["kind"] == "HorizontalPodAutoscaler" && target?["kind"]?.stringValue == kind
                && target?["name"]?.stringValue == name && Self.namespace(of: other) == namespace
        }
        return Int((scaler.map { $0["spec"]?["minReplicas"] ?? 1 } ?? spec["replicas"])?.integerValue ?? 1)
    }

    var hasBudget: Bool { isSelected(by: "PodDisruptionBudget", "selector") }
    var hasNetworkPolicy: Bool { isSelected(by: "NetworkPolicy", "podSelector") }

    var isSpread: Bool {
        let constraints = pod["topologySpreadConstraints"]?.arrayValue ?? []
        return !constraints.isEmpty || pod["affinity"]?["podAntiAffinity"]?.objectValue?.isEmpty == false
    }

    /// What Kubernetes calls restricted. https://kubernetes.io/docs/concepts/security/pod-security-standards/
    var isRestricted: Bool {
        eachContainer { container in
            let own = container["securityContext"]
            let pods = pod["securityContext"]
            func either(_ name: String) -> JSON? { own?[name] ?? pods?[name] }
            let seccomp = either("seccompProfile")?["type"]?.stringValue
            return own?["allowPrivilegeEscalation"] == false && own?["privileged"] != true
                && either("runAsNonRoot") == true && own?["capabilities"]?["drop"]?.arrayValue?.contains("ALL") == true
                && (seccomp == "RuntimeDefault" || seccomp == "Localhost")
        }
    }

    var hasReadOnlyRoot: Bool { eachContainer { $0["securityContext"]?["readOnlyRootFilesystem"] == true } }

    /// Requests still come for a moment after a pod was told to end.
    var leavesGracefully: Bool { eachContainer { $0["lifecycle"]?["preStop"] != nil } }

    /// By digest, or by a tag that is not `latest`.
    var hasPinnedImage: Bool {
        eachContainer { container in
            guard let image = container["image"]?.stringValue else { return false }
            let last = image.split(separator: "/").last ?? ""
            return image.contains("@sha256:") || (last.contains(":") && !last.hasSuffix(":latest"))
        }
    }

    private func isSelected(by kind: String, _ selector: String) -> Bool {
        let labels = template["metadata"]?["labels"]
        return others.contains { other in
            guard other["kind"]?.stringValue == kind, Self.namespace(of: other) == namespace,
                let selector = other["spec"]?[selector]?.objectValue, selector["matchExpressions"] == nil
            else { return false }
            return (selector["matchLabels"]?.objectValue ?? JSONObject()).allSatisfy { labels?[$0.key] == $0.value }
        }
    }
}
