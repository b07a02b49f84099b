#include "statera/session.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <numeric>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "infer/session_data.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"

namespace statera {

namespace {
// A long prompt is read in slices of about this many positions, so that scratch memory does not grow with it.
constexpr int64_t most_of_a_slice = 512;
constexpr int64_t usual_rewind = 256;
}  // namespace

struct Session::Impl {
  Impl(const Model& model, SessionOptions options)
      : model(model), options(std::move(options)), state(modules_of(model).new_state(model.dtype())) {}

  Model model;
  SessionOptions options;
  State state;
  std::vector<float> logits;
  int64_t position = 0;
  bool warned = false;
  Arena scratch;
  std::deque<std::shared_ptr<const Snapshot::Data>> kept;  // in ascending order of positions
  std::deque<int32_t> history;                             // the ids since the first of them
  int64_t history_begin = 0;

  std::shared_ptr<const Snapshot::Data> data() const {
    return std::make_shared<const Snapshot::Data>(Snapshot::Data{state, logits, position, 0});
  }

  // Positions to the end of the slice. Slices end where the chunks of all layers end, so that the cut changes no bit.
  size_t rest_of_slice() const {
    const int64_t slice = state.layout().on_grid(most_of_a_slice);
    return static_cast<size_t>(slice - state.position() % slice);
  }
  int64_t rewind_every() const {
    return options.rewind_every > 0 ? options.rewind_every : state.layout().on_grid(usual_rewind);
  }

  Exec exec(Arena& memory) const { return {pool_of(model.device()), memory, model.device().kernels()}; }

  // Runs rows through the model. `out` is the `logits` of LanguageModel::advance.
  void advance(std::span<const int32_t> ids, const View& out) {
    const int32_t offsets[] = {0, static_cast<int32_t>(ids.size())};
    const int64_t start[] = {state.position()};
    State* one = &state;
    AdvancePass pass{.exec = exec(scratch), .max_keys = model.config().context, .states = {&one, 1}};
    modules_of(model).advance(pass, ids, {offsets, start}, out);
  }

  void read_row(const View& row) {
    logits.resize(static_cast<size_t>(row.cols()));
    copy(row, View(logits.data(), DType::f32, row.shape));
  }

  // Throws if these ids cannot be read. Called before anything changes.
  void check(std::span<const int32_t> ids) const {
    const int64_t vocab = model.config().vocab_size;
    for (int32_t id : ids)
      require(id >= 0 && id < vocab, ErrorCode::shape, "[session] id ", id, " is not in 0 to ", vocab - 1);
    const int64_t begin = state.position() == 0 && model.config().begin ? 1 : 0;
    modules_of(model).input().require_positions(state.position() + begin + static_cast<int64_t>(ids.size()));
  }

  // Reads ids in slices and keeps the logits of the last one. `begin` is not among the ids.
  void read(std::span<const int32_t> ids) {
    const int64_t vocab = model.config().vocab_size;
    check(ids);
    start_if_new();
    while (!ids.empty()) {
      const auto n = static_cast<int64_t>(std::min({ids.size(), rest_of_slice(), until_kept()}));
      const ArenaScope scope(scratch);
      const View row = scratch.allocate(model.dtype(), {1, vocab});
      advance(ids.first(static_cast<size_t>(n)), row);
      read_row(row);
      moved(ids.first(static_cast<size_t>(n)));
      warn_if_past_context();
      ids = ids.subspan(static_cast<size_t>(n));
    }
  }

  // How many ids may be read before the next snapshot for rewind() is due.
  size_t until_kept() const {
    if (options.rewind_bytes == 0) return std::numeric_limits<size_t>::max();
    return static_cast<size_t>(rewind_every() - state.position() % rewind_every());
  }

  // Reads one id per session, for several sessions of one model, in one call. Uses the scratch memory of the first one.
  // The caller must call moved() afterwards.
  static void read_together(std::span<Impl* const> sessions, std::span<const int32_t> ids) {
    const Impl& first = *sessions.front();
    Arena& scratch = sessions.front()->scratch;
    const ArenaScope scope(scratch);
    const auto n = static_cast<int64_t>(sessions.size());
    auto* offsets = scratch.allocate_array<int32_t>(n + 1);
    auto* start = scratch.allocate_array<int64_t>(n);
    auto* states = scratch.allocate_array<State*>(n);
    std::iota(offsets, offsets + n + 1, 0);
    for (size_t s = 0; s < sessions.size(); ++s) {
      states[s] = &sessions[s]->state;
      start[s] = states[s]->position();
    }
    const View rows = scratch.allocate(first.model.dtype(), {n, first.model.config().vocab_size});
    AdvancePass pass{
        .exec = first.exec(scratch), .max_keys = first.model.config().context, .states = {states, sessions.size()}};
    modules_of(first.model).advance(pass, ids, {{offsets, sessions.size() + 1}, {start, sessions.size()}}, rows);
    for (int64_t s = 0; s < n; ++s) sessions[static_cast<size_t>(s)]->read_row(rows.row_range(s, 1));
  }

  // Throws ErrorCode::shape if a session occurs twice.
  static void check_distinct(std::span<Impl* const> sessions) {
    Arena& scratch = sessions.front()->scratch;
    const ArenaScope scope(scratch);
    auto* sorted = scratch.allocate_array<Impl*>(static_cast<int64_t>(sessions.size()));
    Impl** const end = std::copy(sessions.begin(), sessions.end(), sorted);
    std::sort(sorted, end, std::less<Impl*>());
    Impl** const twice = std::adjacent_find(sorted, end);
    if (twice == end) return;
    const auto first = std::find(sessions.begin(), sessions.end(), *twice),
               second = std::find(first + 1, sessions.end(), *twice);
    fail(ErrorCode::shape, "[session] number ", first - sessions.begin(), " and number ", second - sessions.begin(),
         " of the sessions to advance are one session, which reads one id in a call; take a fork, or a second call");
  }

  // Lets the sessions that are at the start read `begin`, if the model has it.
  static void start_if_new(std::span<Impl* const> sessions) {
    const ModelConfig& config = sessions.front()->model.config();
    if (!config.begin) return;
    Arena& scratch = sessions.front()->scratch;
    const ArenaScope scope(scratch);
    auto* fresh = scratch.allocate_array<Impl*>(static_cast<int64_t>(sessions.size()));
    Impl** end = std::copy_if(sessions.begin(), sessions.end(), fresh,
                              [](const Impl* session) { return session->state.position() == 0; });
    const auto n = static_cast<size_t>(end - fresh);
    auto* ids = scratch.allocate_array<int32_t>(static_cast<int64_t>(n));
    std::fill_n(ids, n, static_cast<int32_t>(config.vocab_size));
    if (n > 0) read_together({fresh, n}, {ids, n});
  }
  void start_if_new() {
    Impl* self = this;
    start_if_new({&self, 1});
  }

  void moved(std::span<const int32_t> ids) {
    position += static_cast<int64_t>(ids.size());
    if (options.rewind_bytes == 0) return;
    history.insert(history.end(), ids.begin(), ids.end());
    if (state.position() % rewind_every() == 0) keep_snapshot();
  }

  // Call it after everything else, since the user's function may throw.
  void warn_if_past_context() {
    const int64_t context = model.config().context;
    if (warned || context == 0 || state.position() <= context) return;
    warned = true;
    if (!options.warn) return;
    const std::string most = std::to_string(context);
    options.warn("the text is longer than the " + most + " positions that the model was trained with" +
                 (state.grows() ? ": layers that keep keys and values see the last " + most +
                                      " only; train with a larger --length if they should see more"
                                : "; its state keeps its size and reads on"));
  }

  void keep_snapshot() {
    kept.push_back(data());
    const size_t bytes = state.snapshot_bytes() + logits.size() * sizeof(float);
    bool dropped = false;
    for (; !kept.empty() && bytes * kept.size() > options.rewind_bytes; dropped = true) kept.pop_front();
    if (!dropped) return;
    const int64_t oldest = kept.empty() ? position : kept.front()->position;
    while (history_begin < oldest) {
      history.pop_front();
      ++history_begin;
    }
  }

  void set(const Snapshot::Data& data) {
    state = data.state;
    logits = data.logits;
    position = data.position;
  }

  void forget_history() {
    kept.clear();
    history.clear();
    history_begin = position;
  }
};

Session::Session(const Model& model, SessionOptions options)
    : impl_(std::make_unique<Impl>(model, std::move(options))) {
  require(impl_->options.rewind_every >= 0, ErrorCode::config, "[session] rewind_every ", impl_->options.rewind_every,
          " is not 0 or more");
}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

std::span<const float> Session::prefill(std::string_view text) { return prefill(impl_->model.units()->ids(text)); }

std::span<const float> Session::prefill(std::span<const int32_t> ids) {
  impl_->read(ids);
  require(!impl_->logits.empty(), ErrorCode::shape,
          "[session] nothing to predict from: the model has no `begin` and the prompt is empty");
  return impl_->logits;
}

std::span<const float> Session::step(int32_t id) {
  Session* self = this;
  advance({&self, 1}, {&id, 1});
  return impl_->logits;
}

void Session::advance(std::span<Session* const> sessions, std::span<const int32_t> ids) {
  require(sessions.size() == ids.size(), ErrorCode::shape, "[session] ", sessions.size(), " sessions to advance, but ",
          ids.size(), " ids; each session reads one");
  if (sessions.empty()) return;
  for (size_t s = 0; s < sessions.size(); ++s)
    require(sessions[s] && sessions[s]->impl_, ErrorCode::shape, "[session] number ", s,
            " of the sessions to advance is ", sessions[s] ? "one that was moved from" : "null",
            "; expected a session");
  Impl& first = *sessions.front()->impl_;
  const ArenaScope scope(first.scratch);
  auto* impls = first.scratch.allocate_array<Impl*>(static_cast<int64_t>(sessions.size()));
  const std::span<Impl* const> all(impls, sessions.size());
  for (size_t s = 0; s < sessions.size(); ++s) {
    impls[s] = sessions[s]->impl_.get();
    require(&modules_of(impls[s]->model) == &modules_of(first.model), ErrorCode::config, "[session] number ", s,
            " of the sessions to advance is of another model than number 0; advance the sessions of each model in a "
            "call of their own");
  }
  Impl::check_distinct(all);
  for (size_t s = 0; s < all.size(); ++s) all[s]->check(ids.subspan(s, 1));
  Impl::start_if_new(all);
  Impl::read_together(all, ids);
  for (size_t s = 0; s < all.size(); ++s) all[s]->moved(ids.subspan(s, 1));
  for (Impl* session : all) session->warn_if_past_context();
}

std::span<const float> Session::logits() const { return impl_->logits; }

std::vector<float> Session::score(std::span<const int32_t> ids) { return score(ids, {}); }

std::vector<float> Session::score(std::span<const int32_t> ids, const Predicted& each) {
  Impl& s = *impl_;
  const int64_t vocab = s.model.config().vocab_size;
  s.check(ids);
  std::vector<float> costs(ids.size());
  if (ids.empty()) return costs;
  s.start_if_new();
  const int64_t begin = s.position;
  const auto cost = [&](const View& logits, std::span<const int32_t> targets, float* out) {
    const ArenaScope scope(s.scratch);
    if (each) {
      const View row = s.scratch.allocate(DType::f32, {1, vocab});
      for (int64_t i = 0; i < logits.rows(); ++i) {
        copy(logits.row_range(i, 1), row);
        each(static_cast<size_t>(out - costs.data() + i), {row.as<float>(), static_cast<size_t>(vocab)});
      }
    }
    const View nll = s.scratch.allocate(logits.dtype, {logits.rows()});
    Exec exec = s.exec(s.scratch);
    cross_entropy(exec, logits, targets, nll);
    copy(nll, View(out, DType::f32, nll.shape));
  };
  if (!s.logits.empty()) cost(View(s.logits.data(), DType::f32, {1, vocab}), ids.first(1), costs.data());
  for (size_t done = 0; done < ids.size();) {
    const size_t n = std::min({s.rest_of_slice(), ids.size() - done, s.until_kept()});
    const ArenaScope scope(s.scratch);
    const View logits = s.scratch.allocate(s.model.dtype(), {static_cast<int64_t>(n), vocab});
    s.advance(ids.subspan(done, n), logits);
    const size_t next = std::min(n, ids.size() - done - 1);
    if (next > 0)
      cost(logits.row_range(0, static_cast<int64_t>(next)), ids.subspan(done + 1, next), costs.data() + done + 1);
    s.read_row(logits.row_range(static_cast<int64_t>(n) - 1, 1));
    s.moved(ids.subspan(done, n));
    s.warn_if_past_context();
    done += n;
  }
  const auto bad = std::find_if_not(costs.begin(), costs.end(), [](float nats) { return std::isfinite(nats); });
  require(bad == costs.end(), ErrorCode::numeric, "[session] what the id at position ", begin + (bad - costs.begin()),
          " costs is not finite: the model's weights are "
          "too large to compute with");
  return costs;
}

const Model& Session::model() const { return impl_->model; }
int64_t Session::position() const { return impl_->position; }
size_t Session::state_bytes() const { return impl_->state.bytes(); }

Session Session::fork() const {
  auto copy = std::make_unique<Impl>(impl_->model, impl_->options);
  copy->state = impl_->state;
  copy->logits = impl_->logits;
  copy->position = impl_->position;
  copy->warned = impl_->warned;
  copy->forget_history();
  return Session(std::move(copy));
}

Snapshot Session::snapshot() const {
  Snapshot snapshot;
  snapshot.data_ = std::make_shared<const Snapshot::Data>(
      Snapshot::Data{impl_->state, impl_->logits, impl_->position, impl_->model.fingerprint()});
  return snapshot;
}

void Session::restore(const Snapshot& snapshot) {
  require(snapshot.data_->state.same_layout(impl_->state), ErrorCode::config,
          "[session] the snapshot is of a model of another shape");
  require(snapshot.data_->model == impl_->model.fingerprint(), ErrorCode::config,
          "[session] the snapshot is of another model, or of other weights of this one");
  impl_->set(*snapshot.data_);
  impl_->forget_history();
}

void Session::rewind(int64_t position) {
  Impl& s = *impl_;
  require(position >= 0 && position <= s.position, ErrorCode::config, "[session] cannot rewind from position ",
          s.position, " to ", position);
  if (position == s.position) return;
  const auto later =
      std::find_if(s.kept.begin(), s.kept.end(), [&](const auto& snapshot) { return snapshot->position > position; });
  const bool from_start = later == s.kept.begin();
  require(!from_start || position == 0 || (s.history_begin == 0 && !s.history.empty()), ErrorCode::unsupported,
          "[session] cannot rewind to position ", position, ": what is kept begins at ",
          s.kept.empty() ? s.position : s.kept.front()->position, "; raise rewind_bytes");
  s.kept.erase(later, s.kept.end());
  const int64_t base = from_start ? 0 : s.kept.back()->position;
  if (base < s.history_begin) {  // position 0 needs no history
    s.forget_history();
    s.history_begin = 0;
  }
  std::vector<int32_t> replay(s.history.begin() + (base - s.history_begin),
                              s.history.begin() + (position - s.history_begin));
  s.history.resize(static_cast<size_t>(base - s.history_begin));
  if (s.kept.empty()) {
    s.state.clear();
    s.logits.clear();
    s.position = 0;
  } else {
    s.set(*s.kept.back());
  }
  s.read(replay);
}

void Session::reset() {
  impl_->state.clear();
  impl_->logits.clear();
  impl_->position = 0;
  impl_->forget_history();
}

int64_t Snapshot::position() const { return data_->position; }
size_t Snapshot::bytes() const { return data_->state.bytes() + data_->logits.size() * sizeof(float); }

}  // namespace statera
