import Base
import TestSupport
import Testing

@Suite("Secrets")
struct SecretsTests {
    @Test(
        "Keys of secrets, also misspelt, of librdkafka's and other programs' making",
        arguments: [
            "kafka.sasl.password", "ssl.key.password", "ssl.keystore.password", "kafka.sasl.pasword", "SASL_PASSWORD",
            "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "sasl.oauthbearer.extensions",
            "sasl.oauthbearer.token.endpoint.url", "sasl.kerberos.kinit.cmd", "sasl.jaas.config", "ssl.key.pem",
            "kafka.sasl.passwrod", "sasl.secert", "enable.sasl.oauthbearer.unsecure.jwt", "db.pwd", "api.key",
            "private.key", "passphrase", "sslpassword",
        ])
    func secretKeys(name: String) { #expect(Secrets.isSecret(name)) }

    @Test(
        "Keys that people must see",
        arguments: [
            "bootstrap.servers", "security.protocol", "sasl.username", "sasl.mechanism", "ssl.ca.location",
            "ssl.key.location", "ssl.certificate.location", "session.timeout.ms", "socket.keepalive.enable",
            "sasl.oauthbearer.method", "input.key", "isolation.level",
            "workers",
        ])
    func openKeys(name: String) { #expect(!Secrets.isSecret(name)) }

    @Test("Whatever the secret and wherever it stands, it is not shown: generated names, values and forms")
    func generated() {
        var random = SeededGenerator.announced()
        let words = ["password", "secret", "token", "passphrase", "private.key", "credential"]
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%!$")
        for _ in 0..<2_000 {
            let secret =
                "zq"
                + String(
                    (0..<Int.random(in: 4...20, using: &random)).map { _ in
                        letters.randomElement(using: &random) ?? "x"
                    })
            var word = words.randomElement(using: &random) ?? "password"
            // A slip of the hand: two neighbours swapped.
            if Bool.random(using: &random), word.utf8.count >= 8 {
                var bytes = Array(word)
                let place = Int.random(in: 1..<bytes.count - 2, using: &random)
                bytes.swapAt(place, place + 1)
                word = String(bytes)
            }
            let key =
                ["kafka.sasl.\(word)", "kafka.ssl.\(word)", word.uppercased(), "\(word).x"]
                .randomElement(using: &random) ?? word
            #expect(!Secrets.masked(key, secret).contains(secret), "\(key)")
            let forms = [
                "postgresql://scores:\(secret)@db:5432/x", "postgresq://scores:\(secret)@db/x",
                "postgresql:/scores:\(secret)@db/x", "postgresql//scores:\(secret)@db/x",
                "postgresql://scores@db/x?sslmode=require&\(word)=\(secret)&a=b",
                "host=db user=scores \(word)=\(secret) dbname=x",
            ]
            for form in forms where form.contains(word) || form.contains("@") {
                #expect(!Secrets.masked("log.store", form).contains(secret), "\(form)")
            }
            // libpq takes a ? in a password, and decodes the names of a query; a bare / or @ is a mistake that people make.
            let hard = secret + (["?", "@", "/", "?/", "/@?"].randomElement(using: &random) ?? "?") + secret
            for form in [
                "postgresql://u:\(hard)@db:5432/x", "postgresql://u:\(hard)@db/x?application_name=a@b",
                "postgresql://u@db/x?pass%77ord=\(secret)", "postgresql://u@db/x?%73slpassword=\(secret)&a=b",
                "-----BEGIN PRIVATE KEY-----\n\(secret)\n-----END PRIVATE KEY-----",
            ] {
                #expect(!Secrets.masked("log.store", form).contains(secret), "\(form)")
            }
            for argument in ["\(key)=\(secret)", "\(key):\(secret)", "log.store=\(forms[0])"] {
                #expect(!Secrets.masked(commandLine: [argument])[0].contains(secret), "\(argument)")
            }
        }
    }

    @Test(
        "What holds no secret stays as it is",
        arguments: [
            "", "events", "sqlite:scores.db", "postgresql://scores@db:5432/impactiq", "localhost:9092,other:9093",
            "https://example.org/a?b=c", "/etc/ssl/ca.pem", "a=b",
            "postgresql://db:5432/x?application_name=a@b", "postgresql://scores@db/x?application_name=a:b@c",
        ])
    func unchanged(text: String) {
        #expect(Secrets.masked("log.store", text) == text)
        #expect(Secrets.masked(commandLine: [text]) == [text])
    }
}

@Suite("Text for terminals")
struct PrintableTests {
    @Test("Control characters are escaped, letters of every script are not")
    func escapes() {
        #expect("\u{1B}[31mred\u{7}".printable() == "\\u{1b}[31mred\\u{7}")
        #expect("a\nb\tc".printable() == "a\\u{a}b\\u{9}c")
        #expect("a\nb".printable(keepsLines: true) == "a\nb")
        #expect("\u{202E}abc\u{9B}".printable() == "\\u{202e}abc\\u{9b}")
        for text in ["", "u-17", "Müller", "名前", "🙂", "שלום"] { #expect(text.printable() == text) }
    }
}

@Suite("Conversions of untrusted numbers")
struct SaturatingConversionTests {
    @Test("Every Double becomes an Int: its whole part, or the nearest there is")
    func conversions() {
        #expect(Int(saturating: 1e300) == .max)
        #expect(Int(saturating: -.infinity) == .min)
        #expect(Int(saturating: .nan) == 0)
        #expect(Int(saturating: -2.9) == -2)
        #expect(UInt8(saturating: 255.9) == 255)
        #expect(UInt8(saturating: -1) == 0)
        #expect(Int64(saturating: 9.3e18) == .max)
        var random = SeededGenerator.announced()
        for _ in 0..<1_000 {
            let value = Double(bitPattern: random.next())
            let number = Int(saturating: value)
            if abs(value) < 1e15 { #expect(Double(number) == value.rounded(.towardZero)) }
        }
    }

    @Test("A cursor gives nothing beyond the end")
    func cursor() {
        let bytes: [UInt8] = [1, 0, 0, 0, 9, 8, 7]
        bytes.withUnsafeBytes { bytes in
            var cursor = ByteCursor(bytes)
            #expect(cursor.integer(UInt32.self) == 1)
            #expect(cursor.bytes(-1) == nil)
            #expect(cursor.bytes(4) == nil)
            #expect(cursor.bytes(Int.max) == nil)
            #expect(cursor.integer(UInt64.self) == nil)
            #expect(cursor.bytes(3).map { Array($0) } == [9, 8, 7])
            #expect(cursor.isAtEnd)
        }
    }

    @Test("Messages show no password, wherever the address stands, and stay what they are otherwise")
    func messages() {
        let secret = "s3cretZZ"
        for message in [
            "cannot open postgresql://u:\(secret)@127.0.0.1:1/db: No such file",
            "cannot read 'mysql://u:\(secret)@h/db'",
            "unknown option '--postgresql://u:\(secret)@h/db'", "cannot open -----BEGIN PRIVATE KEY-----\(secret)",
            "Broker name \"SASL_SSL://u:\(secret)@h:9092\" parse error", "u:\(secret)@h is not a host name",
            "cannot open https://h/m?X-Amz-Signature=\(secret)&a=b", "no file https://h/m?sig=\(secret)",
            "there is no file host=h password=\(secret)", "sqlite:x?cipher_key=\(secret) is not there",
            "log.format=Bearer \(secret): must be text",
        ] {
            let shown = Secrets.masked(message: message)
            #expect(!shown.contains(secret), "\(shown)")
            #expect(shown.hasPrefix(message.prefix(2)), "\(shown)")
        }
        for message in [
            "http.token.file=/run/token: cannot be read; make one with: (umask 077; openssl rand -hex 32 > /run/token)",
            "h4-ev [0]: it was read up to offset 5@1795 at 12:30:00",
            "no broker answers at sasl_ssl://a.example.com:9092/1",
            "send the header Authorization: Bearer TOKEN", "GET /v1/live?limit=3 of http://127.0.0.1:8080/v1?id=a",
        ] { #expect(Secrets.masked(message: message) == message) }
    }
}
