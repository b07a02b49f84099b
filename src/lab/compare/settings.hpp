// The settings that, with the data and the candidates, determine a comparison. They are stored with the trials, and a
// later call must agree with them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "statera/train.hpp"

namespace statera {

inline constexpr int64_t least_length = 2, most_length = int64_t{1} << 24, most_batch = int64_t{1} << 16;

struct CompareSettings {
  std::string size = "tiny";  // of the presets, for candidates that are named by their kind alone
  // what every candidate gets the same amount of: "time" (calibrated), "flops" or "params" (steps)
  std::string match = "time";
  double budget = 300;  // seconds for everything, the search for learning rates included
  int64_t seeds = 1;    // trainings per candidate; a later call may ask for more
  // Sequences per batch at the shortest length. At larger lengths there are fewer, with as many bytes in all, but at
  // least one.
  int64_t batch = 4;
  std::string lengths = "512";  // bytes per sequence; with several ("512,2048") every candidate is trained at each
  // of matrix products in training, "fp32" or "bf16"; held-out data are always read in fp32
  std::string precision = "fp32";
  float weight_decay = TrainOptions().weight_decay;  // of matrices
  float dropout = 0;            // dropout probability, of the embedding and of what each sublayer adds
  int64_t held_out_bytes = 0;   // the last bytes of the data, which are judged on; 0: a tenth of the data
  int64_t learning_rates = 3;   // tried per candidate (rates.hpp)
  double search_share = 0.15;   // share of the budget for the search for learning rates
  double noise_share = 0.08;    // share for training with fillers in the stream
  double measure_share = 0.15;  // largest share for measuring the trained models

  // Throws ErrorCode::config for invalid values, naming the field.
  void check() const;
  std::vector<int64_t> length_list() const;  // ascending, without repeats; throws ErrorCode::config
  void visit(FieldVisitor& v) {
    v.field("size", size, "size of the presets that candidates name by their kind");
    v.field("match", match, "what every candidate gets the same amount of: time, flops or params");
    v.field("budget", budget, "seconds for everything");
    v.field("seeds", seeds, "trainings per candidate");
    v.field("batch", batch, "sequences per batch at the shortest length");
    v.field("lengths", lengths, "bytes per sequence: one length, or several with commas");
    v.field("precision", precision, "precision of matrix products in training: fp32 or bf16");
    v.field("weight_decay", weight_decay, "weight decay of matrices in training");
    v.field("dropout", dropout, "dropout probability of the embedding and of what each sublayer adds");
    v.field("held_out_bytes", held_out_bytes, "number of bytes to judge on, from the end of the data; 0: a tenth");
    v.field("learning_rates", learning_rates, "learning rates to try per candidate");
    v.field("search_share", search_share, "share of the budget for the search for learning rates");
    v.field("noise_share", noise_share, "share of the budget for training with fillers in the stream");
    v.field("measure_share", measure_share, "largest share of the budget for measuring the trained models");
  }
};

}  // namespace statera
