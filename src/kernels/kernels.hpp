// Kernels: the functions that compute, and how an operation finds the one for an element type and a device.
//
// The rule for gradients. A backward kernel overwrites every element of every gradient that it is given, and never
// reads what stood there. A null pointer means that nobody needs this gradient; a struct says so where it may be null.
// What arrived there earlier is not the kernel's task: an operation takes each gradient as a GradSink
// (statera/tape.hpp), which adds.
//
// Kernels are noexcept, take plain structs that are filled by name, and never allocate from the heap: scratch memory
// comes from exec.scratch, before tasks start. Only kernels touch the elements of a View, so that a View may one day
// lie in the memory of another device.
#pragma once
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "core/exec.hpp"
#include "statera/error.hpp"

namespace statera {

// One kernel in a table: a function that must be there. A table that leaves it out, or names no function, does not
// compile. (Where a table may have none, its field is a plain pointer, and says so.)
template <class Signature>
class Kernel;
template <class R, class... Arguments>
class Kernel<R(Arguments...) noexcept> {
 public:
  using Function = R (*)(Arguments...) noexcept;
  template <class F>
  requires std::is_convertible_v<F, Function>
  constexpr Kernel(F f) noexcept : function_(f) {}  // NOLINT(google-explicit-constructor): stands for the function
  Kernel(std::nullptr_t) = delete;
  R operator()(Arguments... arguments) const noexcept { return function_(std::forward<Arguments>(arguments)...); }

 private:
  Function function_;
};

// All kernels of an operation. A table is a struct of them per element type:
//
//   template <class T> struct RopeKernels { Kernel<void(const RopeRotate<T>&, Exec&) noexcept> rotate; };
//   inline constexpr Kernels<RopeKernels> rope_kernels{
//       .op = "rope", .f64 = &rope_ref_f64, .f32 = &rope_ref_f32, .f32_cpu = &rope_cpu};
//
// and one call picks: rope_kernels(exec, dtype, [&](auto zero, const auto& kernels) {
//   using T = decltype(zero);
//   kernels.rotate(RopeRotate<T>{...}, exec);
// });
// A table is constant and may be used by any number of threads. A device of another kind gets a place here, and a rule
// in of().
template <template <class> class Table>
struct Kernels {
  const char* op;
  const Table<double>* f64;                    // the reference: double has no other
  const Table<float>* f32;                     // the reference
  const Table<float>* f32_cpu;                 // the fast ones
  const Table<float>* f32_portable = nullptr;  // with the bits of the reference; null: there is nothing faster than it

  // The kernels for element type T. Throws ErrorCode::unsupported if there are none.
  template <class T>
  const Table<T>& of(KernelChoice choice) const {
    const Table<T>* found = nullptr;
    if constexpr (sizeof(T) == sizeof(double))
      found = f64;
    else
      found = choice == KernelChoice::fast                       ? f32_cpu
              : choice == KernelChoice::portable && f32_portable ? f32_portable
                                                                 : f32;
    if (!found) missing(dtype_of<T>::value, choice);
    return *found;
  }

  // Returns f(T{}, kernels) for the element type T of `dtype`. Throws ErrorCode::unsupported if there are no kernels.
  template <class F>
  decltype(auto) operator()(KernelChoice choice, DType dtype, F&& f) const {
    if (dtype == DType::f64) return f(double{}, of<double>(choice));
    if (dtype == DType::f32) return f(float{}, of<float>(choice));
    missing(dtype, choice);
  }
  template <class F>
  decltype(auto) operator()(const Exec& exec, DType dtype, F&& f) const {
    return (*this)(exec.kernels, dtype, std::forward<F>(f));
  }

 private:
  [[noreturn]] void missing(DType dtype, KernelChoice choice) const {
    throw Error(ErrorCode::unsupported, "[" + std::string(op) + "] has no " + name_of(choice) + " kernels for " +
                                            std::string(name_of(dtype)) + "; f32 and f64 are known");
  }
};

}  // namespace statera
