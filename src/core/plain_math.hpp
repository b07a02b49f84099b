// exp, log, sin and similar functions from +, -, *, / and powers of two alone. Those of the C library differ in their
// last bits between versions and instruction sets; these have the same bits on every machine with IEEE 754 arithmetic,
// if it does not contract a product and a sum into one operation (-ffp-contract=off). The references and what else must
// be portable call them. Errors are a few units in the last place of a double. The functions of float compute in double
// and round once; they are at most 0.501 units off.
#pragma once
#include <cfloat>
#include <cstdint>

#ifdef __FAST_MATH__
#error "-ffast-math reorders sums: results would depend on the machine"
#endif
static_assert(FLT_EVAL_METHOD == 0, "floats must be computed as floats: results would depend on the machine");

namespace statera::plain {

double exp(double x);
double expm1(double x);
double log(double x);    // -inf for 0, NaN below
double log1p(double x);  // -inf for -1, NaN below
double tanh(double x);
double erfc(double x);  // relative error at most 1e-12
double sin(double x);   // of at most about 10^6 in size; beyond, the angle loses digits
double cos(double x);
double pow(double base, double exponent);  // base > 0
double power(double base, uint64_t exponent);

float exp(float x);
inline float log(float x) { return static_cast<float>(log(static_cast<double>(x))); }
inline float log1p(float x) { return static_cast<float>(log1p(static_cast<double>(x))); }
inline float erfc(float x) { return static_cast<float>(erfc(static_cast<double>(x))); }
inline float tanh(float x) { return static_cast<float>(tanh(static_cast<double>(x))); }

}  // namespace statera::plain
