// The norms of residual streams. RMS norm (Zhang and Sennrich, 2019, eq. 4): y = x / sqrt(mean(x^2) + eps) * weight.
// Layer norm (Ba et al., 2016, eq. 4): the same for x minus its mean, plus a bias.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "statera/parameter.hpp"

namespace statera {

struct NormKind {
  std::string_view name;
  bool centered, weight, bias;
};

inline constexpr NormKind norm_kinds[] = {
    {"rms", false, true, false},          {"rms_plain", false, false, false},  {"layer", true, true, true},
    {"layer_no_bias", true, true, false}, {"layer_plain", true, false, false},
};

// Throws ErrorCode::config for an unknown name and lists the kinds. Returns null for "none", if that is allowed.
// `where` stands in the message.
inline const NormKind* norm_named(const std::string& name, const char* key, const std::string& where,
                                  bool may_be_none = false) {
  std::string known;
  for (const NormKind& kind : norm_kinds) {
    if (kind.name == name) return &kind;
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  require(may_be_none && name == "none", ErrorCode::config, key, " is '", name, "'; known: ", known,
          may_be_none ? ", none" : "", " (", where, ")");
  return nullptr;
}

// Owns its parameters. Thread safety: const members may be called from several threads.
class Norm {
 public:
  // `name` is the full name of the parameters without ".weight".
  Norm(const std::string& name, int64_t width, double eps, const NormKind& kind = norm_kinds[0])
      : eps_(eps), centered_(kind.centered) {
    if (kind.weight) weight_.emplace(name + ".weight", Shape{width}, init_constant(1));
    if (kind.bias) bias_.emplace(name + ".bias", Shape{width}, init_constant(0));
  }

  // x [N, width] -> [N, width]
  Var operator()(Tape& tape, Var x) const {
    const Var in = centered_ ? centered(tape, x) : x;
    const Var y = gated_rmsnorm(tape, in, {}, leaf(tape, weight_), leaf(tape, bias_), {.eps = eps_});
    if (centered_) tape.forget(in);
    return y;
  }
  void operator()(Exec& exec, const View& x, const View& y) const {
    View in = x;
    const ArenaScope scope(exec.scratch);
    if (centered_) {
      in = exec.scratch.allocate(x.dtype, x.shape);
      centered(exec, x, in);
    }
    gated_rmsnorm(exec, in, {}, value(weight_), value(bias_), {.eps = eps_}, y);
  }
  void visit(ParameterVisitor& visitor) {
    if (weight_) visitor.visit(*weight_);
    if (bias_) visitor.visit(*bias_);
  }

 private:
  static Var leaf(Tape& tape, const std::optional<Parameter>& p) { return p ? tape.leaf(p->value, p->grad) : Var(); }
  static View value(const std::optional<Parameter>& p) { return p ? p->value.view() : View(); }

  std::optional<Parameter> weight_, bias_;
  double eps_;
  bool centered_;
};

}  // namespace statera
