import Kernel

/// What a password must not be. Length is the schema's matter; no rules on its characters, as NIST SP 800-63B advises.
enum PasswordPolicy {
    static func check(_ password: String, email: String) throws(Problem) {
        let folded = password.lowercased()
        if common.contains(folded) || Set(folded.unicodeScalars).count < 3 {
            throw .invalid("/password", "is among the first that anybody would try, choose another one")
        }
        if folded == email.lowercased() {
            throw .invalid("/password", "is the address itself, choose another one")
        }
    }

    /// The most used ones of lists that leaked, among those long enough for the schema.
    private static let common: Set<String> = [
        "1234567890", "0123456789", "9876543210", "0987654321", "12345678910", "123456789a", "a123456789", "123456789q",
        "q123456789", "1234567891", "12345678900", "123123123123", "1231231231", "1122334455", "123321123321",
        "12345123451", "123456123456", "password12", "password123", "password1234", "password12345", "password123456",
        "passwordpassword", "mypassword", "mypassword1", "p@ssword123", "p@ssw0rd123", "passw0rd123", "password!!",
        "password123!", "qwertyuiop", "qwertyuiop1", "qwertyuiop123", "qwerty1234", "qwerty12345", "qwerty123456",
        "qwertyqwerty", "1q2w3e4r5t", "1q2w3e4r5t6y", "1qaz2wsx3edc", "q1w2e3r4t5", "q1w2e3r4t5y6", "qazwsxedcrfv",
        "zaq12wsxcde3", "zxcvbnm123", "zxcvbnm,./", "asdfghjkl;", "asdfghjkl1", "asdfghjkl123", "abcdefghij",
        "abcdefghijk", "abc123abc123", "abcd123456", "abcd1234567", "abc1234567", "a1b2c3d4e5", "aa12345678",
        "iloveyou12", "iloveyou123", "iloveyou1234", "iloveyou!!", "letmein123", "letmein1234", "welcome123",
        "welcome1234", "administrator", "admin12345", "admin123456", "administrator1", "changeme123", "changeme1234",
        "superman123", "batman12345", "football123", "baseball123", "basketball", "basketball1", "liverpool1",
        "liverpool123", "manchester", "manchester1", "chelsea123", "arsenal123", "sunshine123", "princess123",
        "princess12", "butterfly1", "chocolate1", "strawberry", "christopher", "elizabeth1", "jordan2323",
        "michael123", "charlie123", "pokemon123", "starwars123", "minecraft1", "minecraft123", "trustno1trustno1",
        "whatever123", "computer123", "internet123", "samsung123", "monkey12345", "dragon12345", "master12345",
        "shadow12345", "hello12345", "helloworld", "helloworld1", "secret12345", "september1", "november11",
        "correcthorsebatterystaple", "correct horse battery staple",
    ]
}
