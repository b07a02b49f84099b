// embedding: y[n] = sum_k table[ids[n K + k]], k = 0 .. K - 1; K is 1 for tokens. Gradient: row n of dy is added to
// each of its rows of dtable, in the order of the positions. The cost does not grow with the table. For inference, the
// table may be in 8 or 4 bits (src/ops/matmul/quantised.md): an element is then its value times the scale of its scale
// block, rounded once.
#pragma once
#include <span>

#include "kernels/kernels.hpp"
#include "kernels/quantised_matrix.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct EmbeddingForward {
  const int32_t* ids;  // [N, per_row]
  const T* table;      // [V, d], rows table_stride apart
  T* y;                // [N, d], rows y_stride apart
  int64_t rows, per_row, width, table_stride, y_stride;
};

struct EmbeddingQuantised {
  const int32_t* ids;     // [N, per_row]
  QuantisedMatrix table;  // [V, d]
  float* y;               // [N, d], rows y_stride apart
  int64_t rows, per_row, width, y_stride;
};

template <class T>
struct EmbeddingBackward {
  const int32_t* read;  // [N, per_row] for each id, the index in `drows` of the row that it names
  const T* dy;          // [N, d], rows dy_stride apart
  T* drows;             // [read_rows, d], dense: the gradients of the distinct rows that were read
  int64_t rows, per_row, read_rows, width, dy_stride;
};

template <class T>
struct EmbeddingKernels {
  Kernel<void(const EmbeddingForward<T>&, Exec&) noexcept> forward;
  void (*quantised)(const EmbeddingQuantised&, Exec&) noexcept;  // null for double: a quantised table is read in f32
  Kernel<void(const EmbeddingBackward<T>&, Exec&) noexcept> backward;
};
extern const EmbeddingKernels<double> embedding_ref_f64;
extern const EmbeddingKernels<float> embedding_ref_f32;  // it waits for memory: also the fast path
inline constexpr Kernels<EmbeddingKernels> embedding_kernels{
    .op = "embedding", .f64 = &embedding_ref_f64, .f32 = &embedding_ref_f32, .f32_cpu = &embedding_ref_f32};

// ids [N, K], each in [0, V); table [V, d] -> y [N, d], the sum, or y [N, K d], all rows side by side (dense). Throws
// ErrorCode::shape, naming the id, if one is outside.
void embedding(Exec&, std::span<const int32_t> ids, const View& table, const View& y);
// The same for a table in int8 or int4 with d columns; y is f32.
void embedding(Exec&, std::span<const int32_t> ids, const QuantisedMatrix& table, int64_t d, const View& y);
enum class Joined { summed, side_by_side };
Var embedding(Tape&, std::span<const int32_t> ids, Var table, int64_t per_row = 1, Joined joined = Joined::summed);
// The same for a table in int8 or int4; it gets no gradient.
Var embedding(Tape&, std::span<const int32_t> ids, const QuantisedMatrix& table, int64_t d, int64_t per_row = 1,
              Joined joined = Joined::summed);

std::vector<OpCase> embedding_cases();

}  // namespace statera
