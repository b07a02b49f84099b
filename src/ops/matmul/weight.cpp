#include "ops/matmul/weight.hpp"

#include "core/check.hpp"

namespace statera {

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
  packed_ = std::make_unique<Packed<Tensor>[]>(std::size(precisions));
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
  *this = Weight();  // forgets what was bound or stored before
  format_ = m.format;
  shape_ = matrix;
  quantised_ = Tensor(DType::u8, {QuantisedPanels::bytes(format_, out(), in)});
  QuantisedPanels::pack(pool, m, in, static_cast<std::byte*>(quantised_.view().data));
}

QuantisedPanels Weight::quantised() const {
  return {static_cast<const std::byte*>(quantised_.view().data), format_, out(), in()};
}

Panels Weight::panels(Exec& exec) const {
  // One packed copy per precision. Its memory is allocated once and reused after each change.
  const int64_t rows = Panels::rows(in(), exec.precision);
  const Tensor& panels = packed_[static_cast<size_t>(exec.precision)].get(version_, [&](Tensor& memory) {
    if (memory.empty()) memory = Tensor(DType::f32, {Panels::elements(out(), rows)});
    Panels::pack(exec.pool, value_, true, exec.precision, memory.as<float>());
  });
  return {panels.as<float>(), out(), rows};
}

double Weight::bytes() const {
  return format_ == WeightFormat::f32 ? static_cast<double>(value_.bytes())
                                      : static_cast<double>(QuantisedPanels::bytes(format_, out(), in()));
}

}  // namespace statera
