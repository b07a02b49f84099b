// Two mixers side by side: y = a(x) + b(x), each with its own state (Hymba, Dong et al., 2024, runs attention and an
// SSM so). {"type", "a", "b"}
#include "core/arena.hpp"
#include "io/json.hpp"
#include "models/language_model.hpp"
#include "ops/elementwise/elementwise.hpp"

namespace statera::test {
namespace {

class SideBySide : public Mixer {
 public:
  SideBySide(const JsonText& config, const Place& place)
      : a_(part(config, place, "a")), b_(part(config, place, "b")), offset_(extent(*a_)) {}
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const override {
    const Var a = a_->forward(pass, x, rows, at), b = b_->forward(pass, x, rows, at + offset_);
    return add(pass.tape, a, b);
  }
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const override {
    const ArenaScope scope(pass.exec.scratch);
    const View b = pass.exec.scratch.allocate(y.dtype, y.shape);
    a_->advance(pass, x, rows, at, y);
    b_->advance(pass, x, rows, at + offset_, b);
    add(pass.exec, y, b, y);
  }
  void declare(SlotScope slots) const override {
    a_->declare(slots.inner("a"));
    b_->declare(slots.inner("b"));
  }
  void visit_parameters(ParameterVisitor& visitor) override {
    a_->visit_parameters(visitor);
    b_->visit_parameters(visitor);
  }
  Cost cost(Pass pass, int64_t length, int64_t context) const override {
    const Cost a = a_->cost(pass, length, context), b = b_->cost(pass, length, context);
    return {.flops = a.flops + b.flops, .state_bytes = a.state_bytes + b.state_bytes};
  }

 private:
  static std::unique_ptr<Mixer> part(const JsonText& config, const Place& place, const char* name) {
    Place inner = place;
    inner.scope += std::string(".") + name;
    return place.make({parse_json(config.text, config.where).at(name).dump(), config.where + ": " + name}, inner);
  }
  std::unique_ptr<Mixer> a_, b_;
  At offset_;  // of b's slots
};

const bool added =
    add_mixer_type("side_by_side", [](const JsonText& config, const Place& place) -> std::unique_ptr<Mixer> {
      return std::make_unique<SideBySide>(config, place);
    });

}  // namespace
}  // namespace statera::test
