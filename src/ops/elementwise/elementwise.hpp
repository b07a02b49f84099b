// Small element-by-element operations. One loop serves as reference and fast path, but for the exponential.
#pragma once
#include "core/exec.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct Factors {
  double a = 1, b = 1;
};

// y = factor_a a + factor_b b, equal shapes [N, C]; the residual stream. In the Exec face y may be a or b.
void add(Exec&, const View& a, const View& b, const View& y, const Factors& factors = {});
Var add(Tape&, Var a, Var b, const Factors& factors = {});

// y = factor a, [N, C]. In the Exec face y may be a; on a tape a itself is returned for a factor of 1.
void scaled(Exec&, const View& a, double factor, const View& y);
Var scaled(Tape&, Var a, double factor);

// y = a less the mean of its row, [N, C]: with an RMS norm behind it, layer norm (Ba et al., 2016, eq. 3). In the Exec
// face y may be a.
void centered(Exec&, const View& a, const View& y);
Var centered(Tape&, Var a);

// y = -exp(a): A from A_log (Gu and Dao, "Mamba", 2023, section 3.6).
void neg_exp(Exec&, const View& a, const View& y);
Var neg_exp(Tape&, Var a);

void neg_exp_cpu(const float* a, float* y, int64_t count, Exec& exec) noexcept;

std::vector<OpCase> elementwise_cases();

}  // namespace statera
