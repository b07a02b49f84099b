// Mixers for tests that need some mixer and not one by name: chosen from the registry and from the cases in the mixers'
// own folders (src/mixers/*/cases.json), so that a mixer can be deleted and the tests go on with another.
//
// Where the registry has no mixer with what is asked for, the nearest one stands in, and a test that needs it skips
// itself (STATERA_NEEDS). Both only in a tree that tools/delete_mixer.py has made: in any other they are an error.
#pragma once
#include <string>
#include <vector>

#include "statera/config.hpp"

namespace statera::test {

// What a sequence mixer remembers of a sequence.
enum class Keeps {
  fixed,     // a state of one size; with chunks, if there is one
  growing,   // something of every position
  windowed,  // something of the last positions
};

struct MixerCase {
  std::string type, name, block;  // block: its config, JSON
  int64_t d_model;
  bool surrogate = false;  // its gradient is on purpose not that of its function: golden files check it
};

// The cases of all mixers and of those that only tests have, sorted by type and name. Where a block has an object
// {"any": "growing"}, it stands for that of any_mixer().
const std::vector<MixerCase>& mixer_cases();

// The config of a mixer that can stand in a model of this width: {"type": ...}.
std::string any_mixer(Keeps what, int64_t d_model);
// {"m": one of a fixed state, "A": a growing one}, as "mixers" of a config. Two different ones at least.
std::string two_mixers(int64_t d_model);
std::string case_for_width(const std::string& type, int64_t d_model);  // one of that type
// Of the registry: those that remember something and have no stack of their own.
std::vector<std::string> sequence_mixer_types();

// A config of such layers, all called "m": {"d_model", "mixers", "layers"}. `more`: keys and values of the same object.
std::string config_of(Keeps what, int64_t d_model, const std::string& layers = "m", const std::string& more = "");

// The name of a preset whose layers all keep `what`.
std::string any_preset(Keeps what, const std::string& size = "tiny");
// A model of a preset's size with layers of both kinds; its layers change nothing at first, as in presets.
ModelConfig hybrid(const std::string& layers = "m2 A m");

// What the registry lacks of these types or of this kind, as a reason to skip a test; "" if nothing. Throws config
// unless the tree says that a mixer was deleted.
std::string lacking(const std::vector<std::string>& types);
std::string lacking(Keeps what);

}  // namespace statera::test

#define STATERA_NEEDS(...) \
  if (const std::string lacks = ::statera::test::lacking(__VA_ARGS__); !lacks.empty()) GTEST_SKIP() << lacks
