// A memory of n-grams: rows of large tables, found by hashes of the last ids (ngram.md). Without a gate, what it
// returns does not depend on the residual stream. Ownership and thread safety are those of every Mixer
// (mixers/mixer.hpp).
#pragma once
#include <optional>

#include "mixers/mixer.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "nn/table.hpp"
#include "statera/fields.hpp"

namespace statera {

struct NgramConfig {
  int64_t order = 4, heads = 1, rows = 1 << 16, width = 0, d_conv = 0;
  double lr_scale = 1;
  bool gate = false;

  void visit(FieldVisitor& v) {
    v.field("order", order, "longest n-gram; there are tables for each length from 2 on");
    v.field("heads", heads,
            "tables per length, each with a hash of its own, so that two n-grams seldom share all rows");
    v.field("rows", rows, "rows per table, a power of 2");
    v.field("width", width,
            "columns of a table; the rows found are concatenated and projected. 0: as wide as the output, and added");
    v.field("gate", gate,
            "multiply the projected rows by a gate in [0, 1], larger if they agree with the input; needs a width");
    v.field("d_conv", d_conv,
            "width of a causal convolution over the gated rows, added to them; needs the gate. 0: none");
    v.field("lr_scale", lr_scale, "factor of the learning rate of the tables");
  }
};

class Ngram : public Mixer {
 public:
  // Throws ErrorCode::config for an unknown key or an impossible size.
  Ngram(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const override;
  void declare(SlotScope slots) const override;
  void visit_parameters(ParameterVisitor& visitor) override;
  Cost cost(Pass pass, int64_t length, int64_t context) const override;

 private:
  int64_t tables() const { return (config_.order - 1) * config_.heads; }
  // The rows that each position reads, [N, tables()], in `memory`. initial and last: [S], or null.
  std::span<const int32_t> find(Exec& exec, Arena& memory, DType dtype, std::span<const int32_t> ids, const Rows& rows,
                                const void* const* initial, void* const* last) const;
  // Eqs. 5 and 6, of the input and of what was found.
  Var gated(ForwardPass& pass, Var x, Var found, const Rows& rows, const At& at) const;
  void gated(AdvancePass& pass, const View& x, const View& found, const Rows& rows, const At& at, const View& y) const;

  NgramConfig config_;
  int64_t d_out_;
  Table table_;                // [tables() rows, width]; zero at first where it is the output
  std::optional<Linear> out_;  // with a width of its own
  // With a gate (eq. 5): what the stream is compared with, and both norms.
  std::optional<Linear> key_;
  std::optional<Norm> stream_norm_, key_norm_;
  // With a convolution (eq. 6).
  std::optional<Norm> conv_norm_;
  std::optional<Parameter> conv_;  // [d_out, d_conv]; zero at first
};

}  // namespace statera
