import Kernel

final class Admission: Sendable {
    enum Outcome { case done, dropped }
    struct Place { }
    init(_ settings: AdmissionSettings) {}
    func enter(_ priority: Priority) async throws -> Place { Place() }
    func leave(_ place: Place, _ outcome: Outcome) {}
}
