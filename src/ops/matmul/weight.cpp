#include "ops/matmul/weight.hpp"

#include "core/check.hpp"
#include "ops/matmul/bf16.hpp"

namespace statera {

namespace {
constexpr int64_t rows_at_once = 64;  // of a panel: 12 KiB, which stay in L1 while its columns are filled one by one

// Rows k0.. of the panel of columns j0..: panel[k, j] = matrix[k0 + k, j0 + j], or matrix[j0 + j, k0 + k] if
// `transpose`.
void pack_block(const View& matrix, bool transpose, int64_t j0, int64_t columns, int64_t k0, int64_t rows,
                int64_t stride, float* panel) noexcept {
  const float* from =
      static_cast<const float*>(matrix.data) + (transpose ? j0 * matrix.stride + k0 : k0 * matrix.stride + j0);
  if (transpose) {
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t k = 0; k < rows; ++k) panel[k * stride + j] = from[j * matrix.stride + k];
  } else {
    for (int64_t k = 0; k < rows; ++k) std::copy_n(from + k * matrix.stride, columns, panel + k * stride);
  }
  for (int64_t k = 0; k < rows; ++k) std::fill_n(panel + k * stride + columns, stride - columns, 0.0f);
}
}  // namespace

Panels Panels::pack(ThreadPool& pool, const View& matrix, bool transpose, Precision precision, float* memory) noexcept {
  if (precision == Precision::bf16) return pack_pairs(pool, matrix, transpose, memory);
  Panels p{memory, matrix.shape[transpose ? 0 : 1], matrix.shape[transpose ? 1 : 0]};
  const int64_t blocks = (p.k + rows_at_once - 1) / rows_at_once;
  pool.run(p.count() * blocks, [&](int64_t task, int) {
    const int64_t j = task / blocks, k0 = task % blocks * rows_at_once;
    pack_block(matrix, transpose, j * width, p.columns(j), k0, std::min(rows_at_once, p.k - k0), p.stride(j),
               memory + j * width * p.k + k0 * p.stride(j));
  });
  return p;
}

void Weight::bind(const View& value, const View& grad, const std::atomic<uint64_t>* version) {
  require(value.shape.rank() == 2 && !value.empty(), ErrorCode::shape, "[weight] expected [out, in], got ",
          value.shape);
  require(value.dtype == DType::f32 || value.dtype == DType::f64, ErrorCode::unsupported, "[weight] f32 or f64, got ",
          name_of(value.dtype));
  require(grad.empty() || (grad.shape == value.shape && grad.dtype == value.dtype), ErrorCode::shape,
          "[weight] gradient ", grad.shape, " of a value ", value.shape);
  format_ = WeightFormat::f32;
  quantised_ = Tensor();
  shape_ = value.shape;
  dtype_ = value.dtype;
  value_ = value;
  grad_ = grad;
  version_ = version;
  packed_ = std::make_unique<Packed[]>(std::size(precisions));
}

void Weight::quantise(ThreadPool& pool, const View& matrix, WeightFormat format) {
  require(matrix.shape.rank() == 2 && matrix.dtype == DType::f32, ErrorCode::shape,
          "[weight] expected f32 [out, in], got ", name_of(matrix.dtype), matrix.shape);
  require(format != WeightFormat::f32, ErrorCode::unsupported, "[weight] f32 needs no quantising");
  const Tensor values(QuantisedMatrix::values_dtype(format), QuantisedMatrix::values_shape(format, matrix.shape)),
      scales(DType::f32, QuantisedMatrix::scales_shape(matrix.shape));
  const QuantisedMatrix made{format, values, scales};
  statera::quantise(pool, matrix, made);
  set(pool, made, matrix.cols());
}

void Weight::set(ThreadPool& pool, const QuantisedMatrix& m, int64_t in) {
  const Shape matrix{m.values.rows(), in};
  require(m.format != WeightFormat::f32 && m.values.dtype == QuantisedMatrix::values_dtype(m.format) &&
              m.scales.dtype == DType::f32 && m.values.shape == QuantisedMatrix::values_shape(m.format, matrix) &&
              m.scales.shape == QuantisedMatrix::scales_shape(matrix),
          ErrorCode::shape, "[weight] ", name_of(m.format), " ", matrix, " got values ", name_of(m.values.dtype),
          m.values.shape, " and scales ", name_of(m.scales.dtype), m.scales.shape);
  *this = Weight();
  format_ = m.format;
  shape_ = matrix;
  quantised_ = Tensor(DType::u8, {QuantisedPanels::bytes(format_, out(), in)});
  QuantisedPanels::pack(pool, m, in, static_cast<std::byte*>(quantised_.view().data));
}

QuantisedPanels Weight::quantised() const {
  return {static_cast<const std::byte*>(quantised_.view().data), format_, out(), in()};
}

Panels Weight::panels(Exec& exec) const {
  const int64_t rows = Panels::rows(in(), exec.precision);
  Packed& cache = packed_[static_cast<size_t>(exec.precision)];
  const uint64_t wanted = 1 + (version_ ? version_->load(std::memory_order_acquire) : 0);
  if (cache.version.load(std::memory_order_acquire) != wanted) {
    const std::lock_guard lock(cache.mutex);
    if (cache.version.load(std::memory_order_relaxed) != wanted) {
      if (cache.memory.empty()) cache.memory = Tensor(DType::f32, {Panels::elements(out(), rows)});
      Panels::pack(exec.pool, value_, true, exec.precision, cache.memory.as<float>());
      cache.version.store(wanted, std::memory_order_release);
    }
  }
  return {cache.memory.as<float>(), out(), rows};
}

double Weight::bytes() const {
  return format_ == WeightFormat::f32 ? static_cast<double>(value_.bytes())
                                      : static_cast<double>(QuantisedPanels::bytes(format_, out(), in()));
}

}  // namespace statera
