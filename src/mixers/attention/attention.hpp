// The attention mixer: causal, with grouped heads and rotary positions; optionally with a window, normalised queries
// and keys, and a short convolution. See attention.md. Ownership and thread safety are those of every Mixer
// (mixers/mixer.hpp).
#pragma once
#include "statera/fields.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"
#include "ops/attention/attention.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "ops/rope/rope.hpp"

namespace statera {

struct AttentionConfig {
  int64_t n_heads = 0, n_kv_heads = 0, headdim = 0;
  bool rope = true, rope_interleaved = false;
  double rope_theta = 10000;
  int64_t rotary_dim = 0, window = 0, d_conv = 0;
  bool qk_norm = false, bias = false;
  double norm_eps = 1e-5;

  void visit(FieldVisitor& v) {
    v.field("n_heads", n_heads, "number of query heads");
    v.field("n_kv_heads", n_kv_heads, "number of key and value heads, a divisor of n_heads; 0: n_heads");
    v.field("headdim", headdim, "channels per head; 0: d_model / n_heads");
    v.field("rope", rope, "rotary position embeddings (RoPE); false: no positions");
    v.field("rope_theta", rope_theta, "base of the rotary frequencies");
    v.field("rotary_dim", rotary_dim, "channels per head that RoPE rotates, from the first on; 0: headdim");
    v.field("rope_interleaved", rope_interleaved,
            "RoPE rotates pairs of neighbouring channels instead of pairs from the two halves");
    v.field("window", window, "sliding window: positions that a query sees, its own included; 0: all");
    v.field("qk_norm", qk_norm, "RMS norm per head of q and k, with learned weights, before RoPE");
    v.field("norm_eps", norm_eps, "epsilon of qk_norm");
    v.field("d_conv", d_conv, "width of a short causal convolution over q, k and v; 0: none");
    v.field("bias", bias, "the projections have biases");
  }
  // Reads and checks a config and fills in n_kv_heads, headdim and rotary_dim where they are 0. Throws
  // ErrorCode::config for an unknown key, a wrong type or a value out of range.
  static AttentionConfig read(const JsonText& config, int64_t d_model);
};

class AttentionMixer : public Mixer {
 public:
  // Throws what AttentionConfig::read throws.
  AttentionMixer(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const override;
  void declare(SlotScope slots) const override;
  void visit_parameters(ParameterVisitor&) override;
  // Forward and backward: the mean over a new sequence of `length` positions. A step: with `context` positions before
  // it.
  Cost cost(Pass, int64_t length, int64_t context) const override;

 private:
  AttentionConfig config_;
  int64_t q_width_, kv_width_;  // channels of q; of k and also of v
  AttentionOptions options_;
  RopeOptions rope_;          // for the heads of q and k, which lie side by side
  GatedRmsnormOptions norm_;  // for the same heads
  Linear qkv_proj_, o_proj_;
  Parameter conv_weight_, norm_weight_;
};

}  // namespace statera
