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

void Weight::take(ThreadPool& pool, QuantisedTensors taken, int64_t in) {
  const QuantisedMatrix m = taken.view();
  const Shape matrix{m.values.rows(), in};
  require(m.fits(matrix), ErrorCode::shape, "[weight] ", name_of(m.format), " ", matrix, " got ", m.str());
  *this = Weight();  // forgets what was bound or stored before
  format_ = m.format;
  shape_ = matrix;
  quantised_ = Tensor(DType::u8, {QuantisedPanels::bytes(format_, out(), in)});
  QuantisedPanels::pack(pool, m, in, static_cast<std::byte*>(quantised_.view().data));
}

QuantisedMatrix Weight::saved(std::vector<Tensor>& made) const {
  QuantisedTensors unpacked = QuantisedTensors::zero(format_, shape_);
  const QuantisedMatrix m = unpacked.view();
  quantised().unpack(m);
  made.push_back(std::move(unpacked.values));
  made.push_back(std::move(unpacked.scales));
  return m;
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
