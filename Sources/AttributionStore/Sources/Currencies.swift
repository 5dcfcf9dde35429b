import Attribution
import Base
import Foundation

/// The report's currency and the rates of others.
package struct Currencies: Sendable {
    /// nil: the data have one currency, whichever it is.
    package var report: String?
    private var rates: [String: Double] = [:]
    /// The currency of amounts that name none, once another currency is seen.
    var seen: String?

    package init(report: String?, rates: [String]) throws(ImpactError) {
        self.report = report.map(Self.code)
        for text in rates {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let rate = Double(parts[1]), rate > 0, rate.isFinite else {
                throw ImpactError(
                    .usage, code: "invalid_option_value",
                    "--rate '\(text)': write a currency and what one unit of it is worth in the report's, as USD=0.92")
            }
            let code = Self.code(String(parts[0]))
            guard code != self.report else {
                throw ImpactError(
                    .usage, code: "invalid_option_value", "--rate '\(text)': \(code) is the report's own currency")
            }
            guard self.rates.updateValue(rate, forKey: code) == nil else {
                throw ImpactError(.usage, code: "invalid_option_value", "--rate '\(text)': \(code) has a rate already")
            }
        }
        guard report != nil || rates.isEmpty else {
            throw ImpactError(
                .usage, code: "invalid_option_value",
                "--rate needs --currency: the currency that the rates convert into")
        }
    }

    package init() {}

    /// As ISO 4217 writes it: `usd` is USD.
    private static func code(_ text: String) -> String { text.trimmingCharacters(in: .whitespaces).uppercased() }

    /// An amount in the report's currency.
    ///
    /// - Throws: `two_currencies` when the data mix currencies and no rate says how to convert.
    package mutating func convert(_ amount: Double, _ currency: String?) throws(ImpactError) -> Double {
        guard let currency = currency.map(Self.code), !currency.isEmpty else { return amount }
        let target = report ?? seen ?? currency
        if report == nil { seen = target }
        if currency == target { return amount }
        guard let rate = rates[currency] else {
            throw ImpactError(
                .badInput, code: "two_currencies",
                "amounts are in \(target) and in \(currency): say --currency \(target) --rate \(currency)=WORTH, what one "
                    + "\(currency) is worth in \(target)")
        }
        return amount * rate
    }
}
