// What the candidates of a comparison read: tokenizers are made once, stored with the first candidate that has one, and
// read from the store from then on.
#include "core/check.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/compare/comparison.hpp"
#include "lab/timing.hpp"
#include "lab/units.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;
constexpr size_t most_stored_bytes = size_t{1} << 30;

std::string fact_of(const std::string& name) { return "units " + name; }
}  // namespace

Comparison::MadeUnits Comparison::encoded(std::shared_ptr<const Units> units, double seconds, bool stored) {
  auto parts = std::make_shared<UnitParts>(in_units(parts_, units, seconds, [this] { go_on(); }));
  if (stored) parts->seconds = seconds;  // with the encoding, as it was the first time
  return {std::move(parts), stored};
}

// The units of a stored candidate, or null if the store has none of this name.
std::shared_ptr<const UnitParts> Comparison::stored_units(const std::string& name) {
  if (const auto made = in_units_.find(name); made != in_units_.end()) return made->second.parts;
  if (name == byte_units()->name()) return (in_units_[name] = encoded(byte_units(), 0, true)).parts;
  const std::optional<std::string> kept = store_.fact(fact_of(name));
  if (!kept) return nullptr;
  const Json stored = parse_ordered_json(*kept, run_.out + "/compare.sqlite", most_stored_bytes);
  const double seconds = stored.at("seconds");
  require(seconds >= 0, ErrorCode::io, run_.out, "/compare.sqlite is damaged (", in_quotes(name), " took ", seconds,
          " seconds); choose another folder with --out");
  note(name + ": encoding the text with the stored tokenizer");
  return (in_units_[name] = encoded(units_from(stored.at("file"), name), seconds, true)).parts;
}

// The units that a new candidate asks for.
std::shared_ptr<const UnitParts> Comparison::wanted_units(const std::string& spec) {
  const std::string name = units_name(spec);
  const UnitsOptions how{.threads = device_.threads(), .specials = false, .often = [this] { go_on(); }};
  const std::shared_ptr<const UnitParts> known = stored_units(name);
  if (known) {
    require(spec == name || make_units(spec, parts_.train, how)->file() == known->train.units().file(),
            ErrorCode::config, run_.out, " holds other units called ", in_quotes(name),
            "; rename the file, or choose another folder with --out");
    return known;
  }
  note(name + ": the tokenizer");
  const double begin = clock_seconds();
  const std::shared_ptr<const Units> units = make_units(spec, parts_.train, how);
  return (in_units_[name] = encoded(units, clock_seconds() - begin, false)).parts;
}

void Comparison::give_units(Candidate& candidate, std::shared_ptr<const UnitParts> parts) {
  candidate.units = parts->train.units().name();
  candidate.config.vocab_size = parts->train.units().size();
  candidate.parts = std::move(parts);
}

// Before the first candidate that reads them is stored.
void Comparison::keep_units(const std::string& name) {
  MadeUnits& made = in_units_.at(name);
  if (made.stored) return;
  store_.keep_fact(fact_of(name),
                   json_text(Json{{"file", made.parts->train.units().file()}, {"seconds", made.parts->seconds}}));
  made.stored = true;
}

}  // namespace statera
