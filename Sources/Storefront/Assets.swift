import Crypto

/// The style sheet, the script and the drawings, each under a name that contains its content's hash: a browser may keep
/// it for ever, because another content has another name.
struct Assets: Sendable {
    struct Asset: Sendable {
        let path: String
        let contentType: String
        let bytes: [UInt8]
    }

    let style = Self.asset("souk", "css", "text/css; charset=utf-8", PackageResources.souk_css)
    let script = Self.asset("souk", "js", "text/javascript; charset=utf-8", PackageResources.souk_js)
    let icons = Self.asset("icons", "svg", "image/svg+xml", PackageResources.icons_svg)
    let mark = Self.asset("mark", "svg", "image/svg+xml", PackageResources.mark_svg)

    var all: [Asset] { [style, script, icons, mark] }

    private static func asset(_ name: String, _ ending: String, _ type: String, _ bytes: [UInt8]) -> Asset {
        let hash = SHA256.hash(data: bytes).prefix(6).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return Asset(path: "/assets/\(name).\(hash.joined()).\(ending)", contentType: type, bytes: bytes)
    }
}
