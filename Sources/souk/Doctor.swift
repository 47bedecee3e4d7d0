import ArgumentParser
import Database
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the surroundings and say what to do.",
        discussion: """
            Exit code 1 if something is wanting.

            Example:
              souk doctor --data /srv/souk
            """)

    @OptionGroup var options: DataOptions
    @Flag(help: "Print as JSON.") var json = false

    struct Finding: Codable {
        var check: String
        var ok: Bool
        var detail: String
        /// What to do about it.
        var advice: String?
    }

    func run() async throws {
        var findings: [Finding] = []
        do {
            let settings = try await options.settings()
            findings.append(Finding(check: "settings", ok: true, detail: "\(settings.report.count) settings are right"))
            findings.append(folder(settings.data))
            findings.append(space(settings.data))
            findings.append(await port(settings))
            findings.append(openFiles(settings.maximumConnections))
        } catch let error as SettingsError {
            findings.append(
                Finding(
                    check: "settings", ok: false, detail: "\(error)", advice: "`souk config` shows where each is from"))
        }
        if json {
            try Console.print(json: findings)
        } else {
            for finding in findings {
                Console.say("\(finding.ok ? "ok  " : "FAIL") \(finding.check): \(finding.detail)")
                if let advice = finding.advice { Console.say("     \(advice)") }
            }
        }
        if findings.contains(where: { !$0.ok }) { throw ExitCode(1) }
    }

    private func folder(_ path: String) -> Finding {
        do {
            let folder = try DataFolder.claim(path)
            folder.release()
            return Finding(check: "data folder", ok: true, detail: "\(path) can be written and nobody else uses it")
        } catch {
            return Finding(
                check: "data folder", ok: false, detail: "\(error)", advice: "stop the other process, or give --data")
        }
    }

    private func space(_ path: String) -> Finding {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else {
            return Finding(check: "disk", ok: false, detail: "\(path): \(String(cString: strerror(errno)))")
        }
        let mebibytes = (UInt64(information.f_bavail) * UInt64(information.f_frsize)) >> 20
        return Finding(
            check: "disk", ok: mebibytes >= 256, detail: "\(mebibytes) MiB are free at \(path)",
            advice: mebibytes >= 256 ? nil : "orders are refused when the disk is full: make room")
    }

    private func port(_ settings: Settings) async -> Finding {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(settings.port).bigEndian
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        guard inet_pton(AF_INET, settings.host, &address.sin_addr) == 1 else {
            return Finding(check: "port", ok: true, detail: "\(settings.host) is a name, not looked at")
        }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else {
            return Finding(
                check: "port", ok: false,
                detail: "\(settings.host):\(settings.port) cannot be used: \(String(cString: strerror(errno)))",
                advice: "give another SOUK_PORT")
        }
        return Finding(check: "port", ok: true, detail: "\(settings.host):\(settings.port) is free")
    }

    private func openFiles(_ connections: Int) -> Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let ok = limit.rlim_cur >= UInt(connections) + 200
        return Finding(
            check: "open files", ok: true, detail: "\(limit.rlim_cur) may be open at once",
            advice: ok ? nil : "for \(connections) connections raise it: ulimit -n \(connections + 200)")
    }
}
