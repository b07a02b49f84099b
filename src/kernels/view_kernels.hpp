// Kernels over Views that belong to no operation: they add gradients, read and write single numbers, and compare
// weights. (copy and fill_zero of statera/tensor.hpp are two more.) All throw ErrorCode::shape for a shape that does
// not fit, and ErrorCode::unsupported for a dtype other than f32 and f64, unless they say otherwise.
#pragma once
#include <span>

#include "core/exec.hpp"
#include "core/function_ref.hpp"
#include "statera/tensor.hpp"

namespace statera {

void add_to(Exec&, const View& from, const View& to);  // to += from; equal shapes and types
// Row rows[i] of `to` += row i of `from`. No row may occur twice in `rows`: tasks add them in parallel.
void add_to_rows(Exec&, const View& from, std::span<const int32_t> rows, const View& to);
double sum_of(const View&);            // of all elements, row by row, in double
double first_non_finite(const View&);  // the first value that is not finite; 0 if all are, and for any other dtype
double number_in(const View&);         // the element of a View of one element
void set_number(const View&, double);  // sets the element of a View of one element
void set_each(const View&, FunctionRef<float(int64_t)> value);  // element i = value(i), in order; the View is dense

// Moves v by this share of the way towards `target`; equal shapes and types.
void move_towards(const View& v, const View& target, double share);
double squared_norm(const View&);                       // the sum of all squares, row by row, in double
double squared_distance(const View& a, const View& b);  // the same of a - b; equal shapes and types

// The fast row sum: to[i] += from[i].
void add_row_cpu(const float* from, float* to, int64_t count) noexcept;

}  // namespace statera
