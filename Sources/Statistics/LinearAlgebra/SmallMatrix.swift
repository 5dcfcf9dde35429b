/// Pseudo-inverses of the p × p matrices of one row, p up to 32, without allocation after set-up. Row major.
package struct SmallMatrix {
    package let size: Int
    private let work: UnsafeMutablePointer<Double>
    private let rotation: UnsafeMutablePointer<Double>

    /// Above this estimate of the condition number, elimination has lost too many digits and singular values decide.
    private static let wellConditioned = 1e8
    /// numpy's `pinv` takes singular values up to this share of the largest for zero.
    private static let cutOff = 1e-15

    package init(size: Int) {
        self.size = size
        work = .allocate(capacity: 2 * size * size)
        rotation = .allocate(capacity: size * size)
    }

    /// The owner calls it once.
    package func deallocate() {
        work.deallocate()
        rotation.deallocate()
    }

    /// Writes the Moore–Penrose inverse of `a` to `inverse`.
    package func invert(_ a: UnsafePointer<Double>, into inverse: UnsafeMutablePointer<Double>) {
        switch size {
        case 1: inverse[0] = a[0] == 0 ? 0 : 1 / a[0]
        case 2:
            let determinant = a[0] * a[3] - a[1] * a[2]
            let squares = (a[0] * a[0] + a[1] * a[1]) + (a[2] * a[2] + a[3] * a[3])
            // squares / |determinant| is σ₁/σ₂ + σ₂/σ₁.
            guard abs(determinant) * Self.wellConditioned > squares else {
                return pseudoInvert(a, into: inverse)
            }
            inverse[0] = a[3] / determinant
            inverse[1] = -a[1] / determinant
            inverse[2] = -a[2] / determinant
            inverse[3] = a[0] / determinant
        default:
            guard eliminate(a, into: inverse), norm(a) * norm(inverse) < Self.wellConditioned else {
                return pseudoInvert(a, into: inverse)
            }
        }
    }

    /// The largest absolute row sum.
    private func norm(_ a: UnsafePointer<Double>) -> Double {
        var largest = 0.0
        for row in 0..<size {
            var sum = 0.0
            for column in 0..<size { sum += abs(a[row * size + column]) }
            largest = max(largest, sum)
        }
        return largest
    }

    /// Gauss–Jordan elimination with partial pivoting; false when a pivot is zero or not finite.
    private func eliminate(_ a: UnsafePointer<Double>, into inverse: UnsafeMutablePointer<Double>) -> Bool {
        let n = size
        work.update(from: a, count: n * n)
        for i in 0..<n { for j in 0..<n { inverse[i * n + j] = i == j ? 1 : 0 } }
        for k in 0..<n {
            var pivot = k
            for i in k + 1..<max(n, k + 1) where abs(work[i * n + k]) > abs(work[pivot * n + k]) { pivot = i }
            let value = work[pivot * n + k]
            guard value != 0, value.isFinite else { return false }
            for j in 0..<n {
                (work[k * n + j], work[pivot * n + j]) = (work[pivot * n + j], work[k * n + j])
                (inverse[k * n + j], inverse[pivot * n + j]) = (inverse[pivot * n + j], inverse[k * n + j])
            }
            for j in 0..<n {
                work[k * n + j] /= value
                inverse[k * n + j] /= value
            }
            for i in 0..<n where i != k {
                let factor = work[i * n + k]
                for j in 0..<n {
                    work[i * n + j] -= factor * work[k * n + j]
                    inverse[i * n + j] -= factor * inverse[k * n + j]
                }
            }
        }
        return true
    }

    /// By singular values: one-sided Jacobi rotations (Hestenes 1958) make the columns of A·V orthogonal; then
    /// A⁺ = V Σ⁻² (A·V)ᵀ over the singular values above the cut-off.
    private func pseudoInvert(_ a: UnsafePointer<Double>, into inverse: UnsafeMutablePointer<Double>) {
        let n = size
        let columns = work
        let lengths = work + n * n
        // Scaled to 1, so that squares neither overflow nor vanish.
        var scale = 0.0
        var finite = true
        for i in 0..<n * n {
            scale = max(scale, abs(a[i]))
            finite = finite && a[i].isFinite
        }
        guard scale > 0, finite else {
            for i in 0..<n * n { inverse[i] = finite ? 0 : .nan }
            return
        }
        for i in 0..<n * n {
            columns[i] = a[i] / scale
            rotation[i] = i / n == i % n ? 1 : 0
        }
        for _ in 0..<60 where rotateColumns(columns) == 0 { break }
        var largest = 0.0
        for j in 0..<n {
            var sum = 0.0
            for i in 0..<n { sum += columns[i * n + j] * columns[i * n + j] }
            lengths[j] = sum.squareRoot()
            largest = max(largest, lengths[j])
        }
        for i in 0..<n {
            for k in 0..<n {
                var sum = 0.0
                for j in 0..<n where lengths[j] > Self.cutOff * largest {
                    sum += rotation[i * n + j] / lengths[j] * (columns[k * n + j] / lengths[j])
                }
                inverse[i * n + k] = sum / scale
            }
        }
    }

    /// One sweep over all pairs of columns; how many were not orthogonal yet.
    private func rotateColumns(_ columns: UnsafeMutablePointer<Double>) -> Int {
        let n = size
        var rotations = 0
        for p in 0..<n {
            for q in p + 1..<max(n, p + 1) {
                var (alpha, beta, gamma) = (0.0, 0.0, 0.0)
                for i in 0..<n {
                    let (x, y) = (columns[i * n + p], columns[i * n + q])
                    alpha += x * x
                    beta += y * y
                    gamma += x * y
                }
                guard abs(gamma) > 1e-16 * (alpha * beta).squareRoot(), gamma != 0 else { continue }
                rotations += 1
                let zeta = (beta - alpha) / (2 * gamma)
                let sign: Double = zeta < 0 ? -1 : 1
                let tangent = sign / (abs(zeta) + (1 + zeta * zeta).squareRoot())
                let cosine = 1 / (1 + tangent * tangent).squareRoot()
                let sine = cosine * tangent
                for matrix in [columns, rotation] {
                    for i in 0..<n {
                        let (x, y) = (matrix[i * n + p], matrix[i * n + q])
                        matrix[i * n + p] = cosine * x - sine * y
                        matrix[i * n + q] = sine * x + cosine * y
                    }
                }
            }
        }
        return rotations
    }
}
