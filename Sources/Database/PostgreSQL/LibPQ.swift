import CPostgreSQL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// PostgreSQL's client library, loaded when the first PostgreSQL database is opened: linked to it, the binary would not
/// start where it is not installed, though a shop on SQLite needs nothing of it.
struct LibPQ: Sendable {
    typealias Connection = OpaquePointer
    typealias Result = OpaquePointer
    typealias Text = UnsafePointer<CChar>
    typealias Texts = UnsafePointer<UnsafePointer<CChar>?>
    typealias Numbers = UnsafePointer<Int32>
    typealias Types = UnsafePointer<Oid>
    typealias Options = UnsafeMutablePointer<PQconninfoOption>
    typealias NoticeReceiver = @convention(c) (UnsafeMutableRawPointer?, Result?) -> Void

    let conninfoParse: @convention(c) (Text?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Options?
    let conndefaults: @convention(c) () -> Options?
    let conninfoFree: @convention(c) (Options?) -> Void
    let freemem: @convention(c) (UnsafeMutableRawPointer?) -> Void

    let connect: @convention(c) (Texts?, Texts?, Int32) -> Connection?
    let finish: @convention(c) (Connection?) -> Void
    let status: @convention(c) (Connection?) -> ConnStatusType
    let errorMessage: @convention(c) (Connection?) -> Text?
    let socket: @convention(c) (Connection?) -> Int32
    let serverVersion: @convention(c) (Connection?) -> Int32
    let setNonblocking: @convention(c) (Connection?, Int32) -> Int32
    let setNoticeReceiver: @convention(c) (Connection?, NoticeReceiver?, UnsafeMutableRawPointer?) -> NoticeReceiver?

    let enterPipeline: @convention(c) (Connection?) -> Int32
    let exitPipeline: @convention(c) (Connection?) -> Int32
    let pipelineSync: @convention(c) (Connection?) -> Int32
    let flush: @convention(c) (Connection?) -> Int32
    let consumeInput: @convention(c) (Connection?) -> Int32
    let isBusy: @convention(c) (Connection?) -> Int32
    let getResult: @convention(c) (Connection?) -> Result?

    let putCopyData: @convention(c) (Connection?, Text?, Int32) -> Int32
    let putCopyEnd: @convention(c) (Connection?, Text?) -> Int32
    let getCopyData: @convention(c) (Connection?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, Int32) -> Int32

    let sendQuery: @convention(c) (Connection?, Text?) -> Int32
    let sendPrepare: @convention(c) (Connection?, Text?, Text?, Int32, Types?) -> Int32
    let sendDescribe: @convention(c) (Connection?, Text?) -> Int32
    let sendPrepared: @convention(c) (Connection?, Text?, Int32, Texts?, Numbers?, Numbers?, Int32) -> Int32
    let sendParams: @convention(c) (Connection?, Text?, Int32, Types?, Texts?, Numbers?, Numbers?, Int32) -> Int32

    let clear: @convention(c) (Result?) -> Void
    let resultStatus: @convention(c) (Result?) -> ExecStatusType
    let errorField: @convention(c) (Result?, Int32) -> Text?
    let commandTag: @convention(c) (Result?) -> Text?
    let commandTuples: @convention(c) (Result?) -> Text?
    let parameterCount: @convention(c) (Result?) -> Int32
    let parameterType: @convention(c) (Result?, Int32) -> Oid
    let rowCount: @convention(c) (Result?) -> Int32
    let columnCount: @convention(c) (Result?) -> Int32
    let columnType: @convention(c) (Result?, Int32) -> Oid
    let isNull: @convention(c) (Result?, Int32, Int32) -> Int32
    let length: @convention(c) (Result?, Int32, Int32) -> Int32
    let value: @convention(c) (Result?, Int32, Int32) -> UnsafeMutablePointer<CChar>?

    /// - Throws: `cannotOpen`, saying what to install.
    static func load() throws -> LibPQ { try shared.get() }

    private static let shared = Swift.Result { try LibPQ() }

    #if canImport(Darwin)
    private static let names = ["libpq.5.dylib", "/opt/homebrew/opt/libpq/lib/libpq.5.dylib"]
    #else
    private static let names = ["libpq.so.5"]
    #endif

    private init() throws {
        guard let library = Self.names.lazy.compactMap({ dlopen($0, RTLD_NOW) }).first else {
            throw DatabaseError.cannotOpen(
                path: "postgres:", reason: "PostgreSQL's client library is missing: install it (libpq5)")
        }
        func find<Function>(_ name: String) throws -> Function {
            guard let symbol = dlsym(library, name) else {
                throw DatabaseError.cannotOpen(
                    path: "postgres:",
                    reason: "PostgreSQL's client library lacks \(name): version 14 or newer is needed")
            }
            // The types above are those of libpq-fe.h; a C function is found by name alone.
            return unsafeBitCast(symbol, to: Function.self)
        }
        conninfoParse = try find("PQconninfoParse")
        conndefaults = try find("PQconndefaults")
        conninfoFree = try find("PQconninfoFree")
        freemem = try find("PQfreemem")
        connect = try find("PQconnectdbParams")
        finish = try find("PQfinish")
        status = try find("PQstatus")
        errorMessage = try find("PQerrorMessage")
        socket = try find("PQsocket")
        serverVersion = try find("PQserverVersion")
        setNonblocking = try find("PQsetnonblocking")
        setNoticeReceiver = try find("PQsetNoticeReceiver")
        enterPipeline = try find("PQenterPipelineMode")
        exitPipeline = try find("PQexitPipelineMode")
        pipelineSync = try find("PQpipelineSync")
        flush = try find("PQflush")
        consumeInput = try find("PQconsumeInput")
        isBusy = try find("PQisBusy")
        getResult = try find("PQgetResult")
        putCopyData = try find("PQputCopyData")
        putCopyEnd = try find("PQputCopyEnd")
        getCopyData = try find("PQgetCopyData")
        sendQuery = try find("PQsendQuery")
        sendPrepare = try find("PQsendPrepare")
        sendDescribe = try find("PQsendDescribePrepared")
        sendPrepared = try find("PQsendQueryPrepared")
        sendParams = try find("PQsendQueryParams")
        clear = try find("PQclear")
        resultStatus = try find("PQresultStatus")
        errorField = try find("PQresultErrorField")
        commandTag = try find("PQcmdStatus")
        commandTuples = try find("PQcmdTuples")
        parameterCount = try find("PQnparams")
        parameterType = try find("PQparamtype")
        rowCount = try find("PQntuples")
        columnCount = try find("PQnfields")
        columnType = try find("PQftype")
        isNull = try find("PQgetisnull")
        length = try find("PQgetlength")
        value = try find("PQgetvalue")
    }
}
