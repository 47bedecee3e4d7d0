public import Kernel
public enum OpenAPI {
    public static func document(_ routes: [EndpointDescription], version: String) -> JSON { ["openapi": "3.1.0"] }
}
