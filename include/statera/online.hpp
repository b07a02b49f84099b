// Learning while reading: dynamic evaluation (Krause et al., arXiv 1709.07432). A model reads a text in segments. Each
// is predicted with the weights of that moment; then the model takes a small training step on what it has just read.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "statera/model.hpp"
#include "statera/optimizer.hpp"
#include "statera/session.hpp"

namespace statera {

struct OnlineOptions {
  double lr = 3e-4;       // learning rate of the steps while reading
  int64_t segment = 256;  // ids that are read between two steps
  int64_t window = 0;     // a step learns from the last `window` ids; 0: the model's trained context, or 512
  int64_t replay = 0;     // further windows that each step learns from, at random places of the earlier text
  int64_t warmup = 16;    // steps over which the learning rate rises
  double pull = 0;        // share of the way back to the trained weights that each step takes
  int64_t keep_bytes = int64_t{64} << 20;  // most memory for earlier text
  int64_t seed = 0;                        // of the places of earlier windows
  // Which parameters learn: those whose name holds one of these words, separated by commas ("norm,in_proj"). Empty:
  // all.
  std::string parameters;
  void visit(FieldVisitor& v);
};

// Reads a text and learns from it. The result is a function of the model, the options and the text: the same for any
// number of threads, and for calls that end where segments end (as with Session::score, another cut may change the last
// bits of a model that computes in chunks). A learning rate of 0 gives the costs of the frozen model.
//
// Owns the optimizer and the session. Borrows nothing: the model is a handle. Nobody else may use the model's weights
// meanwhile, since they change. Not thread safe.
class OnlineModel {
 public:
  // `model` must have been made for training (ModelOptions::training). Throws ErrorCode::config for an option out of
  // range, or for a word of OnlineOptions::parameters that is in no parameter's name.
  explicit OnlineModel(Model model, const OnlineOptions& options = {});
  const Model& model() const { return model_; }

  // Reads ids and returns the cost of each in nats, as Session::score does, predicted before it was learned from.
  // each(i, logits) as there; may be null.
  std::vector<float> score(std::span<const int32_t> ids, const Session::Predicted& each = {});
  // The same, id by id, for callers that know an id only after its prediction, such as decoders. next() returns the
  // logits [vocab_size] of the next id, valid until the next call; read() then takes the id that came. Both throw as
  // Session::step does. Their logits may differ from those of score() in the last bits.
  std::span<const float> next();
  void read(int32_t id);
  // Begins another document: from an empty state, with what was learned; the rest of the last document counts as a
  // segment.
  void next_document();

  // Writes one file with everything that was learned and read; how it goes on depends on nothing else but the model.
  // Throws ErrorCode::io.
  void save(const std::string& path) const;
  // Goes on from such a file; `model` as for the constructor, with the weights as they were trained. The options are
  // those of the file. Throws ErrorCode::config if the file is of another model, ErrorCode::io if it is damaged.
  static OnlineModel restore(const std::string& path, Model model);

  int64_t steps() const { return optimizer_.steps(); }
  size_t kept() const { return text_.size(); }  // ids of earlier text
  // the distance of the weights that learn from the trained ones, relative to the norm of those
  double drift() const;
  const OnlineOptions& options() const { return options_; }

 private:
  void learn();
  void trim();
  void add_window(size_t from, size_t to);
  void take(class PartsReader& file);

  Model model_;
  OnlineOptions options_;
  std::vector<Parameter*> parameters_, fixed_;  // those that learn, and the others
  std::vector<Tensor> trained_;                 // the weights of parameters_ as they were
  AdamW optimizer_;
  Session session_;
  std::unique_ptr<Tape> tape_;
  std::vector<int32_t> text_;         // of all documents, each after `begin`
  size_t document_ = 0;               // where the last one begins
  int64_t unlearned_ = 0;             // ids since the last step
  uint64_t trained_fingerprint_ = 0;  // of the model as it was
  Tokens inputs_;
  std::vector<int32_t> targets_;
};

}  // namespace statera
