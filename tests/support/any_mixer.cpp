#include "support/any_mixer.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <tuple>

#include "core/check.hpp"
#include "io/json.hpp"
#include "models/language_model.hpp"
#include "support/paths.hpp"

namespace statera::test {

namespace {
constexpr std::pair<std::string_view, Keeps> kinds[] = {
    {"fixed", Keeps::fixed}, {"growing", Keeps::growing}, {"windowed", Keeps::windowed}};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The state of a mixer; nothing if it cannot stand in a model of this width.
std::optional<StateLayout> layout_of(const std::string& block, int64_t d_model) {
  try {
    LossNames losses;
    const auto mixer = make_mixer({block, "cases.json"}, {.d_in = d_model,
                                                          .d_out = d_model,
                                                          .layer = 0,
                                                          .residual_scale = 1,
                                                          .scope = "layers.0.mixer",
                                                          .make = make_mixer,
                                                          .make_stack = make_inner_stack,
                                                          .losses = &losses});
    StateLayout layout;
    mixer->declare(SlotScope(layout));
    return layout;
  } catch (const Error& error) {
    require(error.code() == ErrorCode::config, error.code(), error.what());
    return {};
  }
}

std::optional<Keeps> kept_by(const StateLayout& layout) {
  if (layout.slots.empty()) return {};
  std::optional<Keeps> kept = Keeps::fixed;
  for (const StateSlot& slot : layout.slots)
    if (slot.grows) kept = slot.window > 0 ? Keeps::windowed : Keeps::growing;
  return kept;
}

// {"any": "growing"} becomes such a mixer.
void fill_in(nlohmann::json& block, int64_t d_model) {
  if (!block.is_structured()) return;
  if (block.is_object() && block.size() == 1 && block.contains("any")) {
    const std::string word = block["any"];
    const auto kind = std::ranges::find(kinds, word, [](const auto& k) { return k.first; });
    require(kind != std::end(kinds), ErrorCode::config, "\"any\" is '", word, "'; known: fixed, growing, windowed");
    block = parse_json(any_mixer(kind->second, d_model), "any_mixer");
    return;
  }
  for (auto& part : block) fill_in(part, d_model);
}

// In the order of each file.
std::vector<MixerCase> cases_in(const std::string& room) {
  std::vector<std::string> paths;
  for (const auto& folder : std::filesystem::directory_iterator(source_path(room)))
    if (const std::string path = folder.path().string() + "/cases.json"; std::filesystem::exists(path))
      paths.push_back(path);
  std::ranges::sort(paths);
  std::vector<MixerCase> cases;
  for (const std::string& path : paths)
    for (auto c : parse_json(text_of(path), path)) {
      const int64_t d_model = c["d_model"];
      fill_in(c["mixer"], d_model);
      cases.push_back({c["mixer"]["type"], c["name"], c["mixer"].dump(), d_model, c.value("surrogate", false)});
    }
  require(!cases.empty(), ErrorCode::config, "no cases.json with a case in ", room);
  return cases;
}

const std::vector<MixerCase>& registered_cases() {
  static const std::vector<MixerCase> cases = cases_in("src/mixers");
  return cases;
}

// What stands in `deleted-mixers.txt` of a tree that tools/delete_mixer.py has made.
std::string excuse(const std::string& what) {
  const std::string deleted = text_of(source_path("deleted-mixers.txt"));
  require(!deleted.empty(), ErrorCode::config, "the registry has ", what,
          ", and this is no tree of tools/delete_mixer.py, which alone may lack one");
  return "the registry has " + what + "; deleted: " + deleted;
}

std::string without(Keeps what) {
  const auto kind = std::ranges::find(kinds, what, [](const auto& k) { return k.second; });
  return "no mixer whose state is " + std::string(kind->first);
}

// A mixer with an inner stack is no stand-in for one without: it counts positions in more than one way.
bool nests(const StateLayout& layout) { return layout.clocks > 1; }

// Finest chunks first, so that it matters where a text is cut; then in the order of the files.
std::string best_case(Keeps what, int64_t d_model) {
  std::string best;
  int64_t finest = State::most_grid + 1;
  for (const MixerCase& c : registered_cases()) {
    const auto layout = layout_of(c.block, d_model);
    if (!layout || nests(*layout) || kept_by(*layout) != what) continue;
    const int64_t grid = layout->grid > 1 ? layout->grid : State::most_grid;
    if (grid < finest) finest = grid, best = c.block;
  }
  return best;
}
}  // namespace

const std::vector<MixerCase>& mixer_cases() {
  static const std::vector<MixerCase> all = [] {
    std::vector<MixerCase> cases = registered_cases();
    for (MixerCase& c : cases_in("tests/bodies")) cases.push_back(std::move(c));
    std::ranges::sort(cases, {}, [](const MixerCase& c) { return c.type + " " + c.name; });
    return cases;
  }();
  return all;
}

std::string any_mixer(Keeps what, int64_t d_model) {
  if (std::string block = best_case(what, d_model); !block.empty()) return block;
  excuse(without(what));
  for (const Keeps other : {Keeps::growing, Keeps::fixed})
    if (std::string block = best_case(other, d_model); !block.empty()) return block;
  fail(ErrorCode::config, "no case of a mixer has a state at a width of ", d_model);
}

std::string two_mixers(int64_t d_model) {
  const std::string first = any_mixer(Keeps::fixed, d_model);
  std::string second = any_mixer(Keeps::growing, d_model);
  for (const MixerCase& c : registered_cases()) {
    if (second != first) break;
    if (const auto layout = layout_of(c.block, d_model); layout && !nests(*layout) && kept_by(*layout))
      second = c.block;
  }
  require(second != first, ErrorCode::config, "the cases have no two mixers with a state at a width of ", d_model);
  return R"({"m": )" + first + R"(, "A": )" + second + "}";
}

std::string config_of(Keeps what, int64_t d_model, const std::string& layers, const std::string& more) {
  return "{\"d_model\": " + std::to_string(d_model) + ", \"mixers\": {\"m\": " + any_mixer(what, d_model) +
         "}, \"layers\": \"" + layers + "\"" + (more.empty() ? "" : ", " + more) + "}";
}

std::string case_for_width(const std::string& type, int64_t d_model) {
  for (const MixerCase& c : registered_cases())
    if (c.type == type && layout_of(c.block, d_model)) return c.block;
  fail(ErrorCode::config, "no case of ", type, " fits a width of ", d_model);
}

std::vector<std::string> sequence_mixer_types() {
  std::vector<std::string> types;
  for (const MixerCase& c : registered_cases())
    if (const auto layout = layout_of(c.block, c.d_model);
        layout && layout->clocks == 1 && kept_by(*layout) && std::ranges::find(types, c.type) == types.end())
      types.push_back(c.type);
  return types;
}

std::string any_preset(Keeps what, const std::string& size) {
  std::vector<std::tuple<bool, int64_t, std::string>> found;  // the best comes first
  for (const std::string& name : ModelConfig::presets()) {
    if (!name.starts_with(size + "-")) continue;
    const ModelConfig config = ModelConfig::load(name);
    bool all = true;
    int64_t grid = State::most_grid;
    for (const auto& [letter, block] : config.mixers) {
      const auto layout = layout_of(block, config.d_model);
      require(layout.has_value(), ErrorCode::config, "the preset ", name, " is impossible");
      all &= kept_by(*layout) == what;
      if (layout->grid > 1) grid = std::min(grid, layout->grid);
    }
    found.emplace_back(!all, grid, name);
  }
  std::ranges::sort(found);
  require(!found.empty(), ErrorCode::config, "no preset of the size ", size);
  if (std::get<0>(found.front())) excuse(without(what));
  return std::get<2>(found.front());
}

ModelConfig hybrid(const std::string& layers) {
  return ModelConfig::parse(R"({"format_version": 1, "d_model": 72, "residual_init": "zero", "mixers": )" +
                                two_mixers(72) + R"(, "mlp": {"type": "swiglu", "d_ff": 136}, "layers": ")" + layers +
                                "\"}",
                            "hybrid");
}

std::string lacking(const std::vector<std::string>& types) {
  const auto known = mixer_types();
  for (const std::string& type : types)
    if (std::ranges::find(known, type) == known.end()) return excuse("no mixer '" + type + "'");
  return "";
}

std::string lacking(Keeps what) {
  const auto& cases = registered_cases();
  const bool there = std::ranges::any_of(cases, [&](const MixerCase& c) {
    const auto layout = layout_of(c.block, c.d_model);
    return layout && kept_by(*layout) == what;
  });
  return there ? "" : excuse(without(what));
}

}  // namespace statera::test
