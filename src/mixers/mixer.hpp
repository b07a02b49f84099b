// A mixer turns [N, d_in] into [N, d_out]: a sequence mixer moves information between positions, a channel mixer (an
// MLP) between channels. There is no other kind of layer; what differs is whether it remembers anything. One folder and
// one line in registry.cpp each; models/ adds those that are made of others.
//
// Thread safety: const calls from several threads are safe with their own tapes, passes and states.
#pragma once
#include <map>
#include <memory>
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

namespace statera {

struct Mixer;
struct Place;

// Makes the mixer that the object's "type" names. Throws config for an unknown type (lists the known ones), key or
// impossible shape.
using MakeMixer = std::unique_ptr<Mixer> (*)(const JsonText& config, const Place& place);

// Values that stand beside the residual stream of one stack: one mixer sets them, later ones read them. Listed while
// the mixers are made, in the order in which they run, so that a value is set before it is read.
class SideValues {
 public:
  // The number of a value [N, width], to set or to read with. Throws config if it is set twice, read before it is set,
  // or has another width.
  size_t set(const std::string& name, int64_t width, const std::string& where);
  size_t read(const std::string& name, int64_t width, const std::string& where);
  int64_t width(const std::string& name, const std::string& where) const;
  size_t count() const { return all_.size(); }
  int64_t width(size_t number) const { return all_[number].width; }

  // The numbers that were read and set since the last call: those of one layer.
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

// Auxiliary losses of a whole model (the balance of experts, the rate of segments), by number; each is a scalar that
// its mixer has weighted.
using LossNames = std::vector<std::string>;

// Mixers whose weights several sublayers of a stack use, by name. Each use has slots of its own.
struct SharedMixer {
  std::unique_ptr<Mixer> mixer;
  int64_t d_in, d_out;
};
using SharedMixers = std::map<std::string, SharedMixer>;

// Where in the model a mixer stands.
struct Place {
  int64_t d_in, d_out;
  int layer;
  double residual_scale;  // factor of the initial weights that write into the residual stream: LinearOptions::scale of
                          // the output projection
  std::string scope;      // "layers.3.mixer": the prefix of its parameters
  MakeMixer make = nullptr;    // for mixers that are made of others
  SideValues* side = nullptr;  // of the stack that it stands in
  LossNames* losses = nullptr;
  SharedMixers* shared = nullptr;  // of the stack, for its sublayers
};

// One pass in training: what there is beside x and its rows. What holds for one sequence is in the order of the batch.
struct ForwardPass {
  Tape& tape;
  Dropout dropout = {};
  // by slot, [S, ...] each: the state that the sequences go on from; empty: zeros for all
  std::span<const Var> initial = {};
  std::span<Var> last = {};  // by slot: to set, the state behind the last row of each sequence; empty: nobody asks
  // [clocks * S] positions that the inner stacks had read at `initial`; empty with it
  std::span<const int64_t> started = {};
  std::span<int64_t> ended = {};  // [clocks * S] to set by the inner stacks; empty with `last`
  std::span<Var> side = {};       // by number, of this stack
  std::span<Var> losses = {};     // by number
};

// One call of inference.
struct AdvancePass {
  Exec exec;
  int64_t max_keys = 0;                 // attention sees at most so many positions, its own included; 0: all
  std::span<State* const> states = {};  // [S]
  std::span<View> side = {};            // by number, of this stack: [N, width], to write or to read
};

// The number of a mixer's first slot, and of its first own clock.
struct At {
  size_t slot = 0, clock = 1;
  friend At operator+(const At& at, const At& offset) { return {at.slot + offset.slot, at.clock + offset.clock}; }
};

enum class Pass { forward, backward, step };

struct Cost {
  double flops = 0;        // minimal algorithmic, per position
  double state_bytes = 0;  // of one sequence at that context
};

struct Mixer {
  virtual ~Mixer() = default;
  // Training. x [N, d_in] -> [N, d_out]. Its slots and clocks are those from `at` on. What it makes it returns or hands
  // to `pass`, so that a segment can be computed again. A sequence whose rows.start is 0 begins with a zero state
  // whatever `initial` holds. Values that are cheap to make again should be forgotten here (Tape::forget).
  virtual Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const = 0;
  // Inference: prefill, step and verify, any number of rows per sequence. x [N, d_in] -> y [N, d_out]; states are read
  // and moved on. Whoever owns the clock has reserved room in them and sets their position afterwards (on entry it
  // equals rows.start).
  virtual void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const = 0;
  virtual void declare(SlotScope) const {}  // its slots, in order; none without memory
  virtual void visit_parameters(ParameterVisitor&) = 0;
  virtual Cost cost(Pass, int64_t length, int64_t context) const = 0;
};

// How many slots and clocks a mixer has: the offset of the mixer that comes next.
inline At extent(const Mixer& mixer) {
  StateLayout layout;
  mixer.declare(SlotScope(layout));
  return {layout.slots.size(), layout.clocks - 1};
}

// The types that stand in folders of their own; make_mixer makes these alone.
std::unique_ptr<Mixer> make_mixer(const JsonText& config, const Place& place);
std::vector<std::string_view> mixer_types();
std::string_view default_mlp_type();  // of a config's "mlp" that names none
// Visits the fields of each type's config, with their defaults, by the visitor that `visitor` returns for the type.
void visit_mixer_configs(FunctionRef<FieldVisitor&(std::string_view type)> visitor);

}  // namespace statera
