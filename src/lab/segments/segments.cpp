#include "lab/segments/segments.hpp"

#include <algorithm>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
constexpr int64_t most_of_a_slice = 512;

// For the rows that the stack of this clock reads, the rows of the model. The stack around it is the innermost earlier
// one with as many rows as its router saw.
std::vector<int64_t> rows_of_model(std::span<const Cuts> cuts, size_t clock, int64_t model_rows) {
  if (clock == 0) {
    std::vector<int64_t> all(static_cast<size_t>(model_rows));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    return all;
  }
  size_t around = clock - 1;
  while (around > 0 && cuts[around].rows.size() != cuts[clock].probability.size()) --around;
  const std::vector<int64_t> outer = rows_of_model(cuts, around, model_rows);
  std::vector<int64_t> rows;
  for (const int64_t row : cuts[clock].rows) rows.push_back(outer[static_cast<size_t>(row)]);
  return rows;
}
}  // namespace

std::vector<std::vector<Cut>> cuts_of(const Model& model, std::span<const int32_t> ids,
                                      const std::function<void(size_t)>& often) {
  const ModelConfig& config = model.config();
  const LanguageModel& modules = modules_of(model);
  State state = modules.new_state(model.dtype());
  require(state.layout().clocks > 1, ErrorCode::unsupported,
          "the model has no inner stack, so it does not cut text into segments; its layers are '", config.layers, "'");
  std::vector<Cuts> cuts(state.layout().clocks);
  Arena scratch;
  // `begin` alone and then slices that end on the chunk grid, as a Session reads
  const auto slice = static_cast<size_t>(state.layout().on_grid(most_of_a_slice));
  for (size_t done = 0, n = 0; done < ids.size(); done += n) {
    n = done == 0 && config.begin ? 1 : std::min(slice - done % slice, ids.size() - done);
    const int32_t offsets[] = {0, static_cast<int32_t>(n)};
    const int64_t start[] = {state.position()};
    State* one = &state;
    AdvancePass pass{.exec = {pool_of(model.device()), scratch, model.device().kernels()},
                     .max_keys = config.context,
                     .states = {&one, 1},
                     .cuts = cuts};
    modules.advance(pass, ids.subspan(done, n), {offsets, start}, {});
    if (often) often(done + n);
  }
  std::vector<std::vector<Cut>> stages;
  for (size_t clock = 1; clock < cuts.size(); ++clock) {
    const std::vector<int64_t> rows = rows_of_model(cuts, clock, static_cast<int64_t>(ids.size()));
    std::vector<Cut>& stage = stages.emplace_back();
    for (size_t i = 0; i < rows.size(); ++i)
      stage.push_back(
          {rows[i], static_cast<double>(cuts[clock].probability[static_cast<size_t>(cuts[clock].rows[i])])});
  }
  return stages;
}

std::vector<SegmentStage> segments_of(const Model& model, std::string_view text,
                                      const std::function<void(size_t)>& often) {
  const ModelConfig& config = model.config();
  require(model.reads_bytes(), ErrorCode::config, "the model reads ", config.vocab_size,
          " ids, not bytes; segments are shown over bytes");
  const size_t begin = config.begin ? 1 : 0;
  std::vector<int32_t> ids;
  if (config.begin) ids.push_back(static_cast<int32_t>(config.vocab_size));
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  std::vector<SegmentStage> stages;
  for (const std::vector<Cut>& cuts : cuts_of(model, ids, [&](size_t rows) {
         if (often) often(rows - std::min(rows, begin));
       })) {
    SegmentStage stage;
    for (size_t i = 0; i < cuts.size(); ++i) {
      const int64_t byte = std::max<int64_t>(0, cuts[i].row - static_cast<int64_t>(begin));
      if (i == 1 && byte == 0) continue;  // a cut at the first byte, after `begin`
      stage.segments.push_back({byte, cuts[i].probability});
    }
    stage.bytes_per_segment =
        static_cast<double>(text.size()) / static_cast<double>(std::max<size_t>(1, stage.segments.size()));
    stages.push_back(std::move(stage));
  }
  return stages;
}

}  // namespace statera
