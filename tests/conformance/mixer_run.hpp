// Runs one mixer, alone, on a tape or with states. The configs that the laws run over stand in the mixer's own folder:
// src/mixers/*/cases.json, and tests/bodies/*/cases.json of mixers that only tests have; an array of {"name",
// "d_model", "mixer"} (support/any_mixer.hpp).
#pragma once
#include <algorithm>

#include "core/arena.hpp"
#include "io/json.hpp"
#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/op_run.hpp"

namespace statera::test {

// Sequences of given lengths. Each is a new one unless `starts` says from which position it continues.
struct Ragged {
  std::vector<int32_t> offsets{0};
  std::vector<int64_t> starts;
  Ragged(std::initializer_list<int32_t> lengths, int64_t start = 0) {
    for (int32_t length : lengths) {
      offsets.push_back(offsets.back() + length);
      starts.push_back(start);
    }
  }
  Rows rows() const { return {offsets, starts}; }
  int64_t total() const { return offsets.back(); }
};

class MixerUnderTest {
 public:
  MixerUnderTest(const MixerCase& c, DType dtype) : dtype_(dtype), d_model_(c.d_model) {
    mixer_ = make_any_mixer({c.block, c.type}, {.d_in = c.d_model,
                                                .d_out = c.d_model,
                                                .layer = 0,
                                                .residual_scale = 0.5,
                                                .scope = "layers.0.mixer",
                                                .make = make_any_mixer,
                                                .make_stack = make_inner_stack,
                                                .side = &side_,
                                                .losses = &losses_});
    StateLayout layout;
    mixer_->declare(SlotScope(layout));
    layout_ = std::make_shared<const StateLayout>(std::move(layout));
    struct Collect : ParameterVisitor {
      std::vector<Parameter*> all;
      void visit(Parameter& p) override { all.push_back(&p); }
    } collect;
    mixer_->visit_parameters(collect);
    parameters_ = collect.all;
    for (Parameter* p : parameters_) {
      p->allocate(dtype, true);
      p->initialise(3);
      const Random noise(4, p->name);  // biases and D away from their round initial values; exact in float
      for (int64_t i = 0; i < p->elements(); ++i)
        set(*p, i, static_cast<float>(get(*p, i) + 0.05 * noise.normal(static_cast<uint64_t>(i))));
      p->changed();
      widest_ = std::max(widest_, p->shape[p->shape.rank() - 1]);
    }
  }

  const Mixer& mixer() const { return *mixer_; }
  const StateLayout& layout() const { return *layout_; }
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  int64_t widest() const { return widest_; }
  static double get(const Parameter& p, int64_t i) {
    return p.value.dtype() == DType::f64 ? p.value.as<double>()[i] : static_cast<double>(p.value.as<float>()[i]);
  }
  static void set(const Parameter& p, int64_t i, double v) {
    if (p.value.dtype() == DType::f64)
      p.value.as<double>()[i] = v;
    else
      p.value.as<float>()[i] = static_cast<float>(v);
  }

  Tensor input(int64_t rows, uint64_t seed) const {
    std::vector<double> v(static_cast<size_t>(rows * d_model_));
    const Random random(seed, "mixer x");
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(random.normal(i));
    return to_tensor(dtype_, {rows, d_model_}, v);
  }

  // Forward, and backward unless told otherwise. Gradients: "x", each parameter, "initial.i"; outputs: "y", "last.i".
  // `dy`: the gradient of y, and none of the states; null: random ones for all outputs.
  OpResult forward(const Device& device, const Tensor& x, const Rows& rows, const CarriedState* initial = nullptr,
                   bool backward = true, const std::vector<double>* dy = nullptr) const {
    Tape tape(device);
    for (Parameter* p : parameters_) fill_zero(p->grad);
    const Var vx = backward ? tape.input(x) : tape.constant(x);
    std::vector<Var> first, last(layout_->slots.size());
    if (initial)
      for (const Tensor& t : initial->slots) first.push_back(backward ? tape.input(t) : tape.constant(t));
    OpResult result;
    result.ended.resize(layout_->clocks * rows.start.size());
    const Var y = run(tape, vx, rows, first, last, initial ? initial->positions : std::vector<int64_t>(), result.ended);
    std::vector<Var> roots{y};
    std::vector<std::string> names{"y"};
    for (size_t i = 0; i < last.size() && !dy; ++i) {
      roots.push_back(last[i]);
      names.push_back("last." + std::to_string(i));
    }
    std::vector<Tensor> seeds;
    for (size_t i = 0; i < roots.size(); ++i) {
      result.outputs[names[i]] = to_doubles(tape.value(roots[i]));
      result.shapes[names[i]] = tape.value(roots[i]).shape;
      const std::vector<double> seed = dy ? *dy : random_grad(names[i], result.outputs[names[i]].size());
      if (backward) seeds.push_back(to_tensor(dtype_, tape.value(roots[i]).shape, seed));
    }
    if (!backward) return result;
    const std::vector<View> views(seeds.begin(), seeds.end());
    tape.backward(roots, views);
    result.grads["x"] = to_doubles(tape.grad(vx));
    for (Parameter* p : parameters_) result.grads[p->name] = to_doubles(p->grad);
    for (size_t i = 0; i < first.size(); ++i)
      result.grads["initial." + std::to_string(i)] = to_doubles(tape.grad(first[i]));
    return result;
  }

  // How many states a pass in training returns to those who ask.
  size_t last_states(const Device& device, const Tensor& x, const Rows& rows) const {
    Tape tape(device);
    std::vector<Var> last(layout_->slots.size());
    std::vector<int64_t> ended(layout_->clocks * rows.start.size());
    run(tape, tape.constant(x), rows, {}, last, {}, ended);
    return static_cast<size_t>(std::ranges::count_if(last, [](Var var) { return static_cast<bool>(var); }));
  }
  size_t slots() const { return layout_->slots.size(); }

  // Inference over rows [begin, begin + length) of x for one sequence, or several at once.
  std::vector<double> advance(const Device& device, const View& x, const Rows& rows,
                              std::span<State* const> states) const {
    Arena scratch;
    std::vector<View> side;
    for (size_t i = 0; i < side_.count(); ++i) side.push_back(scratch.allocate(dtype_, {x.rows(), side_.width(i)}));
    const std::vector<int32_t> ids = ids_at(rows);
    AdvancePass pass{.exec = {pool_of(device), scratch, device.kernels()}, .ids = ids, .states = states, .side = side};
    const View y = scratch.allocate(dtype_, {x.rows(), d_model_});
    for (size_t s = 0; s < states.size(); ++s)
      states[s]->reserve(states[s]->position() + rows.length(static_cast<int64_t>(s)));
    mixer_->advance(pass, x, rows, {}, y);
    for (size_t s = 0; s < states.size(); ++s)
      states[s]->set_position(states[s]->position() + rows.length(static_cast<int64_t>(s)));
    return to_doubles(y);
  }
  std::vector<double> advance_one(const Device& device, const View& x, State& state) const {
    const std::vector<int32_t> offsets{0, static_cast<int32_t>(x.rows())};
    const std::vector<int64_t> start{state.position()};
    State* one = &state;
    return advance(device, x, {offsets, start}, {&one, 1});
  }
  State state() const { return State(layout_, dtype_); }

 private:
  // What a model would have read at these positions.
  static std::vector<int32_t> ids_at(const Rows& rows) {
    const Random random(5, "ids");
    std::vector<int32_t> ids;
    for (int64_t s = 0; s < rows.sequences(); ++s)
      for (int64_t i = 0; i < rows.length(s); ++i)
        ids.push_back(
            static_cast<int32_t>(3 * random.uniform(static_cast<uint64_t>(rows.start[static_cast<size_t>(s)] + i))));
    return ids;
  }
  Var run(Tape& tape, Var x, const Rows& rows, std::span<const Var> initial, std::span<Var> last,
          std::span<const int64_t> started, std::span<int64_t> ended) const {
    std::vector<Var> side(side_.count()), losses(losses_.size());
    const std::vector<int32_t> ids = ids_at(rows);
    ForwardPass pass{.tape = tape,
                     .ids = ids,
                     .initial = initial,
                     .last = last,
                     .started = started,
                     .ended = ended,
                     .side = side,
                     .losses = losses};
    return mixer_->forward(pass, x, rows, {});
  }

  DType dtype_;
  int64_t d_model_, widest_ = 1;
  SideValues side_;
  LossNames losses_;
  std::unique_ptr<Mixer> mixer_;
  std::shared_ptr<const StateLayout> layout_;
  std::vector<Parameter*> parameters_;
};

}  // namespace statera::test
