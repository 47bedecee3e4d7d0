import Kernel

/// An answer that is no success, read: S3 says why in XML, gateways and proxies before it in anything.
struct S3Refusal {
    let answer: OutboundAnswer
    /// S3's own word, `SlowDown`; empty where the answer has none.
    let code: String
    let message: String
    private let region: String?

    init(_ answer: OutboundAnswer) {
        let tree = try? XMLTree(answer.body)
        self.answer = answer
        code = tree?.name == "Error" ? String((tree?.first("Code")?.text ?? "").prefix(100)) : ""
        message = String((tree?.first("Message")?.text ?? "").prefix(S3Client.maxMessageCharacters))
        region = answer.headers["x-amz-bucket-region"] ?? tree?.first("Region")?.text
    }

    /// What to do about it: a `Fault`, or an `S3Error` that is final.
    func fault(of request: String, from url: S3URL, with credentials: AWSCredentials) -> any Error {
        let refused = S3Error.refused(request: request, status: answer.status, code: code, message: message)
        switch (answer.status, code) {
        case (429, _), (500, _), (502...504, _), (400, "RequestTimeout"):
            let reason = "\(answer.status) \(code)"
            return S3Client.Fault.passing(S3Error.unavailable(request: request, reason: reason))
        case (403, "RequestTimeTooSkewed"):
            guard let time = answer.headers["date"].flatMap(Timestamp.init(httpDate:)) else { return refused }
            return S3Client.Fault.skewed(serverTime: time)
        case (400, "ExpiredToken"), (400, "TokenRefreshRequired"), (403, "ExpiredToken"):
            return S3Client.Fault.stale(credentials, refused)
        case (301, _), (307, _), (400, "AuthorizationHeaderMalformed"):
            guard region != url.region else { return refused }
            return S3Error.wrongRegion(bucket: url.bucket, region: url.region, actual: region)
        case (404, "NoSuchBucket"): return S3Error.noSuchBucket(url.bucket)
        case (403, "AccessDenied"): return S3Error.accessDenied(request: request, message: message)
        default: return refused
        }
    }
}

extension Timestamp {
    /// Reads RFC 9110's preferred form of a date, `Sun, 06 Nov 1994 08:49:37 GMT`; nil otherwise.
    init?(httpDate text: String) {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let monthDigits = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        self.init(rfc3339: "\(parts[3])-\(monthDigits)-\(parts[1])T\(parts[4])Z")
    }
}
