import CCurl

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// libcurl, loaded when the first mail server is named: linked to it, the binary would not start where it is not
/// installed, though a shop that spools its mail needs nothing of it.
struct LibCurl: Sendable {
    typealias Handle = UnsafeMutableRawPointer
    typealias List = UnsafeMutablePointer<curl_slist>
    /// Of any type: `CCurl` has the functions that call it.
    typealias Function = souk_curl_function

    let makeHandle: @convention(c) () -> Handle?
    let freeHandle: @convention(c) (Handle?) -> Void
    let perform: @convention(c) (Handle?) -> CURLcode
    let text: @convention(c) (CURLcode) -> UnsafePointer<CChar>?
    let append: @convention(c) (List?, UnsafePointer<CChar>?) -> List?
    let freeList: @convention(c) (List?) -> Void
    let set: Function
    let get: Function

    /// - Throws: `SMTPError.libraryMissing`, saying what to install.
    static func load() throws(SMTPError) -> LibCurl { try shared.get() }

    private static let shared = Result { () throws(SMTPError) in try LibCurl() }

    #if canImport(Darwin)
    private static let names = ["libcurl.4.dylib", "/usr/lib/libcurl.4.dylib"]
    #else
    private static let names = ["libcurl.so.4", "libcurl-gnutls.so.4"]
    #endif

    private init() throws(SMTPError) {
        guard let library = Self.names.lazy.compactMap({ dlopen($0, RTLD_NOW) }).first else {
            throw .libraryMissing("install libcurl (libcurl4)")
        }
        func find<Function>(_ name: String) throws(SMTPError) -> Function {
            guard let symbol = dlsym(library, name) else {
                throw .libraryMissing("it lacks \(name): version 7.65 or newer is needed")
            }
            // The types above are those of curl.h; a C function is found by name alone.
            return unsafeBitCast(symbol, to: Function.self)
        }
        makeHandle = try find("curl_easy_init")
        freeHandle = try find("curl_easy_cleanup")
        perform = try find("curl_easy_perform")
        text = try find("curl_easy_strerror")
        append = try find("curl_slist_append")
        freeList = try find("curl_slist_free_all")
        set = try find("curl_easy_setopt")
        get = try find("curl_easy_getinfo")
        let start: @convention(c) (Int) -> CURLcode = try find("curl_global_init")
        // CURL_GLOBAL_ALL, a macro that Swift does not see.
        guard start(3) == CURLE_OK else { throw .libraryMissing("it cannot be started") }
    }
}
