#include "statera/tensor.hpp"

#include <algorithm>
#include <cstring>
#include <ostream>

#include "core/check.hpp"
#include "core/memory.hpp"

namespace statera {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (int64_t dim : dims) push_back(dim);
}

void Shape::push_back(int64_t dim) {
  require(rank_ < max_rank, ErrorCode::shape, "[shape] more than ", max_rank, " axes");
  dims_[rank_++] = dim;
}

std::string Shape::str() const {
  std::string out = "[";
  for (int axis = 0; axis < rank_; ++axis) out += (axis ? ", " : "") + std::to_string(dims_[axis]);
  return out + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

void View::fail_dtype(DType wanted) const {
  fail(ErrorCode::shape, "[view] expected ", name_of(wanted), ", got ", name_of(dtype));
}

View View::columns(int64_t begin, int64_t count) const {
  require(shape.rank() == 2 && begin >= 0 && count >= 0 && begin + count <= shape[1], ErrorCode::shape,
          "[view] columns ", begin, " to ", begin + count, " of ", shape);
  View part = *this;
  part.data = static_cast<char*>(data) + static_cast<size_t>(begin) * size_of(dtype);
  part.shape = {shape[0], count};
  return part;
}

View View::row_range(int64_t begin, int64_t count) const {
  require(shape.rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= shape[0], ErrorCode::shape, "[view] rows ",
          begin, " to ", begin + count, " of ", shape);
  View part = *this;
  part.data = static_cast<char*>(data) + static_cast<size_t>(begin * stride) * size_of(dtype);
  part.shape[0] = count;
  return part;
}

View View::reshaped(const Shape& wanted) const {
  require(dense() && wanted.elements() == elements(), ErrorCode::shape, "[view] cannot see ", shape, " as ", wanted);
  return View(data, dtype, wanted);
}

void Tensor::Free::operator()(void* p) const noexcept { FreeMemory()(p); }

Tensor::Tensor(DType dtype, const Shape& shape) {
  int64_t most = static_cast<int64_t>(size_of(dtype));
  for (int64_t dim : shape)
    require(dim >= 0 && !__builtin_mul_overflow(most, std::max<int64_t>(dim, 1), &most) && most < int64_t{1} << 62,
            ErrorCode::shape, "[tensor] impossible shape ", shape);
  const size_t bytes = static_cast<size_t>(shape.elements()) * size_of(dtype);
  // kernels may read a full vector after the last element, but never write there
  const size_t rounded = (bytes + 63) / 64 * 64 + 64;
  memory_.reset(allocate_memory(rounded).release());
  std::memset(memory_.get(), 0, rounded);
  view_ = View(memory_.get(), dtype, shape);
}

Tensor Tensor::clone() const {
  if (empty()) return {};
  Tensor other(dtype(), shape());
  std::memcpy(other.view().data, view_.data, view_.bytes());
  return other;
}

namespace {
template <class From, class To>
void convert_rows(const View& from, const View& to) {
  const From* in = from.as<From>();
  To* out = to.as<To>();
  for (int64_t row = 0; row < from.rows(); ++row)
    for (int64_t col = 0; col < from.cols(); ++col)
      out[row * to.stride + col] = static_cast<To>(in[row * from.stride + col]);
}
}  // namespace

void copy(const View& from, const View& to) {
  require(from.shape == to.shape, ErrorCode::shape, "[copy] from ", from.shape, " to ", to.shape);
  if (from.dtype == to.dtype && from.dense() && to.dense()) {
    if (from.bytes() > 0) std::memcpy(to.data, from.data, from.bytes());
  } else if (from.dtype == to.dtype) {
    const size_t size = size_of(from.dtype), row_bytes = static_cast<size_t>(from.cols()) * size;
    for (int64_t row = 0; row < from.rows(); ++row)
      std::memcpy(static_cast<char*>(to.data) + static_cast<size_t>(row * to.stride) * size,
                  static_cast<const char*>(from.data) + static_cast<size_t>(row * from.stride) * size, row_bytes);
  } else if (from.dtype == DType::f32 && to.dtype == DType::f64) {
    convert_rows<float, double>(from, to);
  } else if (from.dtype == DType::f64 && to.dtype == DType::f32) {
    convert_rows<double, float>(from, to);
  } else {
    fail(ErrorCode::unsupported, "[copy] from ", name_of(from.dtype), " to ", name_of(to.dtype));
  }
}

void fill_zero(const View& view) {
  const size_t size = size_of(view.dtype);
  if (view.dense()) {
    if (view.bytes() > 0) std::memset(view.data, 0, view.bytes());
    return;
  }
  for (int64_t row = 0; row < view.rows(); ++row)
    std::memset(static_cast<char*>(view.data) + static_cast<size_t>(row * view.stride) * size, 0,
                static_cast<size_t>(view.cols()) * size);
}

void RowSet::add(std::span<const int32_t> rows) {
  for (const int32_t row : rows) {
    const auto r = static_cast<size_t>(row);
    if (r >= has_.size()) has_.resize(r + 1);
    if (has_[r]) continue;
    has_[r] = true;
    rows_.push_back(row);
  }
}

void RowSet::clear() {
  for (const int32_t row : rows_) has_[static_cast<size_t>(row)] = false;
  rows_.clear();
}

void RowSet::sort() { std::ranges::sort(rows_); }

}  // namespace statera
