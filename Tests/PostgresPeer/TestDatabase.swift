public import Database
import Foundation

/// The databases of the services' tests: in memory, or with `SOUK_TEST_DATABASE=postgres` a schema each on a server of
/// their own.
public enum TestDatabase {
    public static let isOnPostgres = ProcessInfo.processInfo.environment["SOUK_TEST_DATABASE"] == "postgres"

    /// An empty one.
    public static func open() async throws -> any Database {
        guard isOnPostgres else { return try await SQLiteDatabase.open(path: SQLiteDatabase.inMemory) }
        var options = PostgresDatabase.Options()
        options.readers = 1  // hundreds of tests run at once
        return try await PostgresDatabase.open(
            url: PostgresPeer.shared.get().url, schema: PostgresPeer.schema(), options: options)
    }
}
