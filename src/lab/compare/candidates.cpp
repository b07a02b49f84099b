#include "lab/compare/candidates.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/units.hpp"
#include "models/presets.hpp"
#include "statera/data.hpp"

namespace statera {

namespace {
// Calls body(size, kind) for every preset; their names are SIZE-KIND.
template <class Body>
void for_each_preset(Body body) {
  for (const std::string& name : ModelConfig::presets())
    if (const size_t dash = name.find('-'); dash != std::string::npos)
      body(name.substr(0, dash), name.substr(dash + 1));
}

// "; did you mean 'NAME'? Known: " or "; known: ".
std::string hint_of(const std::string& word, const std::vector<std::string>& names) {
  const std::string hint = did_you_mean(word, std::vector<std::string_view>(names.begin(), names.end()));
  return hint.empty() ? "; known: " : hint + " Known: ";
}

Candidate find_candidate(const std::string& spec, const std::string& size) {
  const std::vector<std::string> presets = ModelConfig::presets();
  const auto known = [&](const std::string& name) {
    return std::find(presets.begin(), presets.end(), name) != presets.end();
  };
  const std::filesystem::path path(spec);
  const std::string base = std::filesystem::exists(path) ? spec : spec.substr(0, spec.find('+'));
  if (known(size + "-" + base)) return {spec, ModelConfig::load(size + "-" + spec)};
  if (known(base)) return {spec, ModelConfig::load(spec)};
  std::vector<std::string> names = preset_kinds(size);
  names.insert(names.end(), presets.begin(), presets.end());
  std::string more;
  for (const std::string& addition : ModelConfig::additions())
    more += (more.empty() ? "; with additions: " : ", ") + usual_kinds().front() + "+" + addition;
  require(std::filesystem::exists(path), ErrorCode::config, "unknown candidate ", in_quotes(spec), hint_of(base, names),
          joined(preset_kinds(size)), "; or a preset of another size (", joined(preset_sizes()), "), as in base-",
          usual_kinds().front(), ", or a JSON file", more);
  const std::string name = (path.has_filename() ? path : path.parent_path()).stem().string();
  require(!name.empty() && name != "." && name != "..", ErrorCode::config, "candidate '", spec,
          "' has no name to call it by; give the path of a file");
  return {name, ModelConfig::load(spec)};
}
}  // namespace

std::string joined(const std::vector<std::string>& words, const std::string& by) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : by) + word;
  return text;
}

const std::vector<std::string>& usual_kinds() {
  static const std::vector<std::string> kinds = [] {
    const auto json = parse_json(std::string(embedded_usual().front().json), "configs/usual/kinds.json");
    require(json.is_array() && !json.empty(), ErrorCode::config, "configs/usual/kinds.json names no kind of preset");
    return json.get<std::vector<std::string>>();
  }();
  return kinds;
}

std::vector<std::string> presets_of_one_mixer(const std::vector<std::string>& sizes) {
  std::vector<std::string> names;
  for (const std::string& size : sizes)
    for (const std::string& kind : preset_kinds(size)) {
      const std::string name = size + "-" + kind;
      const ModelConfig config = ModelConfig::load(name);
      if (std::ranges::all_of(config.mixers, [&](const auto& mixer) {
            return parse_json(mixer.second, name).value("type", "") == kind;
          }))
        names.push_back(name);
    }
  return names;
}

std::vector<std::string> preset_sizes() {
  std::vector<std::string> sizes;
  for_each_preset([&](const std::string& size, const std::string&) {
    if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) sizes.push_back(size);
  });
  return sizes;
}

std::vector<std::string> preset_kinds(const std::string& size) {
  std::vector<std::string> kinds;
  for_each_preset([&](const std::string& of, const std::string& kind) {
    if (of == size) kinds.push_back(kind);
  });
  return kinds;
}

std::vector<Candidate> find_candidates(const std::vector<std::string>& specs, const std::string& size) {
  const std::vector<std::string> sizes = preset_sizes();
  require(std::find(sizes.begin(), sizes.end(), size) != sizes.end(), ErrorCode::config, "unknown size ",
          in_quotes(size), hint_of(size, sizes), joined(sizes));
  std::vector<Candidate> candidates;
  for (const std::string& spec : specs) {
    Candidate candidate = find_candidate(spec, size);
    for (const Candidate& other : candidates)
      require(other.name != candidate.name, ErrorCode::config, "two candidates are called '", candidate.name,
              "'; name each once");
    require(candidate.config.begin && candidate.config.vocab_size == begin_id, ErrorCode::config,
            candidate.config.where, ": candidates read bytes and need vocab_size 256 with \"begin\": true");
    candidate.config.context = 0;
    candidates.push_back(std::move(candidate));
  }
  require(!candidates.empty(), ErrorCode::config, "no candidates; known: ", joined(preset_kinds(size)));
  return candidates;
}

int64_t Candidate::ids() const {
  return std::max<int64_t>(1, std::llround(static_cast<double>(length) / bytes_per_id()));
}

std::vector<Candidate> in_units(const std::vector<Candidate>& candidates, const std::vector<std::string>& units) {
  std::vector<Candidate> all;
  for (const Candidate& candidate : candidates)
    for (const std::string& spec : units) {
      const std::string name = units_name(spec);
      check_units(spec);
      Candidate one = candidate;
      one.units = spec;
      if (spec != byte_units()->name()) one.name += ":" + name;
      for (const Candidate& other : all)
        require(other.name != one.name, ErrorCode::config, "two of the units are called '", name,
                "'; name each once, or rename a file");
      all.push_back(std::move(one));
    }
  return all;
}

std::vector<Candidate> at_lengths(const std::vector<Candidate>& candidates, const CompareSettings& settings) {
  const std::vector<int64_t> lengths = settings.length_list();
  std::vector<Candidate> all;
  for (const Candidate& candidate : candidates)
    for (const int64_t length : lengths) {
      Candidate one = candidate;
      if (lengths.size() > 1) one.name += "@" + std::to_string(length);
      one.length = length;
      one.batch = std::max<int64_t>(1, settings.batch * lengths.front() / length);
      constexpr size_t longest_name = 255;  // of a folder
      require(one.name.size() <= longest_name, ErrorCode::config, "the candidate '", one.name, "' has a name of ",
              one.name.size(), " bytes, and its folder can have ", longest_name, "; rename the file");
      all.push_back(std::move(one));
    }
  return all;
}

}  // namespace statera
