import Base
import Features
import Foundation

/// How much of a model file is checked when it is opened.
///
/// A boolean works too: `true` is `.checksum`, `false` is `.structure`.
package enum ModelCheck: Sendable, ExpressibleByBooleanLiteral {
    /// Nothing beyond the directory: opening takes a fraction of a millisecond whatever the size. Only for a file that
    /// this machine has checked before and that nobody else can write: the kernels trust its tiles.
    case trusted
    /// Every tile: whatever its bits are, the file cannot make a kernel read outside it or go on for ever. About 1 ms
    /// for 10 MB of tiles.
    case structure
    /// Every tile and the SHA-256 of the whole content, about 3 ms per megabyte. The default.
    case checksum

    package init(booleanLiteral verify: Bool) { self = verify ? .checksum : .structure }
}

/// A causal forest in a memory-mapped file, with its names, feature specification and provenance.
///
/// Immutable and shared by all threads; each thread scores with a `Scorer` of its own.
package final class Model: Sendable {
    package let path: String
    package let name: String
    package let version: String
    /// SHA-256 of the file's content, in hexadecimal: what `tail -c +4097 FILE | sha256sum` prints.
    package let sha256: String
    /// Names of the features, in the order of a row.
    package let featureNames: [String]
    /// Names of the treatments (arms other than the control), and of the outcomes.
    package let treatments: [String]
    package let outcomes: [String]
    /// What a missing (NaN) value in a row does.
    package let missingValues: MissingValues
    /// The feature specification as canonical JSON; empty when the model was imported without one.
    package let specificationJSON: [UInt8]
    /// How the features follow from events; nil when the model was imported without that and can score rows only.
    package let specification: FeatureSpecification?
    /// Where the forest comes from, a JSON object as text.
    package let provenance: String
    /// How much of the file was checked when it was opened.
    package let check: ModelCheck

    /// How the effects follow from several forests and linear parts; nil: one causal forest an outcome.
    package let composition: Composition?
    /// Whether the model predicts the outcome itself (a probability or an amount), not the effect of a treatment on it.
    package let isResponse: Bool
    /// Whether every prediction of a response model is a probability.
    package let predictsProbabilities: Bool

    /// One a feature: the texts of a category; nil for a number.
    package let categories: [CategoryCodes?]

    let description: ModelDescription
    let forests: [LoadedForest]
    let file: MappedFile

    /// What values each feature had in training; nil when the model's maker did not say.
    package var ranges: [FeatureRange]? { description.ranges }
    /// One an outcome: what is added to its forest's effects; nil: nothing.
    package var offsets: [EffectOffset?] { description.offsets ?? .init(repeating: nil, count: outcomes.count) }
    /// Features a row.
    package var featureCount: Int { featureNames.count }
    /// Floats from one row to the next: the feature count rounded up to a multiple of 16.
    package var rowStride: Int { (featureCount + 15) / 16 * 16 }
    /// Effects a row: treatments × outcomes.
    package var effectCount: Int { treatments.count * outcomes.count }
    /// `causal-forest`, `response`, `t-learner` …
    package var kind: String { composition?.kind ?? "causal-forest" }
    /// Features that the trees see: after preprocessing, if there is any.
    package var treeFeatureCount: Int { composition?.preprocessing?.outputCount ?? featureCount }
    /// Bytes of the file.
    package var byteCount: Int { file.bytes.count }

    /// Where the effect of a treatment on an outcome stands among a row's estimates (treatment-major).
    package func effectIndex(treatment: Int, outcome: Int) -> Int { treatment * outcomes.count + outcome }

    /// Opens a model file, or what stands at a stage of the registry (`name@stage`, see `ModelRegistry`).
    ///
    /// - Throws: `file_not_readable`; `foreign_model`, `truncated_model`, `damaged_model`, `unknown_model_version`,
    ///   `checksum_mismatch` with the reason; `unknown_kernel` when IMPACTIQ_KERNEL names none.
    /// - Parameter key: the model is opened only with a signature of this key: else `model_not_signed`, `model_signature`.
    package static func open(
        path: String, verify: ModelCheck = .checksum, key: Ed25519? = nil
    ) throws(ImpactError) -> Model {
        _ = try Kernel.selected()
        let registry = ModelRegistry()
        let found = try registry.find(path)
        let path = found.path
        let file = try MappedFile(path: path)
        if let key { try ModelSignature.check(file.bytes, path: path, key: key) }
        let model: Model
        do throws(ImpactError) {
            model = try Model(file, path: path, check: verify)
        } catch {
            throw ImpactError(error.kind, code: error.code, "\(path) \(error.message)")
        }
        if let name = found.name, let version = found.version {
            try registry.check(model, name: name, version: version)
        }
        return model
    }

    private init(_ file: MappedFile, path: String, check: ModelCheck) throws(ImpactError) {
        let header = try ModelFormat.Header.read(file.bytes)
        if check == .checksum { try Self.verify(file.bytes, header.digest) }
        let directory = try ModelFormat.Directory.read(file.bytes, version: header.version)
        func text(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }
        description = try ModelDescription.read(text(directory.metadata), directory)
        forests = try directory.load(file.bytes, checkTiles: check != .trusted)
        provenance = String(decoding: text(directory.provenance), as: UTF8.self)
        specificationJSON = Array(text(directory.specification))
        specification = try Self.specification(specificationJSON, names: description.features)
        missingValues = directory.missing
        name = description.name
        version = description.version
        featureNames = description.features
        treatments = description.treatments
        outcomes = description.outcomes ?? description.forests.map(\.outcome)
        composition = description.composition
        let (inputs, levels) = (composition?.preprocessing?.inputs, description.levels)
        categories = description.features.indices.map { feature in
            (inputs?[feature].levels ?? levels?[feature]).map { CategoryCodes($0) }
        }
        isResponse = composition?.kind == Composition.response
        predictsProbabilities = isResponse && composition?.givesProbabilities ?? false
        sha256 = SHA256.hex(header.digest)
        self.path = path
        self.check = check
        self.file = file
    }

    private static func specification(_ json: [UInt8], names: [String]) throws(ImpactError) -> FeatureSpecification? {
        guard !json.isEmpty else { return nil }
        let specification = try FeatureSpecification(json: json, name: "holds a feature specification that")
        guard specification.names == names else {
            throw ModelFormat.refusal("damaged_model", "holds a feature specification of other features")
        }
        return specification
    }

    private static func verify(_ file: UnsafeRawBufferPointer, _ digest: [UInt8]) throws(ImpactError) {
        let sum = SHA256()
        sum.update(UnsafeRawBufferPointer(rebasing: file[ModelFormat.headerBytes...]))
        guard sum.finalize() == digest else {
            throw ModelFormat.refusal(
                "checksum_mismatch", "is damaged: its SHA-256 is not the one in its header; copy or import it again")
        }
    }
}
