// Shape, View (borrows memory) and Tensor (owns memory).
//
// All activations are matrices [N, C]: N positions of one or more sequences, one after the other, with C channels. A
// View has a stride from row to row, so a range of columns of a projection (z | x | B | C | dt) is a View and never a
// copy. Within a row the elements are dense, in row-major order of the remaining axes.
//
// Thread safety: all three are plain values. Views of one memory may be read from several threads; concurrent writes
// must go to different elements.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "statera/dtype.hpp"

namespace statera {

class Shape {
 public:
  static constexpr int max_rank = 5;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[axis]; }
  int64_t& operator[](int axis) { return dims_[axis]; }
  void push_back(int64_t dim);
  int64_t elements() const { return rank_ ? dims_[0] * row_elements() : 1; }
  int64_t row_elements() const {  // elements per index of axis 0; 1 for rank 0 and 1
    int64_t n = 1;
    for (int axis = 1; axis < rank_; ++axis) n *= dims_[axis];
    return n;
  }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }
  bool operator==(const Shape& other) const {
    for (int axis = 0; axis < rank_; ++axis)
      if (dims_[axis] != other.dims_[axis]) return false;
    return rank_ == other.rank_;
  }
  std::string str() const;  // "[4, 16]"

 private:
  std::array<int64_t, max_rank> dims_{};
  int rank_ = 0;
};
std::ostream& operator<<(std::ostream&, const Shape&);  // prints str()

// Borrowed memory. Copying a View copies no data. It is valid while the owner of the memory keeps it.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  int64_t stride = 0;  // elements from one index of axis 0 to the next

  View() = default;
  View(void* data, DType dtype, const Shape& shape)
      : data(data), dtype(dtype), shape(shape), stride(shape.row_elements()) {}

  bool empty() const { return data == nullptr; }
  int64_t rows() const { return shape.rank() ? shape[0] : 1; }
  int64_t cols() const { return shape.row_elements(); }
  int64_t elements() const { return shape.elements(); }
  bool dense() const { return stride == cols() || rows() <= 1; }
  // of the elements, without gaps between rows
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }

  // Throws ErrorCode::shape if the View has another dtype. Returns null for an empty View.
  template <class T>
  T* as() const {
    if (data && dtype != dtype_of<T>::value) fail_dtype(dtype_of<T>::value);
    return static_cast<T*>(data);
  }

  // The columns begin .. begin + count - 1 of a matrix [N, C]: [N, count]. Throws ErrorCode::shape if the View is not a
  // matrix or lacks one of them.
  View columns(int64_t begin, int64_t count) const;
  // The same along axis 0: [count, ...]. Throws ErrorCode::shape.
  View row_range(int64_t begin, int64_t count) const;
  // The same elements in another shape. Throws ErrorCode::shape if the View is not dense or their number differs.
  View reshaped(const Shape& shape) const;

 private:
  [[noreturn]] void fail_dtype(DType wanted) const;
};

// Owns memory, aligned to 64 bytes and zero-filled. Movable; use clone() to copy.
class Tensor {
 public:
  Tensor() = default;
  // Throws ErrorCode::shape for a negative dimension or a size that overflows, std::bad_alloc if memory is short.
  Tensor(DType dtype, const Shape& shape);
  Tensor(Tensor&& other) noexcept : memory_(std::move(other.memory_)), view_(std::exchange(other.view_, {})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    memory_ = std::move(other.memory_);
    view_ = std::exchange(other.view_, {});
    return *this;
  }
  Tensor clone() const;
  const View& view() const { return view_; }
  operator View() const { return view_; }
  bool empty() const { return view_.empty(); }
  const Shape& shape() const { return view_.shape; }
  DType dtype() const { return view_.dtype; }
  template <class T>
  T* as() const {
    return view_.as<T>();
  }

 private:
  struct Free {
    void operator()(void* p) const noexcept;
  };
  std::unique_ptr<void, Free> memory_;
  View view_;
};

// Copies all elements, also between f32 and f64. Throws ErrorCode::shape if the shapes differ, ErrorCode::unsupported
// for any other two types.
void copy(const View& from, const View& to);
void fill_zero(const View&);

// Rows of a matrix, each once: those of a large table that a training step touched. Owns its list. Not thread safe.
class RowSet {
 public:
  void add(std::span<const int32_t> rows);  // rows that it has already are passed over
  void clear();
  void sort();  // rows() are in the order in which they came, and after this in rising order
  std::span<const int32_t> rows() const { return rows_; }  // valid until add() or clear()

 private:
  std::vector<int32_t> rows_;
  std::vector<bool> has_;
};

}  // namespace statera
