import Base
import Foundation
import Scoring
import Terminal

/// `impactiq model sign`.
enum ModelSignCommand: Command {
    static let specification = CommandSpecification(
        "sign", "Sign a model file: a detached Ed25519 signature in MODEL.sig",
        discussion: """
            'openssl genpkey -algorithm ed25519 -out private.pem' makes a key, 'openssl pkey -in private.pem -pubout -out \
            public.pem' its public part. With model.public.key=public.pem (or --public-key) a model is used only with its \
            signature. 'openssl pkeyutl -verify -rawin' takes the signature too.
            """,
        options: [.value("key", "FILE", "The private key, in PEM", required: true)],
        arguments: [.init("MODEL", "The model file")],
        examples: [.init("impactiq model sign spring.model --key private.pem", "writes spring.model.sig")])

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("key") else { throw command.invalid("key", "name the private key") }
        let key = try Ed25519.privateKey(path: path)
        let signature = try ModelSignature.sign(command.arguments[0], key: key)
        Terminal.Stream.output.write("\(signature): signed by key \(key.fingerprint)\n")
    }
}

/// `impactiq model verify`.
enum ModelVerifyCommand: Command {
    static let specification = CommandSpecification(
        "verify", "Check that a model file is whole and signed by the owner of a key",
        options: [.value("public-key", "FILE", "The public key, in PEM", required: true)],
        arguments: [.init("MODEL", "The model file")],
        examples: [.init("impactiq model verify spring.model --public-key public.pem", "status 0 when it is")])

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("public-key") else {
            throw command.invalid("public-key", "name the public key")
        }
        let key = try Ed25519.publicKey(path: path)
        let model = try Model.open(path: command.arguments[0], key: key)
        Terminal.Stream.output.write(
            "\(model.path): whole (sha256 \(model.sha256)), signed by key \(key.fingerprint)\n")
    }
}

/// The public key of commands that read no configuration.
enum ModelKey {
    static let environment = "IMPACTIQ_MODEL_PUBLIC_KEY"
    static let option = CommandSpecification.Option.value(
        "public-key", "FILE",
        "Use a model only with a signature of this public key (PEM); \(environment) when not given")

    /// Opens the model that the command names, with its signature when a key is given.
    static func open(_ path: String, _ command: ParsedCommand) throws -> Model {
        let file = command.text("public-key") ?? ProcessInfo.processInfo.environment[environment]
        guard let file, !file.isEmpty else { return try Model.open(path: path) }
        return try Model.open(path: path, key: try Ed25519.publicKey(path: file))
    }
}
