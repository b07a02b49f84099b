// The first layer's values reach the later ones beside the stream, as in RWKV-7 (Peng et al., 2025, section 4.1): v = W
// x, and y = v in the first layer, y = v + W2 v_first in the others. {"type"}
#include "core/arena.hpp"
#include "models/language_model.hpp"
#include "nn/linear.hpp"
#include "ops/elementwise/elementwise.hpp"

namespace statera::test {
namespace {

class ValueOfFirst : public Mixer {
 public:
  ValueOfFirst(const JsonText& config, const Place& place)
      : first_(place.layer == 0),
        value_(place.scope + ".value", place.d_in, place.d_out, {.scale = place.residual_scale}),
        from_first_(place.scope + ".from_first", place.d_out, place.d_out, {.scale = place.residual_scale}),
        side_(first_ ? place.side->set("value", place.d_out, config.where)
                     : place.side->read("value", place.d_out, config.where)) {}

  Var forward(ForwardPass& pass, Var x, const Rows&, const At&) const override {
    const Var v = value_(pass.tape, x);
    if (!first_) return add(pass.tape, v, from_first_(pass.tape, pass.side[side_]));
    return pass.side[side_] = v;
  }
  void advance(AdvancePass& pass, const View& x, const Rows&, const At&, const View& y) const override {
    Exec& exec = pass.exec;
    if (first_) {
      value_(exec, x, pass.side[side_]);
      return copy(pass.side[side_], y);
    }
    const ArenaScope scope(exec.scratch);
    const View more = exec.scratch.allocate(y.dtype, y.shape);
    value_(exec, x, y);
    from_first_(exec, pass.side[side_], more);
    add(exec, y, more, y);
  }
  void visit_parameters(ParameterVisitor& visitor) override {
    value_.visit(visitor);
    if (!first_) from_first_.visit(visitor);
  }
  Cost cost(Pass pass, int64_t, int64_t) const override {
    return {.flops = (pass == Pass::backward ? 2 : 1) * (value_.flops() + (first_ ? 0 : from_first_.flops()))};
  }

 private:
  bool first_;
  Linear value_, from_first_;
  size_t side_;
};

const bool added =
    add_mixer_type("value_of_first", [](const JsonText& config, const Place& place) -> std::unique_ptr<Mixer> {
      return std::make_unique<ValueOfFirst>(config, place);
    });

}  // namespace
}  // namespace statera::test
