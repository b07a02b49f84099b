// An inner stack that reads segments instead of positions: a router cuts the sequence, the stack reads one row per cut,
// and its results come back smoothed, beside a residual. See hnet.md. Ownership and thread safety are those of every
// Mixer (mixers/mixer.hpp).
#pragma once
#include <optional>

#include "kernels/boundaries.hpp"
#include "mixers/hnet/cuts.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"
#include "ops/dechunk/dechunk.hpp"
#include "statera/fields.hpp"

namespace statera {

struct HnetConfig {
  std::string router = "learned", cut_at = " \t\n\r", confidence = "straight_through";
  double ratio = 6, ratio_from = 0, ratio_weight = 0.03, lr_scale = 1;

  void visit(FieldVisitor& v) {
    v.field("router", router,
            "what cuts the sequence: learned (by how much neighbours differ), stride (every `ratio` positions) or "
            "spaces (at a byte of `cut_at` that follows one that is not)");
    v.field("cut_at", cut_at, "the bytes at which the router spaces cuts");
    v.field("ratio", ratio, "positions per segment: the target of the learned router, the distance of stride");
    v.field("ratio_from", ratio_from,
            "the target at the start of training, from which it moves to `ratio` in equal steps; 0: `ratio`");
    v.field("ratio_weight", ratio_weight, "weight of the loss that holds the learned router to its target; 0: none");
    v.field("confidence", confidence,
            "what the router's confidence does to the results: straight_through (only its gradient counts), plain "
            "(they are multiplied by it) or none");
    v.field("lr_scale", lr_scale, "factor of the learning rate of the inner stack");
    v.nested(
        "stack", "{}",
        "the inner stack, an object with keys of a config: layers, mixers, mlp, blocks, shared, inner, d_model, norm, "
        "norm_eps and residual_init");
  }
};

class Hnet : public Mixer {
 public:
  // Throws ErrorCode::config for an unknown key, an impossible size, or a stack that is narrower than what surrounds
  // it.
  Hnet(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const override;
  void declare(SlotScope slots) const override;
  void visit_parameters(ParameterVisitor& visitor) override;
  Cost cost(Pass pass, int64_t length, int64_t context) const override;
  static const InnerPace pace;

 private:
  struct Routed {
    Var p;
    Boundaries cuts;
  };
  bool learned() const { return config_.router == "learned"; }
  bool by_ids() const { return config_.router == "spaces"; }
  int64_t every() const { return config_.router == "stride" ? static_cast<int64_t>(config_.ratio) : 0; }
  int64_t break_every() const { return every() > 0 ? 0 : StateLayout::unknown_pace_grid; }
  size_t router_slots() const { return learned() || by_ids() ? 1 : 0; }
  int64_t router_state() const { return learned() ? d_outer_ : 1; }  // its width
  Var route(ForwardPass& pass, Var x, const Rows& rows, const At& at) const;
  void route(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& p) const;
  void route_fixed(Exec& exec, std::span<const int32_t> ids, const Rows& rows, const void* const* initial,
                   void* const* last, const View& p) const;

  HnetConfig config_;
  Confidence confidence_;
  CutIds cut_at_{};
  int64_t d_outer_, d_inner_;
  std::optional<Linear> q_proj_, k_proj_;  // of the learned router
  Linear residual_proj_;
  std::optional<Parameter> pad_;  // [d_inner - d_outer], appended to each row that the stack reads
  std::unique_ptr<Mixer> stack_;
  std::optional<size_t> loss_;  // index of the ratio loss
};

}  // namespace statera
