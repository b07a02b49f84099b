// A comparison in progress: its data and its stages (listed in compare.hpp). Each stage asks the store which work is
// done, so resuming needs no cursor. Borrows the folder, the source and the run; they must outlive it. One thread at a
// time.
#pragma once
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "counts/counts.hpp"
#include "io/output_folder.hpp"
#include "lab/compare/compare.hpp"
#include "lab/compare/pace.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/rates.hpp"
#include "lab/compare/store.hpp"
#include "lab/compare/trial.hpp"
#include "statera/model.hpp"

namespace statera {

// A candidate and its calibrated costs.
struct Entry {
  Candidate candidate;
  Calibration costs;
};

class Comparison {
 public:
  Comparison(OutputFolder& folder, const ByteSource& source, const CompareSettings& settings, const Device& device,
             const CompareRun& run);
  ~Comparison();
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;
  nlohmann::ordered_json go(const std::vector<Candidate>& wanted);
  bool planned() const { return planned_; }  // whether this call has fixed what later ones must agree with

 private:
  using Json = nlohmann::ordered_json;
  struct Stopped {};

  // compare.cpp: terms and candidates
  void agree();
  void say_more_seeds();
  void keep_terms(const Amounts& amounts);
  std::string fingerprint_text() const;
  void enter(const std::vector<Candidate>& wanted);
  void check_free(const std::vector<Candidate>& fresh) const;
  void add(std::vector<Candidate> fresh);
  void compare_baselines();
  ByteSource baseline_text() const;
  const Counts* primed();
  void point_at_winner(const std::string& name) const;

  // comparison_units.cpp: what candidates read
  struct MadeUnits {
    std::shared_ptr<const UnitParts> parts;
    bool stored = false;
  };
  MadeUnits encoded(std::shared_ptr<const Units> units, double seconds, bool stored);
  std::shared_ptr<const UnitParts> stored_units(const std::string& name);
  std::shared_ptr<const UnitParts> wanted_units(const std::string& spec);
  static void give_units(Candidate& candidate, std::shared_ptr<const UnitParts> parts);
  void keep_units(const std::string& name);

  // comparison_train.cpp: trainings
  void search(const Entry& entry);
  void train_and_judge(const Entry& entry, int64_t seed);
  void add_ratios(const Entry& entry, const std::string& variant, const std::string& folder, Json& value);
  void second_seeds();
  void noise(const Entry& entry);
  TrainOptions options(const Entry& entry, int64_t steps, float lr, int64_t seed) const;
  double planned_seconds(const Entry& entry, const TrainOptions& options) const;
  // share: of the planned seconds of a trial, the part that took `taken`
  void say_if_slower(double planned, double share, double taken);
  Json run_once(const Entry& entry, const std::string& kind, const std::string& variant, Model& model,
                const TrainingData& data, Trial trial);
  std::vector<TriedRate> tried(const Entry& entry) const;
  RatePrior prior(const Entry& entry) const;
  RateChoice rate(const Entry& entry) const;
  IdSource validation(const Entry& entry) const;
  Model new_model(const Entry& entry, int64_t seed) const;

  // comparison_measure.cpp: measurements of trained models
  void learn(const Entry& entry);
  void measure(const Entry& entry);
  void measure_speed();

  void go_on() const {
    if (run_.stop && run_.stop()) throw Stopped();
  }
  void note(const std::string& line) const;
  void show(const Entry& entry, const std::string& stage, double done = 0, double validation = 0);
  double seconds_left(const Entry& entry) const;
  double seconds_left() const;  // of all of them, second seeds included
  std::optional<Json> kept(const Entry& entry, const std::string& kind, const std::string& variant) const;
  void keep(const Entry& entry, const std::string& kind, const std::string& variant, const Json& value);
  bool trained(const Entry& entry) const;
  // Folders below OUT. Throws ErrorCode::io if OUT is no longer the folder of the start.
  std::string model_folder(const Entry& entry, int64_t seed) const;
  std::string trial_folder(const Entry& entry, const std::string& variant) const;
  // Loads what a training of this comparison left. Refuses any other weights.
  Model load_model(const Entry& entry, int64_t seed, bool training = false) const;

  OutputFolder& folder_;
  const ByteSource& source_;
  CompareSettings settings_;
  Device device_;
  const CompareRun& run_;
  Parts parts_;
  Store store_;
  std::FILE* log_;
  std::vector<Entry> entries_;
  Amounts amounts_;
  bool planned_ = false, more_seeds_ = false;
  Pace pace_;
  std::map<std::string, MadeUnits> in_units_;  // by name, as far as they have been made
  std::optional<Counts> primed_;               // of the baselines; made again when an interrupted comparison goes on
  double begun_, shown_ = 0;                   // clock_seconds()
};

}  // namespace statera
