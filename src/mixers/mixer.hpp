// A mixer turns [N, d_in] into [N, d_out]. A sequence mixer moves information between positions, a channel mixer (an
// MLP) between channels. There is no other kind of layer: they differ only in whether they have state slots. Each mixer
// has a folder of its own and one line in registry.cpp; models/ adds the mixers that consist of others.
//
// Ownership: a mixer owns its parameters, never states. Thread safety: const members may be called from several
// threads, each with its own tape, pass and states.
#pragma once
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exec.hpp"
#include "core/rows.hpp"
#include "io/json_fields.hpp"
#include "mixers/state.hpp"
#include "ops/dropout/dropout.hpp"
#include "statera/parameter.hpp"
#include "statera/tape.hpp"
#include "statera/tokens.hpp"

namespace statera {

struct Mixer;
struct Place;

// Makes the mixer that "type" in `config` names. Throws ErrorCode::config for an unknown type (the message lists the
// known ones), an unknown key or an impossible shape.
using MakeMixer = std::unique_ptr<Mixer> (*)(const JsonText& config, const Place& place);

// The values that stand beside the residual stream of one stack: one mixer sets a value, later ones read it. Mixers are
// made in the order in which they run and register their values here, so a value is known to be set before it is read.
//
// Owned by the stack. It changes only while the stack is made, in one thread.
class SideValues {
 public:
  // Registers that a mixer sets or reads a value [N, width], and returns its index in ForwardPass::side and
  // AdvancePass::side. `where` names the mixer in messages. Throws ErrorCode::config if the value is set twice, read
  // before it is set, or read with another width.
  size_t set(const std::string& name, int64_t width, const std::string& where);
  size_t read(const std::string& name, int64_t width, const std::string& where);
  int64_t width(const std::string& name, const std::string& where) const;
  size_t count() const { return all_.size(); }
  int64_t width(size_t number) const { return all_[number].width; }

  // The indices that were read and set since the last call: those of one layer.
  struct Used {
    std::vector<size_t> read, set;
  };
  Used take_used() { return std::exchange(used_, {}); }

 private:
  struct Side {
    std::string name;
    int64_t width;
  };
  std::vector<Side> all_;
  Used used_;
};

// The auxiliary losses of a whole model (the load balance of experts, the rate of segments), by index. Each is a scalar
// that its mixer has already weighted.
using LossNames = std::vector<std::string>;

// Mixers that several sublayers of a stack share, weights included, by name. Each use has state slots of its own.
struct SharedMixer {
  std::unique_ptr<Mixer> mixer;
  int64_t d_in, d_out;
};
using SharedMixers = std::map<std::string, SharedMixer>;

// Where in the model a mixer stands. Borrowed by the constructor of the mixer, which must not keep it.
struct Place {
  int64_t d_in, d_out;
  int layer;
  // factor of the initial weights that write into the residual stream, for LinearOptions::scale of the output
  // projection
  double residual_scale;
  std::string scope;         // the prefix of its parameters: "layers.3.mixer"
  MakeMixer make = nullptr;  // makes the inner mixers of a mixer that consists of others
  // Makes a stack of layers, followed by a norm, from "layers", "mixers" and so on as in a model's config. It reads
  // rows of its own: its owner declares it with SlotScope::with_clock(), its clock is at.clock - 1 of what it is called
  // with, and in training the owner sets the clock's entry of `ended`.
  MakeMixer make_stack = nullptr;
  SideValues* side = nullptr;      // the side values of its stack
  LossNames* losses = nullptr;     // the auxiliary losses of the model
  SharedMixers* shared = nullptr;  // the shared mixers of its stack, for the sublayers of that
  int64_t ids = 256;               // how many different ids the model reads; 256 are bytes
};

// What a mixer gets in training beside x and its rows. Per-sequence entries are in the order of the batch. Borrows what
// it refers to. Like the tape, for one thread.
struct ForwardPass {
  Tape& tape;
  // [N] what the model reads at each row, in tape memory. Empty in a stack on a clock of its own, whose rows are
  // others.
  std::span<const int32_t> ids = {};
  Dropout dropout = {};
  // By slot, [S, ...] each: the states from which the sequences continue. Empty: all zeros.
  std::span<const Var> initial = {};
  std::span<Var> last = {};  // by slot: set these to the states after the last row of each sequence; empty: not wanted
  // [clocks * S] positions that the inner stacks had read at `initial`; empty where that is.
  std::span<const int64_t> started = {};
  std::span<int64_t> ended = {};  // [clocks * S] the same at `last`, for inner stacks to set; empty where that is
  std::span<Var> side = {};       // the side values of this stack, by index
  std::span<Var> losses = {};     // the auxiliary losses, by index, to set
  // [clocks] how much each inner stack read, for its owner to set; empty: not wanted
  std::span<InnerRows> inner_rows = {};
  double progress = 1;  // how much of the training is done, 0 to 1, for targets that move
};

// What a router decided about the rows of a pass in inference, call after call.
struct Cuts {
  std::vector<float> probability;  // of each row
  std::vector<int64_t> rows;       // those at which the inner stack read, counted from the first row here
  void add(const View& p, std::span<const int32_t> cut);  // p [N], f32 or f64
};

// What a mixer gets in inference beside x and its rows. Borrows what it refers to: during the call nobody else may use
// these states and this scratch memory.
struct AdvancePass {
  Exec exec;
  std::span<const int32_t> ids = {};    // as in ForwardPass
  int64_t max_keys = 0;                 // attention sees at most this many positions, its own included; 0: all
  std::span<State* const> states = {};  // [S]
  std::span<View> side = {};            // the side values of this stack, by index, [N, width] each, to write or to read
  std::span<Cuts> cuts = {};            // by clock, for the owners of inner stacks to add to; empty: not wanted
};

// The index of a mixer's first slot, and of the first clock of its own.
struct At {
  size_t slot = 0, clock = 1;
  friend At operator+(const At& at, const At& offset) { return {at.slot + offset.slot, at.clock + offset.clock}; }
};

enum class Pass { forward, backward, step };

struct Cost {
  double flops = 0;        // of the plain algorithm, per position
  double state_bytes = 0;  // per sequence, at the given context
};

struct Mixer {
  virtual ~Mixer() = default;
  // Training: x [N, d_in] -> [N, d_out]. Its slots and clocks are numbered from `at` on. It returns what it makes or
  // puts it into `pass` and has no other effects, so that backward may run a segment again. A sequence whose rows.start
  // is 0 starts from a zero state, whatever `initial` holds. Values that are cheap to recompute should be dropped here
  // (Tape::forget).
  virtual Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const = 0;
  // Inference, for any number of rows per sequence: x [N, d_in] -> y [N, d_out]. Reads and updates pass.states. The
  // owner of the clock has called State::reserve() before, and sets the position afterwards; on entry it equals
  // rows.start.
  virtual void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const = 0;
  virtual void declare(SlotScope) const {}  // declares its slots, in order; none without memory
  virtual void visit_parameters(ParameterVisitor&) = 0;
  virtual Cost cost(Pass, int64_t length, int64_t context) const = 0;
};

// How many slots and clocks a mixer has, as the offset to the next mixer.
inline At extent(const Mixer& mixer) {
  StateLayout layout;
  mixer.declare(SlotScope(layout));
  return {layout.slots.size(), layout.clocks - 1};
}

// make_mixer() knows only the types that have a folder here; mixer_types() lists them.
std::unique_ptr<Mixer> make_mixer(const JsonText& config, const Place& place);
std::vector<std::string_view> mixer_types();
std::string_view default_mlp_type();  // the type of a config's "mlp" that names none

// What the inner stack of a mixer reads can differ from what its config aims at. These change a config of its type to
// what was measured or is wanted.
struct InnerPace {
  // Costs become those of reading one of `ratio` > 1 positions, if the distance of the cuts is not fixed.
  void (*set_ratio)(nlohmann::ordered_json& config, double ratio);
  // Cuts that are learned become cuts at equal distances of what they aim at.
  void (*cut_evenly)(nlohmann::ordered_json& config);
};
const InnerPace* inner_pace(std::string_view type);  // null: a mixer without inner stack, or an unknown type

// Visits the fields of the config of each type, at their defaults. `visitor` returns the FieldVisitor to use for a
// type; `since` is the format_version of configs that first had the type.
void visit_mixer_configs(FunctionRef<FieldVisitor&(std::string_view type, int64_t since)> visitor);

}  // namespace statera
