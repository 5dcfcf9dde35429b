import Base
import JSON

/// Why a request was not answered as asked: a problem document (RFC 9457).
package struct Problem: Error, Sendable, Equatable {
    /// The status of HTTP.
    package var status: Int
    /// Stable and machine-readable, snake_case; part of the document's `type`.
    package var code: String
    /// What is wrong with this request, and what to do.
    package var detail: String
    /// The member of the request that is at fault, as `rows[3].recency`.
    package var field: String?
    /// Whether the connection cannot go on after it.
    var endsConnection = false

    package init(_ status: Int, _ code: String, _ detail: String, field: String? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
    }

    /// What a status means in general.
    package static func title(_ status: Int) -> String {
        switch status {
        case 400: "The request cannot be read"
        case 401: "A token is needed"
        case 403: "Not allowed"
        case 404: "There is nothing of this name"
        case 405: "The method is not one of this route's"
        case 406: "None of the accepted types can be given"
        case 408: "The request took too long"
        case 413: "The request is too large"
        case 415: "The content type cannot be read"
        case 421: "Another process owns this"
        case 422: "The request can be read, but not answered"
        case 429: "Too many at once"
        case 503: "Not able to answer now"
        default: "The request failed"
        }
    }

    /// Writes the document.
    func write(to out: ByteBuffer) {
        out.append("{\"type\":")
        out.appendJSONString("urn:impactiq:problem:\(code)")
        out.append(",\"title\":")
        out.appendJSONString(Self.title(status))
        out.append(",\"status\":")
        out.append(Int64(status))
        out.append(",\"detail\":")
        out.appendJSONString(detail)
        if let field {
            out.append(",\"field\":")
            out.appendJSONString(field)
        }
        out.append("}")
    }
}

extension Problem {
    /// An error of the product as a problem of the request that met it.
    init(_ error: ImpactError, status: Int = 503) {
        self.init(status, error.code, error.message)
    }

    /// What a scanner found, at a place of the body.
    init(_ error: InputError, field: String? = nil) {
        let place = error.position >= 0 ? " (byte \(error.position) of the body)" : ""
        switch error.code {
        case .invalidJSON, .invalidUTF8, .nestingTooDeep, .notAnObject:
            self.init(400, error.code.name, error.code.explanation + place, field: field)
        default:
            self.init(422, error.code.name, error.code.explanation + place, field: field)
        }
    }
}
