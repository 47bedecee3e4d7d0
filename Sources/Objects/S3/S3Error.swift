public import Kernel

/// What is wrong with S3, its settings, or the way to it.
public enum S3Error: OutageError, Sendable, Equatable {
    /// No credentials are set, or who gives them does not. The reason holds no secret.
    case noCredentials(String)
    /// `request` is a method and the object's `s3://` name, here and below.
    case accessDenied(request: String, message: String)
    case noSuchBucket(String)
    case wrongRegion(bucket: String, region: String, actual: String?)
    /// The server's clock and this machine's differ by so many seconds, and asking with its time did not help.
    case clockSkewed(seconds: Int64)
    /// Any other refusal: what S3 says.
    case refused(request: String, status: Int, code: String, message: String)
    /// No answer, half of one, garbage, or "slow down", until the attempts, the time or the retry budget were used up.
    case unavailable(request: String, reason: String)

    public var isOutage: Bool {
        if case .unavailable = self { true } else { false }
    }
}

extension S3Error: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noCredentials(let reason): "no AWS credentials: \(reason)"
        case .accessDenied(let request, let message):
            "\(request) is denied: \(message); the role needs s3:GetObject, s3:PutObject, s3:DeleteObject and "
                + "s3:ListBucket (without the last one a missing object is denied too)"
        case .noSuchBucket(let bucket): "there is no bucket \(bucket): make it, or correct its name"
        case .wrongRegion(let bucket, let region, let actual):
            "the bucket \(bucket) is not in \(region)" + (actual.map { ": set region=\($0)" } ?? "")
        case .clockSkewed(let seconds):
            "the clocks of S3 and of this machine are \(seconds) seconds apart: set this machine's"
        case .refused(let request, let status, let code, let message):
            "\(request) was refused: \(status) \(code) \(message)"
        case .unavailable(let request, let reason): "\(request): S3 cannot be reached at the moment: \(reason)"
        }
    }
}
