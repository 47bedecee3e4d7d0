#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

/// Starts a thread of the system's, which ends when the body does: SQL blocks, and must not block the cooperative pool.
public func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    let argument = Unmanaged.passRetained(Body(name: name, run: body)).toOpaque()
    #if canImport(Darwin)
    var thread: pthread_t?
    let code = pthread_create(&thread, nil, { enter($0) }, argument)
    if code == 0, let thread { pthread_detach(thread) }
    #else
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, { enter($0) }, argument)
    if code == 0 { pthread_detach(thread) }
    #endif
    precondition(code == 0, "no thread can be started for \(name): \(String(cString: strerror(code)))")
}

private func enter(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
    #if canImport(Darwin)
    pthread_setname_np(body.name)
    #else
    // What pthread_setname_np does, which Glibc hides from Swift. The system keeps 15 characters.
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    if descriptor >= 0 {
        _ = write(descriptor, body.name, body.name.utf8.count)
        close(descriptor)
    }
    #endif
    body.run()
    return nil
}

/// The calling thread no longer interrupts a running one when it wakes up. On a busy core the writer then starts once
/// the others have handed over what they have, and one commit carries more (measured on one core with 32 tasks: 25 %
/// less work for an order); on an idle core it starts at once as before. Where the system forbids it, nothing is lost.
public func yieldToOthersOnWakeUp() {
    #if os(Linux)
    var parameters = sched_param()
    let batch: Int32 = 3  // SCHED_BATCH, which Glibc hides from Swift
    sched_setscheduler(0, batch, &parameters)
    #endif
}

/// Those who wait for the calling thread's core run first.
public func letOthersRun() { sched_yield() }

/// The calling thread works behind the others: on a busy core it gets a few percent, on an idle one all it wants. For
/// what may wait while a crowd buys. It cannot be taken back.
public func workBehindOthers() {
    #if os(Linux)
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 15)  // On Linux 0 is the calling thread alone.
    #endif
}

/// The calling thread gets an error, and is not killed, when it writes to a connection whose other end is gone. For C
/// libraries that do not ask for that themselves.
public func ignoreBrokenPipes() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
}
