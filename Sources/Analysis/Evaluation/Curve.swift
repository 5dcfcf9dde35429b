import Statistics

/// Points of a curve over the targeted population, from the origin rightwards.
package struct Curve: Sendable, Equatable {
    /// The weight (without weights: the number of rows) targeted so far; ascending, beginning with 0.
    package let population: [Double]
    /// The curve's height there, in outcomes.
    package let value: [Double]

    init(population: [Double], value: [Double]) {
        self.population = population
        self.value = value
    }

    package var count: Int { population.count }

    /// The area under the curve by the trapezoid rule, in scikit-learn's order of operations.
    package func area(threads: Int = 1) -> Double {
        population.withUnsafeBufferPointer { x in
            value.withUnsafeBufferPointer { y in
                guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
                return PairwiseSum.sum(count - 1, threads: threads, Trapezoids(x: x, y: y))
            }
        }
    }

    private struct Trapezoids: SummedTerms, @unchecked Sendable {  // read while the arrays are lent
        let x, y: UnsafePointer<Double>

        @inline(__always)
        subscript(i: Int) -> Double { (x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 }
    }

    /// The area under the straight line from the first point to the last: what random targeting reaches on average.
    package var randomArea: Double { (population.last ?? 0) * (value.last ?? 0) / 2 }

    /// The height at `population`, straight between points.
    package func height(at population: Double) -> Double {
        let x = self.population
        guard count > 1, population > x[0] else { return value.first ?? 0 }
        var low = 0
        var high = count - 1
        guard population < x[high] else { return value[high] }
        while high - low > 1 {
            let middle = (low + high) / 2
            if x[middle] <= population { low = middle } else { high = middle }
        }
        return value[low] + (value[high] - value[low]) * (population - x[low]) / (x[high] - x[low])
    }

    /// About `limit` of the points (twice as many at most), spread evenly over the population; for drawing.
    ///
    /// The first and the last point are kept, and both ends of every long straight piece (a tie), so that a steep rise
    /// before a tie is not cut off.
    package func thinned(to limit: Int) -> Curve {
        guard count > limit, limit >= 2 else { return self }
        var x: [Double] = []
        var y: [Double] = []
        let step = (population[count - 1] - population[0]) / Double(limit - 1)
        var next = population[0]
        for index in 0..<count {
            let startsTie = index + 1 < count && population[index + 1] - population[index] > step
            guard population[index] >= next || startsTie || index == count - 1 else { continue }
            x.append(population[index])
            y.append(value[index])
            next = population[index] + step
        }
        return Curve(population: x, value: y)
    }
}
