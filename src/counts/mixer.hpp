// Mixing in the logistic domain: p = squash(sum of w_i x_i). The weights are chosen by a context and learn online
// (Mahoney 2005). Several sets of weights, each with its own context, mix the same inputs.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "counts/logistic.hpp"

namespace statera::counts {

constexpr size_t lanes_of_inputs = 16;  // the number of inputs is a multiple of it, so that whole vectors fit

// In whole numbers, so that every instruction set has the same bits. Weights have 16 bits after the point and lie in
// [-8, 8); inputs are below 2^12 (so a product has 31 bits) and there are at most 128.
struct MixerKernels {
  // [sets] sum of w x, with 8 bits after the point
  void (*dot)(const int32_t* x, const int32_t* const* weights, size_t sets, size_t inputs, int32_t* sums) noexcept;
  // w += x step 2^-12; step below 2^17
  void (*learn)(const int32_t* x, int32_t* const* weights, const int32_t* steps, size_t sets, size_t inputs) noexcept;
};
const MixerKernels& mixer_kernels();

constexpr int32_t weight_one = 1 << 16, weight_limit = 1 << 19;

// Owns the weights of all sets. learn() must get the values, contexts and sums of the mix() that it learns from. Not
// thread safe.
template <size_t Sets, size_t Inputs>
class Mixer {
 public:
  static_assert(Inputs % lanes_of_inputs == 0 && Inputs <= 128);
  using Values = std::array<int32_t, Inputs>;
  using Chosen = std::array<uint32_t, Sets>;  // the context of each set
  using Sums = std::array<int32_t, Sets>;

  Mixer(const std::array<size_t, Sets>& contexts, int32_t first) {
    for (size_t s = 0; s < Sets; ++s) begins_[s + 1] = begins_[s] + contexts[s] * Inputs;
    weights_.assign(begins_[Sets], first);
  }

  // [Sets] what each set says, in the logistic domain
  Sums mix(const Values& x, const Chosen& chosen) const {
    std::array<const int32_t*, Sets> rows;
    for (size_t s = 0; s < Sets; ++s) rows[s] = &weights_[begins_[s] + chosen[s] * Inputs];
    Sums sums;
    mixer_kernels().dot(x.data(), rows.data(), Sets, Inputs, sums.data());
    for (int32_t& sum : sums) sum = std::clamp(sum, -stretch_limit, stretch_limit);
    return sums;
  }
  // Each set learns from its own error. rate: in units of 2^-14, at most 2^10
  void learn(const Values& x, const Chosen& chosen, const Sums& sums, uint32_t bit, int32_t rate) {
    std::array<int32_t*, Sets> rows;
    std::array<int32_t, Sets> steps;
    for (size_t s = 0; s < Sets; ++s) {
      rows[s] = &weights_[begins_[s] + chosen[s] * Inputs];
      steps[s] = ((static_cast<int32_t>(bit << 16) - static_cast<int32_t>(squash(logistic(), sums[s]))) * rate) >> 10;
    }
    mixer_kernels().learn(x.data(), rows.data(), steps.data(), Sets, Inputs);
  }
  size_t bytes() const { return weights_.size() * sizeof(int32_t); }
  // The weight of one input in all contexts.
  void set(size_t input, int32_t weight) {
    for (size_t i = input; i < weights_.size(); i += Inputs) weights_[i] = weight;
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.within(self.weights_, -weight_limit, weight_limit - 1);
  }

 private:
  std::array<size_t, Sets + 1> begins_{};  // where the weights of a set begin
  std::vector<int32_t> weights_;           // set by set, [context][input]
};

}  // namespace statera::counts
