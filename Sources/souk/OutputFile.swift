#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file that is opened before the work whose result it takes, so that a wrong name costs no work. What was in it
/// stays until then.
struct OutputFile {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    }

    /// Once.
    func write(_ text: String) throws {
        guard ftruncate(descriptor, 0) == 0 || errno == EINVAL else {
            throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        Console.write(text, to: descriptor)
        guard close(descriptor) == 0 else {
            throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
    }
}
