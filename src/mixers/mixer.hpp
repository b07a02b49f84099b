// A sequence mixer: what moves information between positions. One folder and one line in registry.cpp each.
//
// Thread safety: const calls from several threads are safe with their own tapes, contexts and states.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/exec.hpp"
#include "core/rows.hpp"
#include "io/json_fields.hpp"
#include "mixers/state.hpp"
#include "statera/parameter.hpp"
#include "statera/tape.hpp"

namespace statera {

// Where in the model a mixer stands.
struct Place {
  int64_t d_in, d_out;
  int layer;
  double residual_scale;  // factor of the initial weights that write into the residual stream: LinearOptions::scale of the output projection
  std::string scope;      // "layers.3.mixer": the prefix of its parameters
};

// A state in training, in the order that the mixer likes, [S, ...] each: for truncated backpropagation through time.
struct StateVars {
  static constexpr size_t most = 4;
  std::array<Var, most> vars{};
  size_t count = 0;
  void push_back(Var var) { vars.at(count++) = var; }
};

struct MixerOut {
  Var y;           // [N, d_out]
  StateVars last;  // after the last row of each sequence; empty unless it was asked for
};

// What inference brings beside its inputs.
struct Context {
  Exec exec;
  int64_t max_keys = 0;  // attention sees at most so many positions, its own included; 0: all
};

enum class Pass { forward, backward, step };

struct Cost {
  double flops = 0;         // minimal algorithmic, per position
  double weight_bytes = 0;  // read once per call
  double state_bytes = 0;   // of one sequence at that context
};

struct Mixer {
  virtual ~Mixer() = default;
  // Training. x [N, d_in]. Pure: what it makes it returns, so that a segment can be recomputed. `initial` null: zeros. A sequence
  // whose rows.start is 0 begins with a zero state whatever `initial` holds.
  // Values that are cheap to make again should be forgotten here (Tape::forget).
  virtual MixerOut forward(Tape&, Var x, const Rows&, const StateVars* initial, bool wants_last) const = 0;
  // Inference: prefill, step and verify, any number of rows a sequence. x [N, d_in] -> y [N, d_out]; states [S] are read and
  // moved on; the caller has reserved room in them and sets their position afterwards (on entry it equals rows.start).
  virtual void advance(Context&, const View& x, const Rows&, std::span<State* const> states, const View& y) const = 0;
  virtual StateLayout state_layout() const = 0;
  // How far back growing tensors are read: the window; 0: all. Blocks before may be dropped.
  virtual int64_t window() const { return 0; }
  virtual void visit_parameters(ParameterVisitor&) = 0;
  virtual Cost cost(Pass, int64_t length, int64_t context) const = 0;
};

// Makes the mixer that block["type"] names. Throws config for an unknown type (lists the known ones), key or impossible shape.
std::unique_ptr<Mixer> make_mixer(const JsonText& block, const Place& place);
std::vector<std::string_view> mixer_types();
// Visits the fields of each type's config, with their defaults, by the visitor that `visitor` returns for the type.
void visit_mixer_configs(FunctionRef<FieldVisitor&(std::string_view type)> visitor);

}  // namespace statera
