// What Place::make_stack makes: the layers of a config and a norm, on a clock of their own.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "io/json.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
constexpr std::array keys{"d_model", "norm", "norm_eps", "residual_init", "layers",
                          "mixers",  "mlp",  "blocks",   "shared",        "inner"};

ModelConfig read(const JsonText& text) {
  const auto json = parse_json(text.text, text.where);
  for (const auto& [key, value] : json.items())
    require(std::ranges::find(keys, key) != keys.end(), ErrorCode::config, "unknown key '", key,
            "' of an inner stack; it has the keys of a model's config that are about layers (", text.where, ")");
  return ModelConfig::parse(text.text, text.where);
}

// As many additions to streams lie between the loss and the inner stack as in the stacks around it and in itself.
double scale_within(const ModelConfig& config, const std::vector<BlockConfig>& layers, double around) {
  const double own = initial_scale(config.residual_init, count_sublayers(layers), config.where);
  return config.residual_init == "scaled" && around > 0 ? 1 / std::sqrt(1 / (around * around) + 1 / (own * own)) : own;
}

class InnerStack : public Mixer {
 public:
  InnerStack(const JsonText& text, const Place& place) {
    const ModelConfig config = read(text);
    const std::vector<BlockConfig> layers = layers_of(config);
    require(config.d_model == place.d_in && config.d_model == place.d_out, ErrorCode::config,
            "an inner stack of width ", config.d_model, " stands between widths ", place.d_in, " and ", place.d_out,
            " (", text.where, ")");
    Place at = place;
    at.scope += ".";
    at.residual_scale = scale_within(config, layers, place.residual_scale);
    stack_ = std::make_unique<Stack>(layers, config.norm_eps, at, config.where);
    norm_.emplace(place.scope + ".norm", config.d_model, config.norm_eps,
                  *norm_named(config.norm, "norm", config.where));
  }
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const override {
    return (*norm_)(pass.tape, stack_->forward(pass, x, rows, at));
  }
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const override {
    const ArenaScope scope(pass.exec.scratch);
    const View stream = pass.exec.scratch.allocate(x.dtype, x.shape);
    copy(x, stream);
    stack_->advance(pass, stream, rows, at, at.clock - 1);
    (*norm_)(pass.exec, stream, y);
  }
  void declare(SlotScope slots) const override { stack_->declare(slots); }
  void visit_parameters(ParameterVisitor& visitor) override {
    stack_->visit_parameters(visitor);
    norm_->visit(visitor);
  }
  Cost cost(Pass pass, int64_t length, int64_t context) const override { return stack_->cost(pass, length, context); }

 private:
  std::unique_ptr<Stack> stack_;
  std::optional<Norm> norm_;
};
}  // namespace

std::unique_ptr<Mixer> make_inner_stack(const JsonText& config, const Place& place) {
  return std::make_unique<InnerStack>(config, place);
}

}  // namespace statera
