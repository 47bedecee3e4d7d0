#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension Prometheus {
    /// All metrics in Prometheus' text format 0.0.4, families and series in the order of their names.
    public func exposition() -> String {
        let families = families.withLock { $0 }.sorted { $0.key < $1.key }
        let texts = help.withLock { $0 }
        var text = ""
        text.reserveCapacity(64 << 10)
        for (name, family) in families {
            text.appendFamily(name, family.kind, texts[name] ?? Self.help(for: name))
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, labels, to: &text)
            }
        }
        text.appendFamily("souk_metrics_refused_total", .counter, "Series that were not taken in.")
        refused.write("souk_metrics_refused_total", "", to: &text)
        ProcessMetrics.write(to: &text)
        return text
    }

    /// `souk_outbox_lag`: "Souk outbox lag."
    private static func help(for name: String) -> String {
        let words = name.split(separator: "_").joined(separator: " ")
        return words.prefix(1).uppercased() + words.dropFirst() + "."
    }
}

extension String {
    fileprivate mutating func appendFamily(_ name: String, _ kind: Prometheus.Kind, _ help: String) {
        append("# HELP \(name) \(Names.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n")
    }
}

/// What Prometheus' client libraries tell of the process; from /proc, so that elsewhere only the CPU time is told.
private enum ProcessMetrics {
    static func write(to text: inout String) {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        gauge("process_cpu_seconds_total", .counter, "User and system CPU time spent, in seconds.", cpu, &text)
        #if os(Linux)
        if let pages = field(1, of: "/proc/self/statm") {
            let bytes = pages * Double(sysconf(Int32(_SC_PAGESIZE)))
            gauge("process_resident_memory_bytes", .gauge, "Resident memory, in bytes.", bytes, &text)
        }
        if let start = startTime {
            gauge("process_start_time_seconds", .gauge, "Start, in seconds since 1970.", start, &text)
        }
        if let open = openFiles { gauge("process_open_fds", .gauge, "Open file descriptors.", Double(open), &text) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            gauge("process_max_fds", .gauge, "Most file descriptors allowed.", Double(limit.rlim_cur), &text)
        }
        #endif
    }

    private static func gauge(
        _ name: String, _ kind: Prometheus.Kind, _ help: String, _ value: Double, _ text: inout String
    ) {
        text.appendFamily(name, kind, help)
        text.appendSample(name, "", Sample(value: value))
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }

    #if os(Linux)
    /// It does not change, and costs two files to find.
    private static let startTime: Double? = {
        // Fields are counted after the name in parentheses, which may hold spaces; start time is number 22 of all.
        guard let line = read("/proc/self/stat"), let close = line.lastIndex(of: ")"),
            let ticks = line[close...].split(separator: " ").dropFirst(20).first.flatMap({ Double($0) }),
            let boot = read("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let booted = Double(boot.dropFirst(6))
        else { return nil }
        return booted + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()

    private static var openFiles: Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count - 3  // ".", "..", and the directory itself
    }

    private static func field(_ index: Int, of path: String) -> Double? {
        read(path)?.split(separator: " ").dropFirst(index).first.flatMap { Double($0) }
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            while count < buffer.count {
                let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                guard got > 0 else { return }
                count += got
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
    #endif
}
