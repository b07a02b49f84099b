// Kernels over Views that belong to no operation: sums of gradients, and single numbers in and out. (copy and fill_zero
// of statera/tensor.hpp are two more.)
#pragma once
#include <span>

#include "core/exec.hpp"
#include "core/function_ref.hpp"
#include "statera/tensor.hpp"

namespace statera {

void add_to(Exec&, const View& from, const View& to);  // to += from; equal shapes and types, f32 or f64
// row rows[i] of `to` += row i of `from`; each row is named once
void add_to_rows(Exec&, const View& from, std::span<const int32_t> rows, const View& to);
double sum_of(const View&);            // in order, in double; f32 or f64
double first_non_finite(const View&);  // the first value that is not finite; 0 if all are, as whole numbers are
double number_in(const View&);         // of one element
void set_number(const View&, double);  // of one element
void set_each(const View&, FunctionRef<float(int64_t)> value);  // element i = value(i), in order; dense, f32 or f64

void add_row_cpu(const float* from, float* to, int64_t count) noexcept;

}  // namespace statera
