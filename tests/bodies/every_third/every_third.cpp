// An inner stack that reads every third position of each sequence (2, 5, 8, ...) and counts those by a clock of its
// own. Its rows are the inner stack's result there and zeros elsewhere. {"type", "mixers", "layers"}, as in a model's
// config
#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "io/json.hpp"
#include "kernels/boundaries.hpp"
#include "models/language_model.hpp"
#include "ops/gather_rows/gather_rows.hpp"

namespace statera::test {
namespace {

constexpr int64_t every = 3;

// How many of a sequence's first `positions` the inner stack reads.
int64_t inner_positions(int64_t positions) { return positions / every; }

// The rows of the inner stack, and which rows of the outer one they are.
struct Thirds {
  Rows rows;
  std::span<int32_t> inner_to_outer, outer_to_inner;  // the latter: no_row where there is none

  Thirds(const Rows& outer, Arena& memory) {
    const auto sequences = static_cast<int64_t>(outer.start.size());
    auto* offsets = memory.allocate_array<int32_t>(sequences + 1);
    auto* start = memory.allocate_array<int64_t>(sequences);
    const int64_t total = outer.offsets.back();
    auto* to_outer = memory.allocate_array<int32_t>(total);
    auto* to_inner = memory.allocate_array<int32_t>(total);
    int32_t count = 0;
    for (int64_t s = 0; s < sequences; ++s) {
      const auto i = static_cast<size_t>(s);
      offsets[s] = count;
      start[s] = inner_positions(outer.start[i]);
      for (int32_t row = outer.offsets[i]; row < outer.offsets[i + 1]; ++row) {
        const bool reads = (outer.start[i] + row - outer.offsets[i]) % every == every - 1;
        to_inner[row] = reads ? count : no_row;
        if (reads) to_outer[count++] = row;
      }
    }
    offsets[sequences] = count;
    rows = {{offsets, static_cast<size_t>(sequences) + 1}, {start, static_cast<size_t>(sequences)}};
    inner_to_outer = {to_outer, static_cast<size_t>(count)};
    rows.breaks = breaks_within(memory, outer, rows, inner_to_outer, 0);
    outer_to_inner = {to_inner, static_cast<size_t>(total)};
  }
};

class EveryThird : public Mixer {
 public:
  EveryThird(const JsonText& config, const Place& place) {
    auto object = parse_ordered_json(config.text, config.where);
    object.erase("type");
    object["d_model"] = place.d_in;
    const ModelConfig inner = ModelConfig::parse(object.dump(), config.where);
    Place at = place;
    at.scope += ".";
    stack_ = std::make_unique<Stack>(layers_of(inner), inner.norm_eps, at, config.where);
  }
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const override {
    const View in = pass.tape.value(x);
    const Thirds thirds(rows, memory_of(pass.tape));
    const size_t sequences = rows.start.size();
    for (size_t s = 0; s < sequences && !pass.started.empty();
         ++s)  // where it may be known from the outer position, what was carried agrees
      require(rows.start[s] == 0 || pass.started[at.clock * sequences + s] == thirds.rows.start[s], ErrorCode::shape,
              "[every_third] sequence ", s, " goes on from inner position ", pass.started[at.clock * sequences + s],
              ", expected ", thirds.rows.start[s]);
    const Var read = gather_rows(pass.tape, x, {}, thirds.inner_to_outer,
                                 {static_cast<int64_t>(thirds.inner_to_outer.size()), in.cols()});
    const Var made = stack_->forward(pass, read, thirds.rows, {at.slot, at.clock + 1});
    for (size_t s = 0; s < sequences && !pass.ended.empty(); ++s)
      pass.ended[at.clock * sequences + s] = thirds.rows.start[s] + thirds.rows.length(static_cast<int64_t>(s));
    return gather_rows(pass.tape, made, {}, thirds.outer_to_inner, in.shape);
  }
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const override {
    const ArenaScope scope(pass.exec.scratch);
    const Thirds thirds(rows, pass.exec.scratch);
    const View inner =
        pass.exec.scratch.allocate(x.dtype, {static_cast<int64_t>(thirds.inner_to_outer.size()), x.cols()});
    for (int64_t i = 0; i < inner.rows(); ++i)
      copy(x.row_range(thirds.inner_to_outer[static_cast<size_t>(i)], 1), inner.row_range(i, 1));
    stack_->advance(pass, inner, thirds.rows, {at.slot, at.clock + 1}, at.clock);
    fill_zero(y);
    for (int64_t i = 0; i < inner.rows(); ++i)
      copy(inner.row_range(i, 1), y.row_range(thirds.inner_to_outer[static_cast<size_t>(i)], 1));
  }
  void declare(SlotScope slots) const override { stack_->declare(slots.with_clock(every)); }
  void visit_parameters(ParameterVisitor& visitor) override { stack_->visit_parameters(visitor); }
  Cost cost(Pass pass, int64_t length, int64_t context) const override {
    Cost cost = stack_->cost(pass, inner_positions(length), inner_positions(context));
    cost.flops /= every;
    return cost;
  }

 private:
  std::unique_ptr<Stack> stack_;
};

const bool added =
    add_mixer_type("every_third", [](const JsonText& config, const Place& place) -> std::unique_ptr<Mixer> {
      return std::make_unique<EveryThird>(config, place);
    });

}  // namespace
}  // namespace statera::test
