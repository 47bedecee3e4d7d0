#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Starts a program in a group of its own: Ctrl-C is for the drill, which decides what ends. It reads nothing.
///
/// - Parameters:
///   - output: a descriptor for its standard output.
///   - lock: of a ledger; the program keeps it open while it runs.
/// - Throws: `DrillError` if it cannot be started.
func spawn(
    _ command: [String], environment: [String: String], output: Int32, errors: Int32, lock: Int32? = nil
) throws -> pid_t {
    #if canImport(Darwin)
    var actions: posix_spawn_file_actions_t?
    var attributes: posix_spawnattr_t?
    #else
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    if let lock { posix_spawn_file_actions_adddup2(&actions, lock, 3) }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The drill may have blocked signals that the program must be able to be ended by.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    let arguments = command.map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
    guard code == 0 else { throw DrillError("\(command[0]) cannot be run: \(String(cString: strerror(code)))") }
    return pid
}

/// How a program ended: its exit code, or the negative number of the signal that ended it, as in Python. The macros of
/// <sys/wait.h> are not there for Swift.
func exitCode(_ status: Int32) -> Int32 {
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : -signal
}
